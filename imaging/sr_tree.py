"""The content tree of a structured report (PS3.3 C.17.3), of any class, read within bounds.

Nothing is believed: what is missing is empty, what is too much is left out and told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from imaging.elements import ElementView
from imaging.text import clean, clean_line, display_name, parse_date, parse_datetime, parse_time

NODES_LIMIT = 20_000
DEPTH_LIMIT = 24
TEXT_LIMIT = 20_000
POINTS_LIMIT = 10_000
REFERENCES_LIMIT = 1_000

Code = tuple[str, str, str]
NO_CODE: Code = ("", "", "")


@dataclass(frozen=True, slots=True)
class Reference:
    """An object that the report names; `frames` count from 1, as in the file."""

    sop_class_uid: str
    sop_instance_uid: str
    frames: tuple[int, ...] = ()


@dataclass(slots=True)
class Node:
    """One content item.

    `value` is for people; `code`, `number`, `unit` (value, scheme, meaning) and `points` are for
    programs. Points are (column, row) from the image's corner, or (x, y, z) in lps mm.
    """

    relationship: str
    value_type: str
    concept: Code
    value: str = ""
    code: Code = NO_CODE
    number: float | None = None
    unit: Code = NO_CODE
    references: list[Reference] = field(default_factory=list)
    graphic_type: str = ""
    points: list[tuple[float, ...]] = field(default_factory=list)
    frame_of_reference_uid: str = ""
    children: list[Node] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Return what the item is called."""
        return self.concept[2] or self.concept[0]

    def walk(self) -> Iterator[Node]:
        """Yield the item and everything below it, in the order of the document."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(node.children))


@dataclass(slots=True)
class Report:
    """A report: its tree and what its header says. `left_out` says that there was more."""

    root: Node
    completion: str = ""
    verification: str = ""
    verifiers: list[str] = field(default_factory=list)
    left_out: bool = False


@dataclass(slots=True)
class _Reading:
    left: int = NODES_LIMIT
    left_out: bool = False


def read_report(header: ElementView) -> Report:
    """Return the report that a header holds. Raises LimitExceededError as the reader does."""
    reading = _Reading()
    root = _read_node(header, reading, 0)
    verifiers = [
        clean_line(
            " ".join(
                part
                for part in (
                    display_name(item.text("VerifyingObserverName")),
                    item.text("VerifyingOrganization"),
                    _moment(item.text("VerificationDateTime"), parse_datetime),
                )
                if part
            )
        )
        for item in header.items("VerifyingObserverSequence")[:20]
    ]
    return Report(
        root,
        clean_line(header.text("CompletionFlag")),
        clean_line(header.text("VerificationFlag")),
        verifiers,
        reading.left_out,
    )


def read_code(view: ElementView, keyword: str) -> Code:
    """Return the first code of a sequence: value, scheme, meaning."""
    item = view.item(keyword)
    if item is None:
        return NO_CODE
    value = item.text("CodeValue") or item.text("LongCodeValue") or item.text("URNCodeValue")
    return (
        clean_line(value)[:1024],
        clean_line(item.text("CodingSchemeDesignator"))[:16],
        clean_line(item.text("CodeMeaning"))[:1024],
    )


def _read_node(view: ElementView, reading: _Reading, depth: int) -> Node:
    reading.left -= 1
    kind = view.text("ValueType")[:16]
    node = Node(
        view.text("RelationshipType")[:32], kind, read_code(view, "ConceptNameCodeSequence")
    )
    _VALUES.get(kind, _nothing)(view, node)
    if not kind and "ReferencedContentItemIdentifier" in view:
        places = view.ints("ReferencedContentItemIdentifier")[:DEPTH_LIMIT]
        node.value = "→ " + ".".join(str(place) for place in places)
    for item in view.iter_items("ContentSequence"):
        if reading.left <= 0 or depth >= DEPTH_LIMIT:
            reading.left_out = True
            break
        node.children.append(_read_node(item, reading, depth + 1))
    return node


# --- values by type -----------------------------------------------------------------------
def _nothing(_view: ElementView, _node: Node) -> None:
    return


def _text(view: ElementView, node: Node) -> None:
    text = view.text("TextValue").replace("\r\n", "\n").replace("\r", "\n")
    node.value = "\n".join(clean(line) for line in text[:TEXT_LIMIT].split("\n"))


def _code(view: ElementView, node: Node) -> None:
    node.code = read_code(view, "ConceptCodeSequence")
    node.value = node.code[2] or node.code[0]


def _number(view: ElementView, node: Node) -> None:
    item = view.item("MeasuredValueSequence")
    if item is None:
        node.value = read_code(view, "NumericValueQualifierCodeSequence")[2]
        return
    node.number = item.number("FloatingPointValue")
    if node.number is None:
        node.number = item.number("NumericValue")
    node.unit = read_code(item, "MeasurementUnitsCodeSequence")
    unit = "" if node.unit[0] in ("1", "{no units}") else node.unit[0] or node.unit[2]
    node.value = f"{clean_line(item.text('NumericValue'))[:64]} {unit}".strip()


def _name(view: ElementView, node: Node) -> None:
    node.value = display_name(view.text("PersonName"))


def _of(keyword: str) -> Callable[[ElementView, Node], None]:
    def read(view: ElementView, node: Node) -> None:
        node.value = clean_line(view.text(keyword))[:1024]

    return read


def _time_of(keyword: str, parse: Callable[[str], tuple[object | None, bool]]) -> Callable[
    [ElementView, Node], None
]:  # fmt: skip
    def read(view: ElementView, node: Node) -> None:
        node.value = _moment(view.text(keyword), parse)

    return read


def _moment(text: str, parse: Callable[[str], tuple[object | None, bool]]) -> str:
    """Return a date or time as people read it; what is none stays as written."""
    found, _ = parse(text)
    return clean_line(text) if found is None else str(found)


def _references(view: ElementView, node: Node) -> None:
    for item in view.iter_items("ReferencedSOPSequence"):
        if len(node.references) >= REFERENCES_LIMIT:
            break
        frames = tuple(item.ints("ReferencedFrameNumber")[:REFERENCES_LIMIT])
        uids = (item.text("ReferencedSOPClassUID"), item.text("ReferencedSOPInstanceUID"))
        node.references.append(Reference(*uids, frames))


def _coordinates(view: ElementView, node: Node) -> None:
    size = 3 if node.value_type == "SCOORD3D" else 2
    numbers = view.floats("GraphicData")[: size * POINTS_LIMIT]
    node.graphic_type = view.text("GraphicType")[:16]
    node.frame_of_reference_uid = view.text("ReferencedFrameOfReferenceUID")[:64]
    count = len(numbers) // size
    node.points = [tuple(numbers[size * i : size * (i + 1)]) for i in range(count)]
    node.value = f"{node.graphic_type} ({count})"


def _times(view: ElementView, node: Node) -> None:
    values = view.texts("ReferencedDateTime") or view.texts("ReferencedTimeOffsets")
    values = values or view.texts("ReferencedSamplePositions")
    node.value = clean_line(f"{view.text('TemporalRangeType')} {' '.join(values[:50])}")


_VALUES: dict[str, Callable[[ElementView, Node], None]] = {
    "TEXT": _text,
    "CODE": _code,
    "NUM": _number,
    "PNAME": _name,
    "UIDREF": _of("UID"),
    "DATE": _time_of("Date", parse_date),
    "TIME": _time_of("Time", parse_time),
    "DATETIME": _time_of("DateTime", parse_datetime),
    "IMAGE": _references,
    "COMPOSITE": _references,
    "WAVEFORM": _references,
    "SCOORD": _coordinates,
    "SCOORD3D": _coordinates,
    "TCOORD": _times,
}
