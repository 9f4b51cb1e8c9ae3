"""Radiotherapy structures (PS3.3 A.19): regions and their contours in the patient."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from imaging.elements import ElementView
from imaging.text import clean_line

REGIONS_LIMIT = 2_000
CONTOURS_LIMIT = 100_000
POINTS_LIMIT = 5_000_000
CLOSED = "CLOSED_PLANAR"


@dataclass(frozen=True, slots=True)
class Region:
    """A region of interest; `colour` is #rrggbb, empty when the file names none."""

    number: int
    name: str
    kind: str
    colour: str
    contours: int
    volume_cm3: float | None


@dataclass(frozen=True, slots=True)
class Contour:
    """One contour: (n, 3) points in lps mm; `image_uids` are what the file says it lies on."""

    region: int
    kind: str
    points: np.ndarray
    image_uids: tuple[str, ...]


@dataclass(slots=True)
class StructureSet:
    """A structure set. `left_out` says that there was more than is read."""

    label: str
    name: str
    description: str
    regions: list[Region]
    contours: list[Contour] = field(default_factory=list)
    frame_of_reference_uid: str = ""
    left_out: bool = False


def read_structure_set(header: ElementView) -> StructureSet:
    """Return the structure set that a header holds."""
    found = StructureSet(
        clean_line(header.text("StructureSetLabel"))[:64],
        clean_line(header.text("StructureSetName"))[:64],
        clean_line(header.text("StructureSetDescription"))[:1024],
        [],
        frame_of_reference_uid=_frame_of_reference(header),
    )
    colours, counts = _read_contours(header, found)
    kinds = {
        item.integer("ReferencedROINumber"): clean_line(item.text("RTROIInterpretedType"))[:32]
        for item in header.items("RTROIObservationsSequence")[:REGIONS_LIMIT]
    }
    for item in header.items("StructureSetROISequence")[:REGIONS_LIMIT]:
        number = item.integer("ROINumber")
        if number is None:
            continue
        found.regions.append(
            Region(
                number,
                clean_line(item.text("ROIName"))[:64],
                kinds.get(number, ""),
                colours.get(number, ""),
                counts.get(number, 0),
                item.number("ROIVolume"),
            )
        )
    return found


def _frame_of_reference(header: ElementView) -> str:
    for keyword in ("ReferencedFrameOfReferenceSequence",):
        item = header.item(keyword)
        if item is not None and item.text("FrameOfReferenceUID"):
            return item.text("FrameOfReferenceUID")
    item = header.item("StructureSetROISequence")
    named = item.text("ReferencedFrameOfReferenceUID") if item else ""
    return named or header.text("FrameOfReferenceUID")


def _read_contours(
    header: ElementView, found: StructureSet
) -> tuple[dict[int, str], dict[int, int]]:
    colours: dict[int, str] = {}
    counts: dict[int, int] = {}
    points_left = POINTS_LIMIT
    for item in header.iter_items("ROIContourSequence"):
        number = item.integer("ReferencedROINumber")
        if number is None or len(colours) >= REGIONS_LIMIT:
            continue
        colour = item.ints("ROIDisplayColor")
        is_colour = len(colour) == 3 and all(0 <= part <= 255 for part in colour)
        colours[number] = "#{:02x}{:02x}{:02x}".format(*colour) if is_colour else ""
        for one in item.iter_items("ContourSequence"):
            if len(found.contours) >= CONTOURS_LIMIT or points_left <= 0:
                found.left_out = True
                break
            contour = _contour(number, one)
            if contour is not None:
                points_left -= len(contour.points)
                counts[number] = counts.get(number, 0) + 1
                found.contours.append(contour)
    return colours, counts


def _contour(region: int, item: ElementView) -> Contour | None:
    points = _points(item)
    if not len(points):
        return None
    uids = tuple(
        one.text("ReferencedSOPInstanceUID") for one in item.items("ContourImageSequence")[:100]
    )
    return Contour(region, item.text("ContourGeometricType"), points, uids)


def _points(item: ElementView) -> np.ndarray:
    """Return (n, 3) numbers; the fast way first, the lenient one for what it does not take."""
    raw = item.raw("ContourData") or b""
    try:
        numbers = np.array(raw.rstrip(b" \0").split(b"\\"), np.float64)
    except ValueError:
        numbers = np.array(item.floats("ContourData"), np.float64)
    if not np.isfinite(numbers).all() or numbers.size % 3:
        return np.empty((0, 3))
    return numbers.reshape(-1, 3)
