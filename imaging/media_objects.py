"""What an object made of a picture, a film or a document must say and its sender left out.

Nothing that the sender says is changed. What the standard wants there even if unknown (type 2) is
there empty, what it wants said (type 1) is said as far as the media tell (PS3.3 A.8, A.32, A.45).
"""

from __future__ import annotations

from datetime import datetime

from pydicom import DataElement, Dataset
from pydicom.datadict import dictionary_VR, tag_for_keyword

from imaging.datasets import add_element
from imaging.errors import MismatchError, UnsupportedError
from imaging.matching import values_of

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_TRUE_COLOUR_FRAMES, _GREY_FRAMES = f"{SECONDARY_CAPTURE}.4", f"{SECONDARY_CAPTURE}.2"
_VL = "1.2.840.10008.5.1.4.1.1.77.1"
_PICTURES = {"ES": f"{_VL}.1", "GM": f"{_VL}.2", "XC": f"{_VL}.4", "DMS": f"{_VL}.4"}
_FILMS = {"ES": f"{_VL}.1.1", "GM": f"{_VL}.2.1", "XC": f"{_VL}.4.1"}
_VISIBLE_LIGHT = frozenset({*_PICTURES.values(), *_FILMS.values()})
# The document's media type and its class, with what it is by default.
DOCUMENTS = {
    "application/pdf": "1.2.840.10008.5.1.4.1.1.104.1",
    "text/xml": "1.2.840.10008.5.1.4.1.1.104.2",
    "model/stl": "1.2.840.10008.5.1.4.1.1.104.3",
    "model/obj": "1.2.840.10008.5.1.4.1.1.104.4",
    "model/mtl": "1.2.840.10008.5.1.4.1.1.104.5",
}
_KEPT_EMPTY = (
    "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName", "PatientName",
    "PatientID", "PatientBirthDate", "PatientSex", "StudyID", "SeriesNumber", "InstanceNumber",
    "Manufacturer",
)  # fmt: skip
# Said of the pixels by whoever packed them; a contradiction is told, not mended.
_COMPARED = ("Rows", "Columns", "SamplesPerPixel", "BitsStored", "NumberOfFrames")


def complete_picture(dataset: Dataset, facts: dict[str, object], *, is_film: bool) -> None:
    """Add what the pixels say, and what the kind of object asks for beyond.

    Raises MismatchError when the metadata say otherwise than the pixels.
    """
    for keyword, value in facts.items():
        said = values_of(dataset, _tag(keyword))
        if keyword in _COMPARED and said and str(said[0]) != str(value):
            raise MismatchError(f"{keyword} is not what the pixels say.")
        if not said or keyword not in _COMPARED:
            put(dataset, keyword, value)
    modality = _text(dataset, "Modality")
    if not _text(dataset, "SOPClassUID"):
        put(dataset, "SOPClassUID", _choose_class(dataset, modality, is_film=is_film))
    chosen = _text(dataset, "SOPClassUID")
    if chosen == SECONDARY_CAPTURE or chosen.startswith(f"{SECONDARY_CAPTURE}."):
        default(dataset, "Modality", "OT")
        default(dataset, "ConversionType", "WSD" if not is_film else "DV")
        keep_empty(dataset, "PatientOrientation")
        if chosen in (_TRUE_COLOUR_FRAMES, _GREY_FRAMES):
            _complete_frames(dataset, is_grey=chosen == _GREY_FRAMES)
    elif chosen in _VISIBLE_LIGHT:
        named = {**_PICTURES, **_FILMS}
        kinds = {uid: name for name, uid in reversed(named.items())}
        default(dataset, "Modality", kinds[chosen])
        if _text(dataset, "PhotometricInterpretation") == "YBR_FULL":
            # PS3.3 C.8.12.1.1.1 knows this name alone; decoders go by the stream's own sampling.
            put(dataset, "PhotometricInterpretation", "YBR_FULL_422")
        default(dataset, "ImageType", ["ORIGINAL", "PRIMARY"])
        default(dataset, "LossyImageCompression", "00")
        default(dataset, "InstanceNumber", "1")
        keep_empty(dataset, "AcquisitionContextSequence", "PatientOrientation")
    if not values_of(dataset, _tag("ImageLaterality")):
        # Type 2C, of paired structures: said to be unknown.
        keep_empty(dataset, "Laterality")
    keep_empty(dataset, *_KEPT_EMPTY)


def _complete_frames(dataset: Dataset, *, is_grey: bool) -> None:
    """Multi-frame Secondary Capture: frames without time are pages (PS3.3 A.8.4, C.8.6.3)."""
    default(dataset, "NumberOfFrames", "1")
    default(dataset, "BurnedInAnnotation", "YES")
    if is_grey:
        default(dataset, "RescaleIntercept", "0")
        default(dataset, "RescaleSlope", "1")
        default(dataset, "RescaleType", "US")
        default(dataset, "PresentationLUTShape", "IDENTITY")
    if int(_text(dataset, "NumberOfFrames") or 1) > 1 and "FrameIncrementPointer" not in dataset:
        put(dataset, "FrameIncrementPointer", _tag("PageNumberVector"))
        put(dataset, "PageNumberVector", range(1, int(_text(dataset, "NumberOfFrames")) + 1))


def complete_document(dataset: Dataset, media_type: str, size: int, made_at: datetime) -> None:
    """Add what an encapsulated document asks for (PS3.3 C.24.2).

    Raises UnsupportedError for a kind of document that DICOM does not encapsulate, MismatchError
    when the metadata name another.
    """
    if media_type not in DOCUMENTS:
        raise UnsupportedError("A document of this media type is not taken.")
    default(dataset, "SOPClassUID", DOCUMENTS[media_type])
    default(dataset, "MIMETypeOfEncapsulatedDocument", media_type)
    named = _text(dataset, "MIMETypeOfEncapsulatedDocument")
    if _text(dataset, "SOPClassUID") != DOCUMENTS[media_type] or named != media_type:
        raise MismatchError("The document is not what the metadata say.")
    put(dataset, "EncapsulatedDocumentLength", size)
    is_model = media_type.startswith("model/")
    default(dataset, "Modality", "M3D" if is_model else "DOC")
    default(dataset, "BurnedInAnnotation", "YES")
    default(dataset, "SeriesNumber", "1")
    default(dataset, "InstanceNumber", "1")
    if not is_model:
        default(dataset, "ConversionType", "WSD")
    default(dataset, "ContentDate", f"{made_at:%Y%m%d}")
    default(dataset, "ContentTime", f"{made_at:%H%M%S}")
    keep_empty(dataset, "AcquisitionDateTime", "DocumentTitle", "ConceptNameCodeSequence")
    keep_empty(dataset, *_KEPT_EMPTY)


def _choose_class(dataset: Dataset, modality: str, *, is_film: bool) -> str:
    if is_film:
        return _FILMS.get(modality, _FILMS["XC"])
    if modality in _PICTURES:
        return _PICTURES[modality]
    if int(_text(dataset, "NumberOfFrames") or 1) > 1:
        is_colour = _text(dataset, "SamplesPerPixel") == "3"
        return _TRUE_COLOUR_FRAMES if is_colour else _GREY_FRAMES
    return SECONDARY_CAPTURE


# --- elements --------------------------------------------------------------------------------
def _tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    assert tag is not None, keyword
    return tag


def _text(dataset: Dataset, keyword: str) -> str:
    values = values_of(dataset, _tag(keyword))
    return str(values[0]) if values else ""


def put(dataset: Dataset, keyword: str, value: object) -> None:
    """Set an element, whatever was there."""
    tag = _tag(keyword)
    vr = dictionary_VR(tag).split(" ")[0]
    values = list(value) if isinstance(value, list | range) else [value]
    if vr in ("IS", "DS"):
        values = [str(one) for one in values]
    add_element(dataset, tag, vr, values)


def default(dataset: Dataset, keyword: str, value: object) -> None:
    """Set an element that is not there, or is there empty."""
    if not values_of(dataset, _tag(keyword)):
        put(dataset, keyword, value)


def keep_empty(dataset: Dataset, *keywords: str) -> None:
    """Have elements there, empty when nothing is known."""
    for keyword in keywords:
        tag = _tag(keyword)
        if tag not in dataset:
            vr = dictionary_VR(tag).split(" ")[0]
            if vr == "SQ":
                dataset.add(DataElement(tag, "SQ", []))
            else:
                add_element(dataset, tag, vr, [])
