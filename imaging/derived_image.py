"""Images made of other images: what they take over and what they say of themselves (PS3.3 C.7).

A derived image has the source's study and frame of reference, and the patient as the archive
knows them: with the same bytes and the same character set where that is what the source says,
else all of it in UTF-8. Of all else it has only what its own kind of object asks for. Nothing
private and no free text comes along.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from imaging.concepts import Code
from imaging.element_writer import ElementWriter
from imaging.elements import ElementView
from imaging.plane import PlaneGeometry
from imaging.text import clean_line, parse_date

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
PET_IMAGE = "1.2.840.10008.5.1.4.1.1.128"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
COLOUR_FRAMES = "1.2.840.10008.5.1.4.1.1.7.4"
# The enhanced objects, and those that were converted to them, have the plain class as their kin.
_KIN = {
    CT_IMAGE: CT_IMAGE, f"{CT_IMAGE}.1": CT_IMAGE, f"{CT_IMAGE}.2": CT_IMAGE,
    MR_IMAGE: MR_IMAGE, f"{MR_IMAGE}.1": MR_IMAGE, f"{MR_IMAGE}.4": MR_IMAGE,
    PET_IMAGE: PET_IMAGE, "1.2.840.10008.5.1.4.1.1.130": PET_IMAGE, f"{PET_IMAGE}.1": PET_IMAGE,
}  # fmt: skip
_MODALITY = {CT_IMAGE: "CT", MR_IMAGE: "MR", PET_IMAGE: "PT"}
# Type 1 of the kinds that cannot be made up (PS3.3 C.8.9.1, C.8.9.4).
_NEEDED = {
    PET_IMAGE: ("SeriesDate", "SeriesTime", "Units", "CountsSource", "DecayCorrection"),
}
MANUFACTURER = "Noctis"
# Defined Terms of Body Part Examined that the body has two of (PS3.16 Annex L).
_PAIRED = frozenset(
    {
        "ANKLE", "ARM", "AXILLA", "BREAST", "CALF", "CAROTID", "CLAVICLE", "EAR", "ELBOW",
        "EXTREMITY", "EYE", "FEMUR", "FINGER", "FOOT", "FOREARM", "HAND", "HIP", "HUMERUS", "KNEE",
        "LEG", "ORBIT", "RADIUS", "SCAPULA", "SHOULDER", "THIGH", "THUMB", "TOE", "WRIST", "ZYGOMA",
    }
)  # fmt: skip

_PATIENT_OR_EMPTY = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex")
_PATIENT = (
    "IssuerOfPatientID", "PatientIdentityRemoved", "DeidentificationMethod",
    "DeidentificationMethodCodeSequence", "LongitudinalTemporalInformationModified",
    "PatientSpeciesDescription", "PatientSpeciesCodeSequence", "PatientBreedDescription",
    "PatientBreedCodeSequence", "BreedRegistrationSequence", "ResponsiblePerson",
    "ResponsiblePersonRole", "ResponsibleOrganization", "PatientSexNeutered",
    "PatientAge", "PatientSize", "PatientWeight",
)  # fmt: skip
_STUDY_OR_EMPTY = (
    "StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber",
)  # fmt: skip
_SERIES = ("StudyDescription", "Laterality", "ImageLaterality", "BodyPartExamined",
           "PatientPosition", "FrameOfReferenceUID", "AcquisitionDate", "AcquisitionTime",
           "ContrastBolusAgent", "LossyImageCompression", "LossyImageCompressionRatio",
           "LossyImageCompressionMethod", "BurnedInAnnotation")  # fmt: skip
# Of names the archive keeps three groups of 64 characters.
_KEPT_LENGTHS = {"PatientName": 194}
_WINDOW = ("WindowCenter", "WindowWidth", "WindowCenterWidthExplanation", "VOILUTFunction")


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedNotes:
    """What a derived series says of itself; all of it plain ASCII.

    Attributes
    ----------
    image_type
        The values behind `DERIVED\\SECONDARY`.
    description
        Series Description, at most 64 characters.
    derivation
        Derivation Description: how it was made, in a sentence.
    codes
        Derivation Code Sequence (CID 7203).
    series_instance_uid, series_number, made_at, software_version
        Its own; `made_at` is local time.
    """

    image_type: tuple[str, ...]
    description: str
    derivation: str
    codes: tuple[Code, ...]
    series_instance_uid: str
    series_number: int
    made_at: datetime
    software_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPatient:
    """The patient as the archive knows them; what is empty is as the source says."""

    patient_id: str
    issuer_of_patient_id: str
    name: str
    birth_date: date | None
    sex: str

    def values(self) -> dict[str, str]:
        """Return what is known, by keyword, as it is written in an object."""
        born = self.birth_date.isoformat().replace("-", "") if self.birth_date else ""
        known = {
            "PatientID": self.patient_id,
            "IssuerOfPatientID": self.issuer_of_patient_id,
            "PatientName": self.name,
            "PatientBirthDate": born,
            "PatientSex": self.sex if self.sex in ("M", "F", "O") else "",
        }
        return {keyword: value for keyword, value in known.items() if value}

    def corrects(self, source: ElementView) -> dict[str, str]:
        """Return what is known otherwise than an object says."""
        return {
            keyword: value
            for keyword, value in self.values().items()
            if value != _said(source, keyword, len(value))
        }


def _said(source: ElementView, keyword: str, length: int) -> str:
    """Return what an object says, read as the archive does, which keeps no longer texts."""
    if keyword == "PatientBirthDate":
        born = parse_date(source.text(keyword))[0]
        return born.isoformat().replace("-", "") if born else ""
    text = clean_line("\\".join(source.texts(keyword)))
    return text[:length] if length >= _KEPT_LENGTHS.get(keyword, 64) else text


@dataclass(frozen=True, slots=True)
class Referenced:
    """A source image; `frames` count from 1 and are empty for an object of one frame."""

    sop_class_uid: str
    sop_instance_uid: str
    frames: tuple[int, ...] = ()


def class_of_derived(source: ElementView) -> str:
    """Return the class of planes made of an image: its own family, or Secondary Capture.

    The latter where the family asks for what neither the source nor a computer can say.
    """
    found = _KIN.get(source.text("SOPClassUID"), SECONDARY_CAPTURE)
    taken = ElementWriter()
    taken.take(source, *_NEEDED.get(found, ()))
    if not all(taken.has_value(keyword) for keyword in _NEEDED.get(found, ())):
        return SECONDARY_CAPTURE
    return found


def write_common(
    source: ElementView, sop_class_uid: str, notes: DerivedNotes, patient: KnownPatient
) -> ElementWriter:
    """Return the elements that all images of a derived series share, without pixels and place."""
    corrected = patient.corrects(source)
    # Digits alone are the same in every character set.
    is_plain = all(value.isascii() and value.isdigit() for value in corrected.values())
    made = ElementWriter(is_utf8=not is_plain)
    if made.is_utf8:
        made.set("SpecificCharacterSet", "ISO_IR 192")
    elif "SpecificCharacterSet" in source:
        made.set_bytes("SpecificCharacterSet", source.raw("SpecificCharacterSet") or b"")
    made.take_or_empty(source, *_PATIENT_OR_EMPTY, *_STUDY_OR_EMPTY)
    made.take_or_empty(source, "PositionReferenceIndicator")
    made.take(source, "StudyInstanceUID", *_PATIENT, *_SERIES)
    _correct(made, source)
    for keyword, value in corrected.items():
        made.set_bytes(keyword, value.encode())
    made.set("SOPClassUID", sop_class_uid)
    made.set("Modality", _MODALITY.get(sop_class_uid) or source.text("Modality") or "OT")
    made.set("SeriesInstanceUID", notes.series_instance_uid)
    made.set("SeriesNumber", notes.series_number)
    made.set("SeriesDescription", notes.description[:64])
    # What comes of PET images alone is primary (PS3.3 C.8.9.4.1.1).
    worth = "PRIMARY" if sop_class_uid == PET_IMAGE else "SECONDARY"
    made.set("ImageType", "DERIVED", worth, *notes.image_type)
    made.set("DerivationDescription", notes.derivation[:1024])
    if notes.codes:
        made.set_code("DerivationCodeSequence", *notes.codes)
    _say_when(made, notes.made_at)
    made.set("Manufacturer", MANUFACTURER)
    made.set("ManufacturerModelName", MANUFACTURER)
    made.set("SoftwareVersions", notes.software_version)
    _name_equipment(made, source)
    if sop_class_uid == PET_IMAGE:
        made.take(source, "SeriesDate", "SeriesTime")
    return made


def _correct(made: ElementWriter, source: ElementView) -> None:
    """Leave out what the standard forbids to be there empty, or with another value."""
    if source.text("PatientSex") not in ("M", "F", "O"):
        made.set("PatientSex")
    for keyword in (*_PATIENT, *_SERIES):
        if not made.has_value(keyword) and keyword not in ("Laterality", "ContrastBolusAgent"):
            made.drop(keyword)
    if source.text("BurnedInAnnotation") not in ("YES", "NO"):
        made.drop("BurnedInAnnotation")
    if source.text("LossyImageCompression") != "01":
        made.drop("LossyImageCompressionRatio")
        made.drop("LossyImageCompressionMethod")
    is_anonymous = source.text("PatientIdentityRemoved") == "YES"
    methods = ("DeidentificationMethod", "DeidentificationMethodCodeSequence")
    if is_anonymous and not any(made.has_value(keyword) for keyword in methods):
        made.set("DeidentificationMethod", "Not said by the source")
    _correct_sides(made, source)


def _correct_sides(made: ElementWriter, source: ElementView) -> None:
    for keyword in ("Laterality", "ImageLaterality"):
        if source.text(keyword) not in ("R", "L", "U", "B"):
            made.drop(keyword)
    if made.has_value("Laterality") or made.has_value("ImageLaterality"):
        return
    # Type 2C, of paired structures: said to be unknown.
    if "Laterality" in source or source.text("BodyPartExamined") in _PAIRED:
        made.set("Laterality")


def _say_when(made: ElementWriter, made_at: datetime) -> None:
    day, moment = made_at.strftime("%Y%m%d"), made_at.strftime("%H%M%S")
    for about in ("Series", "Content", "InstanceCreation"):
        made.set(f"{about}Date", day)
        made.set(f"{about}Time", moment)


def _name_equipment(made: ElementWriter, source: ElementView) -> None:
    """Name the machine that took the source images (PS3.3 C.12.1, Contributing Equipment)."""
    item = ElementWriter(is_utf8=made.is_utf8)
    item.take(source, "Manufacturer", "ManufacturerModelName")
    if item.has_value("Manufacturer"):
        item.set_code("PurposeOfReferenceCodeSequence", ("109101", "DCM", "Acquisition Equipment"))
        made.set_items("ContributingEquipmentSequence", [item])


# --- kinds of objects -----------------------------------------------------------------------
def write_kind(made: ElementWriter, source: ElementView, sop_class_uid: str) -> None:
    """Add what one kind of object asks for beyond what all do."""
    if sop_class_uid == CT_IMAGE:
        made.take_or_empty(source, "KVP", "AcquisitionNumber")
        made.take(source, "RescaleType")
    elif sop_class_uid == MR_IMAGE:
        _write_mr(made, source)
    elif sop_class_uid == PET_IMAGE:
        _write_pet(made, source)
    else:
        made.set("ConversionType", "WSD")
        made.set("PatientOrientation")
        made.take(source, "RescaleType")
        if not made.has_value("RescaleType"):
            is_ct = _KIN.get(source.text("SOPClassUID")) == CT_IMAGE
            made.set("RescaleType", "HU" if is_ct else "US")
    if not made.has_value("RescaleType"):
        made.drop("RescaleType")
    if source.text("FrameOfReferenceUID") == "":
        made.drop("PositionReferenceIndicator")


def _write_mr(made: ElementWriter, source: ElementView) -> None:
    made.take_or_empty(
        source, "ScanningSequence", "SequenceVariant", "ScanOptions", "MRAcquisitionType",
        "RepetitionTime", "EchoTime", "EchoTrainLength",
    )  # fmt: skip
    made.take(source, "MagneticFieldStrength", "ImagedNucleus")
    if "IR" in source.texts("ScanningSequence"):
        made.take_or_empty(source, "InversionTime")
    # Enhanced objects tell it in other words: research mode, no variant.
    if not made.has_value("ScanningSequence"):
        made.set("ScanningSequence", "RM")
    if not made.has_value("SequenceVariant"):
        made.set("SequenceVariant", "NONE")


def _write_pet(made: ElementWriter, source: ElementView) -> None:
    made.take(source, *_NEEDED[PET_IMAGE])
    # Said by the sequence of the PET images instead.
    made.drop("PatientPosition")
    made.set("SeriesType", "STATIC", "IMAGE")
    made.take_or_empty(
        source, "CorrectedImage", "CollimatorType", "AcquisitionDate", "AcquisitionTime",
        "ActualFrameDuration", "RadiopharmaceuticalInformationSequence",
        "PatientOrientationCodeSequence", "PatientGantryRelationshipCodeSequence",
    )  # fmt: skip
    made.take(source, "RandomsCorrectionMethod", "AttenuationCorrectionMethod",
              "ScatterCorrectionMethod", "SUVType", "DecayFactor",
              "FrameReferenceTime")  # fmt: skip
    if not made.has_value("DecayFactor"):
        made.set("DecayFactor", 1.0)
    if not made.has_value("FrameReferenceTime"):
        made.set("FrameReferenceTime", 0.0)


# --- pixels and places ----------------------------------------------------------------------
def write_grey(
    made: ElementWriter, source: ElementView, sop_class_uid: str,
    *, is_signed: bool, slope: float, intercept: float,
) -> None:  # fmt: skip
    """Add how 16 bits are read, and the source's window; modality = stored * slope + intercept.

    High values stay bright or dark as they were; of PET they are bright alone (PS3.3 C.8.9.4).
    """
    made.set("SamplesPerPixel", 1)
    is_inverse = source.text("PhotometricInterpretation") == "MONOCHROME1"
    is_inverse = is_inverse or source.text("PresentationLUTShape") == "INVERSE"
    is_kept = is_inverse and sop_class_uid != PET_IMAGE
    made.set("PhotometricInterpretation", "MONOCHROME1" if is_kept else "MONOCHROME2")
    for keyword, bits in (("BitsAllocated", 16), ("BitsStored", 16), ("HighBit", 15)):
        made.set(keyword, bits)
    made.set("PixelRepresentation", int(is_signed))
    made.set("RescaleIntercept", float(intercept))
    made.set("RescaleSlope", float(slope))
    made.take(source, *_WINDOW)
    if not (made.has_value("WindowCenter") and made.has_value("WindowWidth")):
        for keyword in _WINDOW:
            made.drop(keyword)
    for keyword in _WINDOW[2:]:
        if not made.has_value(keyword):
            made.drop(keyword)


def write_colour(made: ElementWriter, frames: int, frame_time_ms: float) -> None:
    """Add how RGB of 8 bits is read; several frames are a film."""
    made.set("SamplesPerPixel", 3)
    made.set("PhotometricInterpretation", "RGB")
    made.set("PlanarConfiguration", 0)
    for keyword, bits in (("BitsAllocated", 8), ("BitsStored", 8), ("HighBit", 7)):
        made.set(keyword, bits)
    made.set("PixelRepresentation", 0)
    if frames > 1:
        made.set("NumberOfFrames", frames)
        made.set("FrameTime", float(frame_time_ms))
        made.set("FrameIncrementPointer", "00181063")
        if not made.has_value("BurnedInAnnotation"):
            made.set("BurnedInAnnotation", "NO")


def write_place(
    made: ElementWriter, plane: PlaneGeometry, thickness_mm: float, spacing_mm: float | None
) -> None:
    """Add where a plane lies in the patient (PS3.3 C.7.6.2); `spacing_mm` to the next one."""
    made.set("Rows", plane.rows)
    made.set("Columns", plane.columns)
    made.set("ImagePositionPatient", *(float(value) for value in plane.origin))
    directions = [*plane.row_direction, *plane.column_direction]
    made.set("ImageOrientationPatient", *(float(value) for value in directions))
    made.set("PixelSpacing", *(float(value) for value in plane.spacing_mm))
    made.set("SliceThickness", float(thickness_mm))
    if spacing_mm is not None:
        made.set("SpacingBetweenSlices", float(spacing_mm))


def encode_reference(image: Referenced) -> bytes:
    """Return the item that names a source image, ready for `ElementWriter.set_items`."""
    item = ElementWriter()
    item.set("ReferencedSOPClassUID", image.sop_class_uid)
    item.set("ReferencedSOPInstanceUID", image.sop_instance_uid)
    if image.frames:
        item.set("ReferencedFrameNumber", *image.frames)
    content = item.encode()
    return b"\xfe\xff\x00\xe0" + len(content).to_bytes(4, "little") + content


def fit_scale(
    scale: float, offset: float, kept: tuple[int, int], *, needs_no_intercept: bool
) -> tuple[float, float, bool]:
    """Return slope, intercept and whether stored values are signed.

    `kept` are the lowest and highest int16 there are. PET allows no intercept (PS3.3 C.8.9.4):
    there the values take the whole of 16 bits, unsigned where none is below 0.
    """
    if not needs_no_intercept or (offset == 0 and scale > 0):
        return scale, offset, True
    low, high = sorted(value * scale + offset for value in kept)
    if low >= 0:
        return (high / 65535 or 1.0), 0.0, False
    return max(-low, high) / 32767, 0.0, True


def merge_references(images: Sequence[Referenced]) -> list[Referenced]:
    """Return one reference for each object, its frames together, in order."""
    frames: dict[tuple[str, str], list[int]] = {}
    for one in images:
        frames.setdefault((one.sop_class_uid, one.sop_instance_uid), []).extend(one.frames)
    return [Referenced(*names, tuple(sorted(set(numbers)))) for names, numbers in frames.items()]
