"""Drawing over a rendered picture: marks, letters of orientation, a scale, words in the corners."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw

from imaging.drawn import CIRCLE, CORNER_PX, ELLIPSE, POINT, Drawn, graphics_of
from imaging.lettering import AMBER, BLACK, WHITE, Colour, draw_text, text_size
from imaging.mark_style import dashes_of

# A picture that carries words is made at least so large, by whole factors.
LEAST_LONGEST_PX = 512
# What is so high on the page is `size_px` on a picture; styles are given in pixels of the page.
_PAGE_TEXT_PX = 12
_MOST_DASHES = 10_000
_READABLE_PX, _LEAST_TEXT_PX = 10, 6
_HEX = re.compile(r"#[0-9a-fA-F]{6}")
_BAR_LENGTHS_MM = (200, 100, 50, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1)


@dataclass(frozen=True, slots=True)
class Labelled:
    """A mark and the lines that stand beside it."""

    mark: Drawn
    lines: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dressing:
    """What is drawn over a picture.

    `pixel_steps` are [across, down] in pixels of the picture for a pixel of the stored image.
    `row_mm` is the height of a stored pixel in mm, None where it is unknown. `corners` are lines
    for `top_left`, `top_right`, `bottom_left` and `bottom_right`. A small picture is enlarged so
    that words can be read on it; one that `keeps_size` gets smaller letters instead.
    """

    pixel_steps: tuple[float, float] = (1.0, 1.0)
    marks: Sequence[Labelled] = ()
    letters: dict[str, str] = field(default_factory=dict)
    row_mm: float | None = None
    corners: Mapping[str, Sequence[str]] = field(default_factory=dict)
    keeps_size: bool = False

    @property
    def is_bare(self) -> bool:
        """Whether nothing is drawn."""
        return not (self.marks or self.letters or self.row_mm or any(self.corners.values()))


def dress(picture: np.ndarray, dressing: Dressing) -> Image.Image:
    """Return the picture (uint8, grey or RGB) with everything drawn over it."""
    image = Image.fromarray(picture)
    if dressing.is_bare:
        return image
    factor = max(1, math.ceil(LEAST_LONGEST_PX / max(image.size)))
    if dressing.keeps_size:
        factor = 1
    image = image.convert("RGB")
    if factor > 1:
        image = image.resize(
            (image.width * factor, image.height * factor), Image.Resampling.NEAREST
        )
    steps = (dressing.pixel_steps[0] * factor, dressing.pixel_steps[1] * factor)
    pen = ImageDraw.Draw(image)
    size_px = max(12, min(40, round(max(image.size) / 48)))
    corners = dressing.corners
    if dressing.keeps_size:
        size_px, corners = _fitted(image.width, corners, size_px)
    for labelled in dressing.marks:
        _draw_mark(image, labelled, steps, size_px)
    _draw_letters(pen, image.size, dressing.letters, size_px)
    if dressing.row_mm:
        _draw_scale(pen, image.size, dressing.row_mm / steps[1], size_px)
    _draw_corners(pen, image.size, corners, size_px)
    return image


# --- marks --------------------------------------------------------------------------
def _colour_of(mark: Drawn) -> Colour:
    if not _HEX.fullmatch(mark.colour):
        return AMBER
    red, green, blue = bytes.fromhex(mark.colour[1:])
    return red, green, blue


def _draw_mark(
    image: Image.Image, labelled: Labelled, steps: tuple[float, float], size_px: int
) -> None:
    pen = ImageDraw.Draw(image)
    mark, colour = labelled.mark, _colour_of(labelled.mark)
    scale = np.array(steps)
    style = mark.style
    width = max(2, size_px // 7)
    if style.width_px is not None:
        width = max(1, round(style.width_px * size_px / _PAGE_TEXT_PX))
    outlines = [
        outline_of(kind, points) * scale for kind, points in graphics_of(mark) if kind != POINT
    ]
    for outline in outlines:
        fill(image, outline, colour, style.fill_of(mark.kind))
    for column, row in (points[0] * scale for kind, points in graphics_of(mark) if kind == POINT):
        arm = size_px / 2
        outlines.append(np.array([(column - arm, row), (column + arm, row)]))
        outlines.append(np.array([(column, row - arm), (column, row + arm)]))
    for outline in outlines:
        stroke(pen, outline, colour, width, dashes_of(style.line, width))
    if mark.kind == "arrow" and len(mark.points_px) > 1:
        _draw_head(
            pen, (np.asarray(mark.points_px, float)[:2] + CORNER_PX) * scale, colour, size_px
        )
    anchor = (np.asarray(mark.points_px, float) + CORNER_PX) * scale
    column, row = float(anchor[:, 0].max()), float(anchor[np.argmax(anchor[:, 0]), 1])
    lines = [line for text in labelled.lines for line in text.splitlines() if line.strip()]
    text_px = size_px
    if style.font_px is not None:
        text_px = max(6, round(style.font_px * size_px / _PAGE_TEXT_PX))
    draw_lines(pen, (column + size_px / 2, row), lines, text_px, colour)


def fill(image: Image.Image, outline: np.ndarray, colour: Colour, opacity: float) -> None:
    """Paint the area within an outline, so that the picture shows through."""
    if opacity <= 0:
        return
    area = Image.new("L", image.size)
    ImageDraw.Draw(area).polygon(_pairs(outline), fill=round(255 * opacity))
    image.paste(colour, mask=area)


def stroke(
    pen: ImageDraw.ImageDraw, points: np.ndarray, colour: Colour, width: int,
    dashes: tuple[float, float] | None = None,
) -> None:  # fmt: skip
    """Draw a line with a dark edge, readable on white; dashes have round ends, as on the page."""
    pen.line(_pairs(points), BLACK, width + 2, joint="curve")
    if dashes is None:
        pen.line(_pairs(points), colour, width, joint="curve")
        return
    reach = width / 2
    for dash in dashed(points, *dashes):
        if dashes[0] > 0:
            pen.line(_pairs(dash), colour, width, joint="curve")
        for column, row in (dash[0], dash[-1]):
            pen.ellipse((column - reach, row - reach, column + reach - 1, row + reach - 1), colour)


def _pairs(points: np.ndarray) -> list[tuple[float, float]]:
    return [(float(column), float(row)) for column, row in points]


def dashed(points: np.ndarray, dash: float, gap: float) -> list[np.ndarray]:
    """Return the pieces of a line of which each begins `dash` + `gap` after the one before."""
    steps = np.hypot(*np.diff(points, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    pieces = []
    for start in np.arange(0.0, along[-1], dash + gap)[:_MOST_DASHES]:
        end = min(start + dash, along[-1])
        between = along[(along > start) & (along < end)]
        at = np.array([start, *between, end])
        pieces.append(np.stack([np.interp(at, along, points[:, axis]) for axis in (0, 1)], axis=1))
    return pieces


def outline_of(kind: str, points: np.ndarray) -> np.ndarray:
    """Return the points of a closed curve; those of a polyline as they are."""
    curve: np.ndarray = points
    turns = np.linspace(0, 2 * np.pi, 73)[:, None]
    if kind == CIRCLE:
        radius = float(np.hypot(*(points[1] - points[0])))
        curve = points[0] + radius * np.hstack([np.cos(turns), np.sin(turns)])
    if kind == ELLIPSE:
        middle = points[:2].mean(axis=0)
        curve = middle + np.cos(turns) * (points[1] - middle) + np.sin(turns) * (points[3] - middle)
    return curve


def _draw_head(pen: ImageDraw.ImageDraw, ends: np.ndarray, colour: Colour, size_px: int) -> None:
    """Draw the head of an arrow at its first point, where it points."""
    tip, tail = ends
    length = float(np.hypot(*(tail - tip)))
    if length == 0:
        return
    along = (tail - tip) / length * size_px
    across = np.array([-along[1], along[0]]) * 0.4
    pen.polygon([tuple(tip), tuple(tip + along + across), tuple(tip + along - across)], fill=colour)


def draw_lines(
    pen: ImageDraw.ImageDraw, at: tuple[float, float], lines: Sequence[str], size_px: int,
    colour: Colour,
) -> None:  # fmt: skip
    """Draw lines below each other beside a place, moved until they are within the picture."""
    if not lines:
        return
    box_width, box_height = pen.im.size
    width = max(text_size(line, size_px)[0] for line in lines)
    step = round(size_px * 1.25)
    left = max(2.0, min(at[0], box_width - width - 4))
    top = max(2.0, min(at[1], box_height - step * len(lines) - 2))
    for number, line in enumerate(lines):
        draw_text(pen, (left, top + number * step), line, size_px=size_px, colour=colour)


def _fitted(
    width: int, corners: Mapping[str, Sequence[str]], size_px: int
) -> tuple[int, Mapping[str, Sequence[str]]]:
    """Return a size of letters and corners with which no words lie over others.

    Where two corners do not fit beside each other with readable letters, the lines of the right
    one go below those of the left one.
    """
    smaller = size_px
    while smaller > _READABLE_PX and not _fits(width, corners, smaller):
        smaller -= 1
    if _fits(width, corners, smaller):
        size_px = smaller
    else:
        above = ("top_left", "top_right"), ("bottom_left", "bottom_right")
        corners = {
            left: [line for name in (left, right) for line in corners.get(name, ()) if line.strip()]
            for left, right in above
        }
    while size_px > _LEAST_TEXT_PX and not _fits(width, corners, size_px):
        size_px -= 1
    return size_px, corners


def _fits(width: int, corners: Mapping[str, Sequence[str]], size_px: int) -> bool:
    for edge in ("top", "bottom"):
        sides = [
            [text_size(line, size_px)[0] for line in corners.get(f"{edge}_{side}", ()) if line]
            for side in ("left", "right")
        ]
        widest = [max(side, default=0) for side in sides]
        between = size_px if all(widest) else 0
        if sum(widest) + between > width - 9:
            return False
    return True


# --- around the picture -------------------------------------------------------------
def _draw_letters(
    pen: ImageDraw.ImageDraw, size: tuple[int, int], letters: dict[str, str], size_px: int
) -> None:
    width, height = size
    places = {
        "left": ((4, height / 2), "lm"), "right": ((width - 5, height / 2), "rm"),
        "top": ((width / 2, 4), "ma"), "bottom": ((width / 2, height - 5), "md"),
    }  # fmt: skip
    for side, (at, anchor) in places.items():
        if letters.get(side):
            draw_text(pen, at, letters[side], size_px=size_px, colour=AMBER, anchor=anchor)


def _draw_scale(
    pen: ImageDraw.ImageDraw, size: tuple[int, int], mm_a_pixel: float, size_px: int
) -> None:
    """Draw an upright bar of a round length at the right edge."""
    width, height = size
    room_mm = height * 0.4 * mm_a_pixel
    length_mm = next((length for length in _BAR_LENGTHS_MM if length <= room_mm), None)
    if length_mm is None:
        return
    length = length_mm / mm_a_pixel
    right, top = width - 2.2 * size_px, (height - length) / 2
    thickness = max(1, size_px // 10)
    for part in range(11):
        tick = size_px * (0.6 if part % 5 == 0 else 0.3)
        row = top + length * part / 10
        stroke(pen, np.array([(right - tick, row), (right, row)]), WHITE, thickness)
    stroke(pen, np.array([(right, top), (right, top + length)]), WHITE, thickness)
    words = f"{length_mm / 10:g} cm" if length_mm >= 10 else f"{length_mm:g} mm"
    draw_text(pen, (right + size_px, top + length + 4), words, size_px=round(size_px * 0.8),
              anchor="ra")  # fmt: skip


def _draw_corners(
    pen: ImageDraw.ImageDraw, size: tuple[int, int], corners: Mapping[str, Sequence[str]],
    size_px: int,
) -> None:  # fmt: skip
    width, height = size
    step = round(size_px * 1.25)
    for name, lines in corners.items():
        shown = [line for line in lines if line.strip()]
        is_right, is_bottom = name.endswith("right"), name.startswith("bottom")
        top = height - step * len(shown) - 4 if is_bottom else 4
        for number, line in enumerate(shown):
            at = (width - 5 if is_right else 4, top + number * step)
            draw_text(pen, at, line, size_px=size_px, anchor="ra" if is_right else "la")
