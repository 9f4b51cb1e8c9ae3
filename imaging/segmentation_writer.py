"""Binary segmentations (PS3.3 A.51) of one segment, by highdicom, some slices at a time.

highdicom builds an object in memory, several bytes a pixel; so it is given a few slices, and
their frames are joined to one object whose pixels are one bit each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from highdicom import AlgorithmIdentificationSequence, color, seg, sr
from pydicom import DataElement, Dataset
from pydicom.sr.coding import Code
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from imaging.report_writer import MANUFACTURER, Writing

# A multiple of 8: so many frames fill whole bytes whatever their size.
SLICES_AT_ONCE = 32
_TISSUE = Code("85756007", "SCT", "Tissue")
_STRUCTURE = Code("123037004", "SCT", "Anatomical Structure")
_ABNORMAL = Code("49755003", "SCT", "Morphologically Abnormal Structure")
_SUBSTANCE = Code("91720002", "SCT", "Body Substance")


@dataclass(frozen=True, slots=True)
class Property:
    """What a segment is (CID 7150, CID 7151), and the colour it is drawn in, sRGB."""

    category: Code
    kind: Code
    colour: tuple[int, int, int]


PROPERTIES: dict[str, Property] = {
    "bone": Property(_STRUCTURE, Code("272673000", "SCT", "Bone"), (241, 214, 145)),
    "soft_tissue": Property(_TISSUE, Code("87784001", "SCT", "Soft tissue"), (216, 101, 79)),
    "fat": Property(_TISSUE, Code("55603005", "SCT", "Adipose tissue"), (230, 220, 70)),
    "muscle": Property(_TISSUE, Code("71616004", "SCT", "Muscle"), (192, 104, 88)),
    "lung": Property(_STRUCTURE, Code("39607008", "SCT", "Lung"), (172, 138, 220)),
    "air": Property(_SUBSTANCE, Code("15158005", "SCT", "Air"), (90, 180, 230)),
    "vessel": Property(_STRUCTURE, Code("59820001", "SCT", "Blood Vessel"), (216, 60, 60)),
    "tumour": Property(_ABNORMAL, Code("108369006", "SCT", "Neoplasm"), (144, 238, 144)),
    "tissue": Property(_TISSUE, Code("85756007", "SCT", "Tissue"), (128, 174, 128)),
}


@dataclass(frozen=True, slots=True)
class SourceSlice:
    """The image on which a frame lies; `frame` from 1, 0 for an image of one frame."""

    sop_class_uid: str
    sop_instance_uid: str
    frame: int
    position: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class SegmentText:
    """What the segment says of itself."""

    what: Property
    label: str
    algorithm: str
    parameters: dict[str, str]
    is_connected: bool


def write_segmentation(
    header: Dataset,
    slices: Sequence[SourceSlice],
    read: Callable[[int], np.ndarray],
    text: SegmentText,
    writing: Writing,
    pixels: BinaryIO,
) -> Dataset:
    """Return a segmentation with a frame for each of `slices`, lowest first.

    `header` has patient, study, series, size, Pixel Spacing, Slice Thickness and Image
    Orientation of the source. `read` returns the mask of a slice by its number in `slices`,
    bool of (rows, columns). `pixels` is an empty file that takes the Pixel Data; the object reads
    them from it when it is saved, so it must be open until then.
    """
    made: Dataset | None = None
    items: list[Dataset] = []
    for numbers in _groups(len(slices)):
        masks = np.stack([read(number) for number in numbers])
        part = _write_part(header, [slices[number] for number in numbers], text, writing)
        pixels.write(np.packbits(masks.ravel(), bitorder="little").tobytes())
        for item, number in zip(part.PerFrameFunctionalGroupsSequence, numbers, strict=True):
            _finish_frame(item, slices[number], number)
            items.append(item)
        made = made or part
    assert made is not None
    made.PerFrameFunctionalGroupsSequence = items
    made.NumberOfFrames = len(items)
    pixels.write(b"\0" * (pixels.tell() % 2))
    pixels.seek(0)
    made.add(DataElement("PixelData", "OB", pixels))
    _name_instances(made, header, slices)
    return made


def _groups(count: int) -> Iterator[range]:
    for first in range(0, count, SLICES_AT_ONCE):
        yield range(first, min(first + SLICES_AT_ONCE, count))


def _write_part(
    header: Dataset, slices: Sequence[SourceSlice], text: SegmentText, writing: Writing
) -> Dataset:
    """Return an object of these slices in their order; its pixels are nothing yet."""
    sources = []
    for number, one in enumerate(slices):
        source = Dataset()
        source.update(header)
        # Frames of one object are images of their own to highdicom, of a class that has one.
        source.SOPClassUID = CTImageStorage if one.frame else one.sop_class_uid
        source.SOPInstanceUID = f"2.25.{number + 1}"
        source.ImagePositionPatient = list(one.position)
        sources.append(source)
    made = seg.Segmentation(
        source_images=sources,
        pixel_array=np.ones((len(sources), header.Rows, header.Columns), np.uint8),
        segmentation_type=seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_describe(text, writing)],
        series_instance_uid=writing.series_instance_uid,
        series_number=writing.series_number,
        sop_instance_uid=writing.sop_instance_uid,
        instance_number=writing.instance_number,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MANUFACTURER,
        software_versions=writing.software_version,
        device_serial_number="1",
        content_creator_name=writing.author_name,
        content_label="SEGMENTATION",
        content_description=text.label[:64],
        series_description=f"Segmentation: {text.label}"[:64],
        transfer_syntax_uid=ExplicitVRLittleEndian,
        omit_empty_frames=False,
    )
    ordered = {_number_of(item): item for item in made.PerFrameFunctionalGroupsSequence}
    made.PerFrameFunctionalGroupsSequence = [ordered[n + 1] for n in range(len(slices))]
    return made


def _source_of(item: Dataset) -> Dataset:
    source: Dataset = item.DerivationImageSequence[0].SourceImageSequence[0]
    return source


def _number_of(item: Dataset) -> int:
    return int(str(_source_of(item).ReferencedSOPInstanceUID).rpartition(".")[2])


def _finish_frame(item: Dataset, source: SourceSlice, number: int) -> None:
    reference = _source_of(item)
    reference.ReferencedSOPClassUID = source.sop_class_uid
    reference.ReferencedSOPInstanceUID = source.sop_instance_uid
    if source.frame:
        reference.ReferencedFrameNumber = source.frame
    item.FrameContentSequence[0].DimensionIndexValues = [1, number + 1]


def _name_instances(made: Dataset, header: Dataset, slices: Sequence[SourceSlice]) -> None:
    """Name each source image once in the Common Instance Reference module (C.12.2)."""
    classes = {one.sop_instance_uid: one.sop_class_uid for one in slices}
    named = []
    for uid, sop_class in classes.items():
        one = Dataset()
        one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID = sop_class, uid
        named.append(one)
    series = Dataset()
    series.SeriesInstanceUID = header.SeriesInstanceUID
    series.ReferencedInstanceSequence = named
    made.ReferencedSeriesSequence = [series]


def _describe(text: SegmentText, writing: Writing) -> seg.SegmentDescription:
    # CID 7162: voxels and what they touch, or the values alone.
    family = (
        Code("123101", "DCM", "Neighborhood Analysis")
        if text.is_connected
        else Code("123105", "DCM", "Histogram Analysis")
    )
    return seg.SegmentDescription(
        segment_number=1,
        segment_label=text.label[:64],
        segmented_property_category=sr.CodedConcept.from_code(text.what.category),
        segmented_property_type=sr.CodedConcept.from_code(text.what.kind),
        algorithm_type=seg.SegmentAlgorithmTypeValues.SEMIAUTOMATIC,
        algorithm_identification=AlgorithmIdentificationSequence(
            name=text.algorithm,
            family=sr.CodedConcept.from_code(family),
            version=writing.software_version,
            parameters=text.parameters,
        ),
        display_color=color.CIELabColor.from_rgb(*text.what.colour),
    )
