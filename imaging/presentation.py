"""Presentation states (PS3.3 A.33): what they do to which images, and what they draw.

Coordinates come out as everywhere here: (column, row) with the centre of the first pixel at
(0, 0). Graphics in units of the display are kept apart: they belong to the screen's area.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from imaging.cielab import srgb_from_cielab
from imaging.drawn import CORNER_PX
from imaging.elements import ElementView
from imaging.mark_style import PLAIN, MarkStyle, line_of
from imaging.shutters import shutter_facts
from imaging.sr_tree import Reference
from imaging.text import clean, clean_line, display_name

IMAGES_LIMIT = 10_000
GRAPHICS_LIMIT = 5_000
POINTS_LIMIT = 10_000
_KNOWN_GRAPHICS = frozenset({"POINT", "POLYLINE", "INTERPOLATED", "CIRCLE", "ELLIPSE"})


@dataclass(frozen=True, slots=True)
class Graphic:
    """One outline; `units` is PIXEL or DISPLAY, `uid` the tracking UID where it has one.

    `colour` is its own, empty when it has that of its layer.
    """

    kind: str
    points: tuple[tuple[float, float], ...]
    units: str
    is_filled: bool
    layer: str
    uid: str = ""
    colour: str = ""
    style: MarkStyle = PLAIN


@dataclass(frozen=True, slots=True)
class Words:
    """Text, with its anchor, its box, or both."""

    text: str
    anchor: tuple[float, float] | None
    anchor_units: str
    box: tuple[float, float, float, float] | None
    box_units: str
    layer: str
    uid: str = ""


@dataclass(frozen=True, slots=True)
class Annotation:
    """What is drawn on the images named; on all images of the state when none is."""

    images: tuple[Reference, ...]
    graphics: tuple[Graphic, ...]
    words: tuple[Words, ...]


@dataclass(frozen=True, slots=True)
class Area:
    """The displayed area (C.10.4), of the images named or of all. `corners` count from 1."""

    images: tuple[Reference, ...]
    top_left: tuple[int, int]
    bottom_right: tuple[int, int]
    mode: str
    magnification: float | None


@dataclass(frozen=True, slots=True)
class Grey:
    """A window or table (C.11.8), of the images named or of all."""

    images: tuple[Reference, ...]
    window: tuple[float, float] | None
    function: str
    explanation: str
    has_table: bool


@dataclass(slots=True)
class State:
    """A presentation state. `unknown` are words of what it asks for and is not applied."""

    label: str
    description: str
    creator: str
    images: list[Reference] = field(default_factory=list)
    greys: list[Grey] = field(default_factory=list)
    is_inverted: bool = False
    rotation_deg: int = 0
    is_flipped: bool = False
    areas: list[Area] = field(default_factory=list)
    shutter: dict[str, Any] | None = None
    layers: dict[str, str] = field(default_factory=dict)
    annotations: list[Annotation] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    left_out: bool = False


def read_state(header: ElementView) -> State:
    """Return the state that a header holds."""
    rotation = header.integer("ImageRotation") or 0
    state = State(
        label=clean_line(header.text("ContentLabel"))[:64],
        description=clean_line(header.text("ContentDescription"))[:1024],
        creator=display_name(header.text("ContentCreatorName")),
        images=_read_images(header),
        greys=[_grey(item) for item in header.items("SoftcopyVOILUTSequence")[:IMAGES_LIMIT]],
        is_inverted=header.text("PresentationLUTShape") == "INVERSE",
        rotation_deg=rotation % 360 if rotation % 90 == 0 else 0,
        is_flipped=header.text("ImageHorizontalFlip") == "Y",
        shutter=shutter_facts(header),
        layers=dict(_layer(item) for item in header.items("GraphicLayerSequence")[:500]),
    )
    areas = [_area(item) for item in header.items("DisplayedAreaSelectionSequence")[:IMAGES_LIMIT]]
    state.areas = [area for area in areas if area is not None]
    left = GRAPHICS_LIMIT
    for item in header.iter_items("GraphicAnnotationSequence"):
        annotation = _annotation(item, left)
        left -= len(annotation.graphics) + len(annotation.words)
        state.annotations.append(annotation)
        if left <= 0:
            state.left_out = True
            break
    state.unknown = _find_unknown(header)
    return state


def _find_unknown(header: ElementView) -> list[str]:
    """Return keywords of what the state has and nothing here applies."""
    watched = (
        "ModalityLUTSequence", "PresentationLUTSequence", "MaskSubtractionSequence",
        "BlendingSequence", "RedPaletteColorLookupTableData", "CompoundGraphicSequence",
        "AdvancedBlendingSequence", "VolumetricPresentationInputSetSequence",
    )  # fmt: skip
    found = [keyword for keyword in watched if keyword in header]
    if any(item.item("VOILUTSequence") for item in header.items("SoftcopyVOILUTSequence")[:50]):
        found.append("VOILUTSequence")
    if any(0x6000 <= tag >> 16 <= 0x60FF for tag in header.tags()):
        found.append("OverlayData")
    return found


# --- references ---------------------------------------------------------------------------
def _read_images(header: ElementView) -> list[Reference]:
    found: list[Reference] = []
    for series in header.iter_items("ReferencedSeriesSequence"):
        found += _references(series, IMAGES_LIMIT - len(found))
        if len(found) >= IMAGES_LIMIT:
            break
    return found


def _references(view: ElementView, limit: int = IMAGES_LIMIT) -> tuple[Reference, ...]:
    found: list[Reference] = []
    for item in view.iter_items("ReferencedImageSequence"):
        if len(found) >= limit:
            break
        frames = tuple(item.ints("ReferencedFrameNumber")[:IMAGES_LIMIT])
        found.append(
            Reference(
                item.text("ReferencedSOPClassUID"), item.text("ReferencedSOPInstanceUID"), frames
            )
        )
    return tuple(found)


# --- look ---------------------------------------------------------------------------------
def _grey(item: ElementView) -> Grey:
    centre, width = item.number("WindowCenter"), item.number("WindowWidth")
    window = None
    if centre is not None and width is not None and width > 0:
        window = (centre, width)
    return Grey(
        _references(item),
        window,
        item.text("VOILUTFunction") or "LINEAR",
        clean_line(item.text("WindowCenterWidthExplanation"))[:64],
        item.item("VOILUTSequence") is not None,
    )


def _area(item: ElementView) -> Area | None:
    start = item.ints("DisplayedAreaTopLeftHandCorner")
    end = item.ints("DisplayedAreaBottomRightHandCorner")
    if len(start) != 2 or len(end) != 2:
        return None
    return Area(
        _references(item),
        (start[0], start[1]),
        (end[0], end[1]),
        item.text("PresentationSizeMode"),
        item.number("PresentationPixelMagnificationRatio"),
    )


def _layer(item: ElementView) -> tuple[str, str]:
    """Return a layer's name and its colour as #rrggbb, empty when it names none."""
    colour = _colour_of(item.ints("GraphicLayerRecommendedDisplayCIELabValue"))
    if not colour:
        grey = item.integer("GraphicLayerRecommendedDisplayGrayscaleValue")
        if grey is not None and 0 <= grey <= 0xFFFF:
            colour = f"#{grey >> 8:02x}{grey >> 8:02x}{grey >> 8:02x}"
    return clean_line(item.text("GraphicLayer"))[:64], colour


def _colour_of(lab: list[int]) -> str:
    """Return a colour as #rrggbb, empty when it is none."""
    if len(lab) != 3 or not all(0 <= part <= 0xFFFF for part in lab):
        return ""
    return "#{:02x}{:02x}{:02x}".format(*srgb_from_cielab(lab))


# --- marks --------------------------------------------------------------------------------
def _annotation(item: ElementView, limit: int) -> Annotation:
    layer = clean_line(item.text("GraphicLayer"))[:64]
    graphics: list[Graphic] = []
    words: list[Words] = []
    for one in item.iter_items("GraphicObjectSequence"):
        if len(graphics) >= limit:
            break
        graphic = _graphic(one, layer)
        if graphic is not None:
            graphics.append(graphic)
    for one in item.iter_items("TextObjectSequence"):
        if len(words) + len(graphics) >= limit:
            break
        words.append(_words(one, layer))
    return Annotation(_references(item), tuple(graphics), tuple(words))


def _graphic(item: ElementView, layer: str) -> Graphic | None:
    kind = item.text("GraphicType")
    units = item.text("GraphicAnnotationUnits")
    numbers = item.floats("GraphicData")[: 2 * POINTS_LIMIT]
    if kind not in _KNOWN_GRAPHICS or len(numbers) < 2:
        return None
    points = tuple(
        _from_corner(numbers[at], numbers[at + 1], units) for at in range(0, len(numbers) - 1, 2)
    )
    is_filled = item.text("GraphicFilled") == "Y"
    uid = item.text("TrackingUID")
    style = _style(item, units, is_filled=is_filled)
    return Graphic(kind, points, units, is_filled, layer, uid, _own_colour(item), style)


def _own_colour(item: ElementView) -> str:
    style = item.item("LineStyleSequence")
    lab = [] if style is None else style.ints("PatternOnColorCIELabValue")
    return _colour_of(lab)


def _style(item: ElementView, units: str, *, is_filled: bool) -> MarkStyle:
    """Return line (table C.10-5b) and area (C.10-5c); widths in parts of the display are left."""
    line, fill = item.item("LineStyleSequence"), item.item("FillStyleSequence")
    width = None if line is None or units == "DISPLAY" else line.number("LineThickness")
    opacity = None if fill is None else fill.number("PatternOnOpacity")
    return MarkStyle(
        line=""
        if line is None
        else line_of(line.text("LineDashingStyle"), line.integer("LinePattern")),
        width_px=None if width is None or width <= 0 else min(20.0, max(0.5, width)),
        fill_opacity=min(1.0, max(0.0, 0.3 if opacity is None else opacity)) if is_filled else None,
    )


def _words(item: ElementView, layer: str) -> Words:
    text = item.text("UnformattedTextValue").replace("\r\n", "\n").replace("\r", "\n")
    anchor_units = item.text("AnchorPointAnnotationUnits")
    box_units = item.text("BoundingBoxAnnotationUnits")
    anchor = item.floats("AnchorPoint")
    start = item.floats("BoundingBoxTopLeftHandCorner")
    end = item.floats("BoundingBoxBottomRightHandCorner")
    box = None
    if len(start) == 2 and len(end) == 2:
        left, top = _from_corner(start[0], start[1], box_units)
        box = (left, top, *_from_corner(end[0], end[1], box_units))
    return Words(
        "\n".join(clean(line) for line in text[:4096].split("\n")),
        _from_corner(anchor[0], anchor[1], anchor_units) if len(anchor) == 2 else None,
        anchor_units,
        box,
        box_units,
        layer,
        item.text("TrackingUID"),
    )


def _from_corner(column: float, row: float, units: str) -> tuple[float, float]:
    """Return a point as counted here; in units of the display it stays as it is."""
    return (column, row) if units == "DISPLAY" else (column - CORNER_PX, row - CORNER_PX)
