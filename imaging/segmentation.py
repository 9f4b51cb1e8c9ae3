"""Segmentations (PS3.3 A.51): what is segmented, and on which image each frame lies."""

from __future__ import annotations

from dataclasses import dataclass, field

from imaging.cielab import srgb_from_cielab
from imaging.elements import ElementView
from imaging.sr_tree import Reference, read_code
from imaging.text import clean_line

FRAMES_LIMIT = 20_000
SEGMENTS_LIMIT = 4_096
BINARY, FRACTIONAL, LABELMAP = "BINARY", "FRACTIONAL", "LABELMAP"


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment; `colour` is #rrggbb, empty when the file recommends none."""

    number: int
    label: str
    kind: str
    category: str
    algorithm: str
    colour: str


@dataclass(frozen=True, slots=True)
class SegmentFrame:
    """One frame, counted from 0. `segment` 0: of a label map, whose pixels name segments.

    `position` and `orientation` are None where the file gives none.
    """

    frame: int
    segment: int
    sources: tuple[Reference, ...]
    position: tuple[float, ...] | None
    orientation: tuple[float, ...] | None


@dataclass(slots=True)
class Segmentation:
    """What a segmentation says of itself; its pixels are frames as in any image."""

    kind: str
    rows: int
    columns: int
    largest: int
    fractional_type: str
    segments: list[Segment]
    frames: list[SegmentFrame] = field(default_factory=list)
    spacing: tuple[float, float] | None = None
    frame_of_reference_uid: str = ""


def read_segmentation(header: ElementView) -> Segmentation:
    """Return the segmentation that a header describes."""
    shared = header.item("SharedFunctionalGroupsSequence")
    measures = shared.item("PixelMeasuresSequence") if shared else None
    spacing = measures.floats("PixelSpacing") if measures else []
    found = Segmentation(
        kind=header.text("SegmentationType"),
        rows=header.integer("Rows") or 0,
        columns=header.integer("Columns") or 0,
        largest=header.integer("MaximumFractionalValue") or 255,
        fractional_type=header.text("SegmentationFractionalType"),
        segments=[_segment(item) for item in header.items("SegmentSequence")[:SEGMENTS_LIMIT]],
        spacing=(spacing[0], spacing[1]) if len(spacing) == 2 and min(spacing) > 0 else None,
        frame_of_reference_uid=header.text("FrameOfReferenceUID"),
    )
    for item in header.iter_items("PerFrameFunctionalGroupsSequence"):
        if len(found.frames) >= FRAMES_LIMIT:
            break
        found.frames.append(_frame(len(found.frames), item, shared, found.kind))
    return found


def _segment(item: ElementView) -> Segment:
    lab = item.ints("RecommendedDisplayCIELabValue")
    is_colour = len(lab) == 3 and all(0 <= part <= 0xFFFF for part in lab)
    name = clean_line(item.text("SegmentAlgorithmName"))
    return Segment(
        number=item.integer("SegmentNumber") or 0,
        label=clean_line(item.text("SegmentLabel"))[:64],
        kind=read_code(item, "SegmentedPropertyTypeCodeSequence")[2],
        category=read_code(item, "SegmentedPropertyCategoryCodeSequence")[2],
        algorithm=f"{item.text('SegmentAlgorithmType')} {name}".strip()[:128],
        colour="#{:02x}{:02x}{:02x}".format(*srgb_from_cielab(lab)) if is_colour else "",
    )


def _frame(number: int, own: ElementView, shared: ElementView | None, kind: str) -> SegmentFrame:
    def group(keyword: str) -> ElementView | None:
        return own.item(keyword) or (shared.item(keyword) if shared else None)

    identity = group("SegmentIdentificationSequence")
    place, turn = group("PlanePositionSequence"), group("PlaneOrientationSequence")
    position = place.floats("ImagePositionPatient") if place else []
    orientation = turn.floats("ImageOrientationPatient") if turn else []
    segment = identity.integer("ReferencedSegmentNumber") if identity else None
    return SegmentFrame(
        number,
        0 if kind == LABELMAP else segment or 0,
        _sources(group("DerivationImageSequence")),
        tuple(position) if len(position) == 3 else None,
        tuple(orientation) if len(orientation) == 6 else None,
    )


def _sources(derivation: ElementView | None) -> tuple[Reference, ...]:
    if derivation is None:
        return ()
    return tuple(
        Reference(
            item.text("ReferencedSOPClassUID"),
            item.text("ReferencedSOPInstanceUID"),
            tuple(item.ints("ReferencedFrameNumber")[:1000]),
        )
        for item in derivation.items("SourceImageSequence")[:100]
    )
