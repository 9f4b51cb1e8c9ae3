"""Marks and the look of the screen as a presentation state (PS3.3 A.33), by highdicom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import highdicom as hd
import numpy as np
from highdicom import pr
from pydicom import Dataset

from imaging.drawn import CORNER_PX, Drawn, ImageRef, graphics_of
from imaging.icc import srgb_profile
from imaging.mark_style import WIDTH_PX, MarkStyle, pattern_of
from imaging.report_writer import MANUFACTURER, Writing

_LAYER = "MARKS"
# Room for words beside their anchor, in pixels a character and a line.
_CHARACTER_PX, _LINE_PX = 8.0, 16.0
_TEXT_LIMIT = 1024
# Of a mark whose own colour and layer name none: that of the page.
_DEFAULT_COLOUR = "#ffd24a"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """How the marks of a layer look; `colour` is #rrggbb."""

    name: str
    colour: str = ""
    position: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How the pictures are shown: what a presentation state can keep of the viewer's state.

    `rotation_deg` is 0, 90, 180 or 270, clockwise, after `is_flipped` (left to right).
    `area_px` is [left, top, right, bottom], from the outer corner of the first pixel.
    """

    window: tuple[float, float] | None = None
    window_function: str = "LINEAR"
    is_inverted: bool = False
    rotation_deg: int = 0
    is_flipped: bool = False
    area_px: tuple[float, float, float, float] | None = None


def write_presentation(
    marks: Sequence[Drawn],
    layers: Sequence[Layer],
    evidence: Sequence[Dataset],
    writing: Writing,
    look: Look,
) -> Dataset:
    """Return a grayscale or colour softcopy presentation state over images of one series."""
    known = {layer.name: layer for layer in layers}
    layered = _layers(marks, known)
    shared: dict[str, Any] = {
        "referenced_images": list(evidence),
        "series_instance_uid": writing.series_instance_uid,
        "series_number": writing.series_number,
        "sop_instance_uid": writing.sop_instance_uid,
        "instance_number": writing.instance_number,
        "manufacturer": MANUFACTURER,
        "manufacturer_model_name": MANUFACTURER,
        "software_versions": writing.software_version,
        "device_serial_number": "0",
        "content_label": "MARKS",
        "content_description": "Marks of a reader",
        "graphic_annotations": _annotations(marks, known, layered, evidence) or None,
        "graphic_layers": list(layered.values()) or None,
        "content_creator_name": writing.author_name,
        "series_description": "Presentation states",
    }
    state: Dataset
    if is_colour(evidence[0]):
        state = pr.ColorSoftcopyPresentationState(icc_profile=srgb_profile(), **shared)
    else:
        state = pr.GrayscaleSoftcopyPresentationState(**shared, **_tables(look, evidence[0]))
    _place(state, evidence[0], look)
    _keep_shutter(state, evidence[0])
    # Type 2C in the series of a state, whatever its images are of.
    state.Laterality = ""
    return state


def is_colour(image: Dataset) -> bool:
    """Whether an image has colours of its own, which no grayscale state applies to."""
    return int(image.get("SamplesPerPixel", 1)) > 1 or (
        image.get("PhotometricInterpretation") == "PALETTE COLOR"
    )


# --- marks --------------------------------------------------------------------------------
# By name and colour: a layer has one colour in DICOM.
_Layered = dict[tuple[str, str], pr.GraphicLayer]


def _layer_key(mark: Drawn, known: dict[str, Layer]) -> tuple[str, str]:
    layer = known.get(mark.layer)
    return mark.layer, mark.colour or (layer.colour if layer else "")


def _layers(marks: Sequence[Drawn], known: dict[str, Layer]) -> _Layered:
    positions = {
        _layer_key(mark, known): known[mark.layer].position if mark.layer in known else 0
        for mark in marks
    }
    ordered = sorted(positions, key=lambda key: (positions[key], key))
    return {
        (name, colour): pr.GraphicLayer(
            layer_name=f"{_LAYER}_{number}",
            order=number,
            description=name or None,
            display_color=_colour(colour),
        )
        for number, (name, colour) in enumerate(ordered, 1)
    }


def _colour(colour: str) -> hd.color.CIELabColor | None:
    return _cielab(colour) if colour else None


def _cielab(colour: str) -> hd.color.CIELabColor:
    return hd.color.CIELabColor.from_rgb(*(int(colour[at : at + 2], 16) for at in (1, 3, 5)))


def _annotations(
    marks: Sequence[Drawn], known: dict[str, Layer], layered: _Layered, evidence: Sequence[Dataset]
) -> list[pr.GraphicAnnotation]:
    """Return an annotation for each frame and layer that has marks."""
    images = {str(image.SOPInstanceUID): image for image in evidence}
    groups: dict[tuple[ImageRef, tuple[str, str]], list[Drawn]] = {}
    for mark in marks:
        groups.setdefault((mark.image, _layer_key(mark, known)), []).append(mark)
    return [
        pr.GraphicAnnotation(
            referenced_images=[images[image.sop_instance_uid]],
            referenced_frame_number=image.frame_numbers,
            graphic_layer=layered[key],
            graphic_objects=[one for mark in group for one in _graphics(mark, key[1])] or None,
            text_objects=[_text(mark) for mark in group if _words(mark)] or None,
        )
        for (image, key), group in groups.items()
    ]


def _graphics(mark: Drawn, colour: str) -> list[pr.GraphicObject]:
    return [_styled(mark, colour, kind, points) for kind, points in graphics_of(mark)]


def _styled(mark: Drawn, colour: str, kind: str, points: np.ndarray) -> pr.GraphicObject:
    opacity = mark.style.fill_of(mark.kind)
    graphic = pr.GraphicObject(
        graphic_type=kind,
        graphic_data=points,
        units="PIXEL",
        is_filled=opacity > 0,
        tracking_id=(mark.label or mark.kind)[:64],
        tracking_uid=mark.uid,
    )
    encoded = list(_cielab(colour or _DEFAULT_COLOUR).value)
    if mark.style.has_line:
        graphic.LineStyleSequence = [_line_style(mark.style, encoded)]
    if opacity > 0:
        graphic.FillStyleSequence = [_fill_style(opacity, encoded)]
    return graphic


def _line_style(style: MarkStyle, colour: list[int]) -> Dataset:
    """Return a line's style (table C.10-5b); widths are in pixels of the image, as the points."""
    item = Dataset()
    item.PatternOnColorCIELabValue = colour
    item.PatternOnOpacity = 1.0
    item.LineThickness = WIDTH_PX if style.width_px is None else float(style.width_px)
    pattern = pattern_of(style.line)
    item.LineDashingStyle = "SOLID" if pattern is None else "DASHED"
    if pattern is not None:
        item.PatternOffOpacity = 0.0
        item.LinePattern = pattern
    item.ShadowStyle = "OFF"
    item.ShadowOffsetX = item.ShadowOffsetY = item.ShadowOpacity = 0.0
    item.ShadowColorCIELabValue = [0, 0x8080, 0x8080]
    return item


def _fill_style(opacity: float, colour: list[int]) -> Dataset:
    """Return an area's style (table C.10-5c)."""
    item = Dataset()
    item.PatternOnColorCIELabValue = colour
    item.PatternOnOpacity, item.PatternOffOpacity = opacity, 0.0
    item.FillMode = "SOLID"
    return item


def _words(mark: Drawn) -> str:
    """Return what stands beside a mark: its words, and the value of a measurement."""
    value = "" if mark.value is None else f"{mark.value:.4g} {mark.unit}".strip()
    return "\r\n".join(part for part in (mark.label, mark.text, value) if part)[:_TEXT_LIMIT]


def _text(mark: Drawn) -> pr.TextObject:
    words = _words(mark).replace("\n", "\r\n").replace("\r\r\n", "\r\n")
    points = np.asarray(mark.points_px, np.float64) + CORNER_PX
    anchor = (float(points[0][0]), float(points[0][1]))
    box = None
    if mark.kind in ("text", "spine_label") and len(points) == 2:
        left, top = (float(value) for value in points[1])
        lines = words.split("\r\n")
        right = left + _CHARACTER_PX * max(map(len, lines))
        box = (left, top, right, top + _LINE_PX * len(lines))
    return pr.TextObject(
        text_value=words,
        units="PIXEL",
        anchor_point=anchor,
        bounding_box=box,
        text_justification="LEFT",
        anchor_point_visible=box is not None,
        tracking_id=(mark.label or mark.kind)[:64],
        tracking_uid=mark.uid,
    )


# --- look ---------------------------------------------------------------------------------
def _tables(look: Look, image: Dataset) -> dict[str, Any]:
    # A state says how grey comes out, whatever the image says (C.11.6).
    is_white_first = image.PhotometricInterpretation == "MONOCHROME1"
    shape = "INVERSE" if look.is_inverted != is_white_first else "IDENTITY"
    slope, intercept = _rescale(image)
    centre, width = look.window or _window(image)
    # All of it is told: what is left out highdicom looks for where only enhanced images have it.
    return {
        "presentation_lut_transformation": hd.PresentationLUTTransformation(
            presentation_lut_shape=shape
        ),
        "modality_lut_transformation": hd.ModalityLUTTransformation(
            rescale_slope=slope,
            rescale_intercept=intercept,
            rescale_type=str(image.get("RescaleType", "")) or "US",
        ),
        "voi_lut_transformations": [
            pr.SoftcopyVOILUTTransformation(
                window_center=centre, window_width=width, voi_lut_function=look.window_function
            )
        ],
    }


def _rescale(image: Dataset) -> tuple[float, float]:
    slope, intercept = image.get("RescaleSlope"), image.get("RescaleIntercept")
    if slope is None or intercept is None or float(slope) == 0:
        return 1.0, 0.0
    return float(slope), float(intercept)


def _window(image: Dataset) -> tuple[float, float]:
    """Return the window of the file, or the one that shows all that it could hold."""
    centres = np.atleast_1d(np.array(image.get("WindowCenter") or [], np.float64))
    widths = np.atleast_1d(np.array(image.get("WindowWidth") or [], np.float64))
    if centres.size and widths.size and widths[0] >= 1:
        return float(centres[0]), float(widths[0])
    slope, intercept = _rescale(image)
    bits = int(image.get("BitsStored") or 8)
    low = -(1 << (bits - 1)) if image.get("PixelRepresentation") == 1 else 0
    ends = sorted((low * slope + intercept, (low + (1 << bits) - 1) * slope + intercept))
    return (ends[0] + ends[1]) / 2, max(ends[1] - ends[0], 1.0)


def _place(state: Dataset, image: Dataset, look: Look) -> None:
    """Write rotation, flip (C.10.6) and displayed area (C.10.4) as the viewer has them."""
    area = Dataset()
    left, top, right, bottom = look.area_px or (0.0, 0.0, float(image.Columns), float(image.Rows))
    # The corners as displayed, named by the pixels of the image as stored, which count from 1.
    first, last = (
        (int(np.floor(left)) + 1, int(np.floor(top)) + 1),
        (
            int(np.ceil(right)),
            int(np.ceil(bottom)),
        ),
    )
    columns, rows = (first[0], last[0]), (first[1], last[1])
    corner = _CORNERS[look.rotation_deg]
    start = [columns[corner[0]], rows[corner[1]]]
    end = [columns[1 - corner[0]], rows[1 - corner[1]]]
    if look.is_flipped:
        across = 0 if look.rotation_deg in (0, 180) else 1
        start[across], end[across] = end[across], start[across]
    area.DisplayedAreaTopLeftHandCorner = start
    area.DisplayedAreaBottomRightHandCorner = end
    area.PresentationSizeMode = "SCALE TO FIT"
    spacing = image.get("PixelSpacing") or image.get("ImagerPixelSpacing")
    if spacing:
        area.PresentationPixelSpacing = [float(value) for value in spacing]
    else:
        ratio = image.get("PixelAspectRatio") or [1, 1]
        area.PresentationPixelAspectRatio = [int(value) for value in ratio]
    state.DisplayedAreaSelectionSequence = [area]
    state.ImageRotation = look.rotation_deg
    state.ImageHorizontalFlip = "Y" if look.is_flipped else "N"


# Rotation -> which corner of the stored image (0 left or top, 1 right or bottom) is displayed
# at the top left: turned clockwise by 90, what was at the bottom left.
_CORNERS = {0: (0, 0), 90: (0, 1), 180: (1, 1), 270: (1, 0)}

_SHUTTER = (
    "ShutterShape", "ShutterLeftVerticalEdge", "ShutterRightVerticalEdge",
    "ShutterUpperHorizontalEdge", "ShutterLowerHorizontalEdge", "CenterOfCircularShutter",
    "RadiusOfCircularShutter", "VerticesOfThePolygonalShutter",
)  # fmt: skip


def _keep_shutter(state: Dataset, image: Dataset) -> None:
    """Keep the images' own display shutter: a state without one shows what they hide."""
    if "ShutterShape" not in image:
        return
    for keyword in _SHUTTER:
        if keyword in image:
            setattr(state, keyword, image[keyword].value)
    state.ShutterPresentationValue = int(image.get("ShutterPresentationValue", 0) or 0)
