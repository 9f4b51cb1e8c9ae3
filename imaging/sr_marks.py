"""Measurements that structured reports hold: TID 1500, and any number with coordinates.

What other programs write is taken as far as it is understood; a group without coordinates or
numbers gives nothing. Points come out with the centre of the first pixel at (0, 0).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from imaging.concepts import DERIVED, OWN, PLANE, PROVENANCE, PROVENANCES, SAME, unit_of
from imaging.drawn import CORNER_PX, TWO_LINES
from imaging.sr_tree import Node, Reference

MARKS_LIMIT = 5_000

_GROUP = ("125007", "DCM")
_TRACKING_TEXT, _TRACKING_UID = ("112039", "DCM"), ("112040", "DCM")
_FINDING = ("121071", "DCM")
_KIND = ("kind", OWN)
_DERIVATION = ("121401", "DCM")
_UNCERTAINTY = ("371886008", "SCT")
# What dcmjs (OHIF) writes for words that a reader typed.
_FREE_TEXT = "CORNERSTONEFREETEXT"
# Kind -> the least and the most points that make one.
_COUNTS = {
    "length": (2, 2),
    "polyline": (2, 10_000),
    "angle": (3, 3),
    "cobb": (4, 4),
    "bidirectional": (4, 4),
    "cardiothoracic": (4, 4),
    "rectangle": (4, 4),
    "ellipse": (4, 4),
    "circle": (2, 2),
    "polygon": (3, 10_000),
    "probe": (1, 1),
}


@dataclass(slots=True)
class ReportMark:
    """A measurement of a report. `points_lps_mm` where the report gives millimetres."""

    kind: str
    reference: Reference | None
    points_px: list[tuple[float, float]] = field(default_factory=list)
    points_lps_mm: list[tuple[float, ...]] = field(default_factory=list)
    frame_of_reference_uid: str = ""
    uid: str = ""
    label: str = ""
    finding: tuple[str, str, str] | None = None
    value: float | None = None
    unit: str = ""
    uncertainty: float | None = None
    statistics: dict[str, float | str] = field(default_factory=dict)
    provenance: str = "stated"
    # What our own reports say of the reformatted plane that it lies on.
    plane: str = ""


@dataclass(slots=True)
class _Place:
    """Coordinates and the image that they name."""

    node: Node
    reference: Reference | None


def find_marks(root: Node) -> list[ReportMark]:
    """Return the marks of a report, MARKS_LIMIT at most."""
    found: list[ReportMark] = []
    for group in _groups(root):
        mark = _read_group(group)
        if mark is not None:
            found.append(mark)
        if len(found) >= MARKS_LIMIT:
            break
    return found


def _groups(root: Node) -> Iterator[Node]:
    """Yield measurement groups, and numbers with coordinates that are in none."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        is_group = node.value_type == "CONTAINER" and node.concept[:2] == _GROUP
        if is_group or (node.value_type == "NUM" and any(_places(node))):
            yield node
        else:
            waiting.extend(reversed(node.children))


def _places(node: Node) -> list[_Place]:
    """Return the coordinates that are children of a node."""
    found = []
    for child in node.children:
        if child.value_type in ("SCOORD", "SCOORD3D") and child.points:
            images = [one for item in child.children for one in item.references]
            found.append(_Place(child, images[0] if images else None))
    return found


def _read_group(group: Node) -> ReportMark | None:
    numbers = [group] if group.value_type == "NUM" else [
        child for child in group.children if child.value_type == "NUM" and child.number is not None
    ]  # fmt: skip
    regions = [] if group.value_type == "NUM" else _places(group)
    lines = [place for number in numbers for place in _places(number)]
    places = regions or lines
    if not places or not numbers:
        return None
    wanted = next((child.code[0] for child in group.children if child.concept[:2] == _KIND), "")
    kind = wanted if wanted in _COUNTS else _infer(numbers, places, is_region=bool(regions))
    if not kind:
        return None
    mark = ReportMark(kind, _image_of(group, places))
    _put_points(mark, places)
    least, most = _COUNTS[mark.kind]
    if not least <= len(mark.points_px or mark.points_lps_mm) <= most:
        return None
    _put_words(mark, group)
    _put_numbers(mark, numbers)
    return mark


def _image_of(group: Node, places: list[_Place]) -> Reference | None:
    named = [place.reference for place in places if place.reference is not None]
    listed = [one for child in group.children for one in child.references]
    return next(iter([*named, *listed]), None)


def _infer(numbers: list[Node], places: list[_Place], *, is_region: bool) -> str:
    """Return the kind of mark that numbers and coordinates of another program make."""
    names = {SAME.get(number.concept[:2], "") for number in numbers}
    first = places[0].node
    if "long_axis" in names and "short_axis" in names and len(places) >= 2:
        return "bidirectional"
    if "angle" in names:
        return {3: "angle", 4: "cobb"}.get(sum(len(place.node.points) for place in places), "")
    kind = {"CIRCLE": "circle", "ELLIPSE": "ellipse", "POINT": "probe", "MULTIPOINT": ""}.get(
        first.graphic_type
    )
    if kind is not None:
        return kind
    is_closed = first.graphic_type == "POLYGON" or first.points[0] == first.points[-1]
    if is_region or (is_closed and len(first.points) > 3):
        return "polygon" if len(first.points) > 3 else ""
    return "length" if len(first.points) == 2 else "polyline"


def _put_points(mark: ReportMark, places: list[_Place]) -> None:
    kept = places[:2] if mark.kind in TWO_LINES else places[:1]
    if mark.kind == "cobb" and len(places) == 2 and len(places[0].node.points) == 2:
        kept = places[:2]
    if mark.kind in TWO_LINES and len({place.node.graphic_type for place in kept}) == 1:
        kept = _distinct(places)[:2]
    points = [point for place in kept for point in place.node.points]
    if mark.kind in ("polygon", "rectangle") and len(points) > 3 and points[0] == points[-1]:
        points = points[:-1]
    if kept[0].node.value_type == "SCOORD3D":
        mark.points_lps_mm = _center_and_rim(points) if mark.kind == "circle" else points
        mark.frame_of_reference_uid = kept[0].node.frame_of_reference_uid
    else:
        mark.points_px = [(point[0] - CORNER_PX, point[1] - CORNER_PX) for point in points]
        if mark.kind == "circle" and len(points) != 2:
            mark.kind = "ellipse"


def _center_and_rim(points: list[tuple[float, ...]]) -> list[tuple[float, ...]]:
    """Return a circle that is written as an ellipse by its centre and the end of an axis."""
    if len(points) != 4:
        return points
    (one, other) = points[:2]
    return [tuple((a + b) / 2 for a, b in zip(one, other, strict=True)), other]


def _distinct(places: list[_Place]) -> list[_Place]:
    """Return the places without those that several numbers share."""
    found: dict[tuple[tuple[float, ...], ...], _Place] = {}
    for place in places:
        found.setdefault(tuple(place.node.points), place)
    return list(found.values())


def _put_words(mark: ReportMark, group: Node) -> None:
    for child in group.children:
        name = child.concept[:2]
        if name == _TRACKING_TEXT:
            mark.label = mark.label or child.value[:200]
        elif name == _TRACKING_UID:
            mark.uid = child.value[:64]
        elif name == _FINDING and child.code[0]:
            if child.code[0].startswith(_FREE_TEXT):
                mark.label = child.code[2][:200]
            else:
                mark.finding = child.code
        elif name == PLANE[:2]:
            mark.plane = child.value[:4000]
        elif name == PROVENANCE[:2]:
            mark.provenance = next(
                (word for word in PROVENANCES if word.startswith(child.code[0])), "stated"
            )


def _put_numbers(mark: ReportMark, numbers: list[Node]) -> None:
    """Set value and statistics: the first number is what the mark measures."""
    for number in numbers:
        unit = unit_of(number.unit[0])
        if mark.value is None:
            mark.value, mark.unit = number.number, unit
            mark.uncertainty = next(
                (one.number for one in number.children if one.concept[:2] == _UNCERTAINTY), None
            )
        derivation = next(
            (one.code[:2] for one in number.children if one.concept[:2] == _DERIVATION), None
        )
        name = DERIVED.get(derivation, "") if derivation else SAME.get(number.concept[:2], "")
        if name and number.number is not None:
            mark.statistics[name] = number.number
            if derivation:
                mark.statistics["unit"] = unit
