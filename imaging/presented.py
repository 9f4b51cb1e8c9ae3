"""A picture as a presentation state shows it: turned, cut to its area, marked (PS3.4 N.2).

Places are counted from the corner of the first pixel, in pixels of the stored image, until a
`Turn` leads from there into the turned picture.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from imaging.drawn import CORNER_PX, POINT
from imaging.errors import UnsupportedError
from imaging.lettering import AMBER, Colour
from imaging.mark_style import dashes_of
from imaging.picture_marks import draw_lines, fill, outline_of, stroke
from imaging.presentation import Annotation, Area, Graphic, Grey, State, Words
from imaging.sr_tree import Reference

# An area may reach beyond the image, but not by much more than the image is large.
_MOST_AREAS = 4
_STEPS = 16
_HEX = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True, slots=True)
class OwnState:
    """What a state says of one image."""

    grey: Grey | None
    area: Area | None
    annotations: tuple[Annotation, ...]
    layers: dict[str, str]
    rotation_deg: int
    is_flipped: bool


def own_state(state: State, sop_instance_uid: str, frame: int) -> OwnState:
    """Return what a state says of a frame, counted from 0, of an image."""

    def is_meant(references: Iterable[Reference]) -> bool:
        named = tuple(references)
        return not named or any(
            one.sop_instance_uid == sop_instance_uid and (not one.frames or frame + 1 in one.frames)
            for one in named
        )

    return OwnState(
        grey=next((one for one in state.greys if is_meant(one.images)), None),
        area=next((one for one in state.areas if is_meant(one.images)), None),
        annotations=tuple(one for one in state.annotations if is_meant(one.images)),
        layers=state.layers,
        rotation_deg=state.rotation_deg,
        is_flipped=state.is_flipped,
    )


@dataclass(frozen=True, slots=True)
class Turn:
    """The way from places in the stored image into a picture that is turned and mirrored.

    `columns` and `rows` are the size of the picture before, `steps` its pixels for each stored
    one, across and down.
    """

    columns: int
    rows: int
    steps: tuple[float, float]
    rotation_deg: int
    is_flipped: bool

    def apply(self, picture: np.ndarray) -> np.ndarray:
        """Return the picture turned clockwise, then mirrored left to right (C.10.6)."""
        turned = np.rot90(picture, -(self.rotation_deg // 90))
        return np.ascontiguousarray(turned[:, ::-1] if self.is_flipped else turned)

    def place(self, points: np.ndarray) -> np.ndarray:
        """Return where points, shape (n, 2), columns first, lie in the turned picture."""
        x, y = (points * self.steps).T
        width, height = self.columns, self.rows
        if self.rotation_deg == 90:
            x, y, width = height - y, x, height
        elif self.rotation_deg == 180:
            x, y = width - x, height - y
        elif self.rotation_deg == 270:
            x, y, width = y, width - x, height
        return np.stack([width - x if self.is_flipped else x, y], axis=1)


def present(picture: np.ndarray, own: OwnState, rows: int, columns: int) -> np.ndarray:
    """Return a picture as a state shows it.

    Parameters
    ----------
    picture
        uint8, grey or RGB, in the patient's proportions: all of the image.
    own
        What the state says of it; its grey is applied already.
    rows, columns
        Size of the stored image.

    Returns
    -------
    np.ndarray
        uint8; RGB when something is drawn on it.

    Raises
    ------
    UnsupportedError
        The displayed area is far larger than the image.
    """
    height, width = picture.shape[:2]
    steps = (width / columns, height / rows)
    turn = Turn(width, height, steps, own.rotation_deg, own.is_flipped)
    turned = turn.apply(picture)
    left, top, right, bottom = area_of(own, turn, rows, columns)
    if (right - left) * (bottom - top) > _MOST_AREAS * turned.shape[0] * turned.shape[1]:
        raise UnsupportedError("The displayed area is far larger than the image.")
    shown = _cut(turned, (left, top, right, bottom))
    if not any(one.graphics or one.words for one in own.annotations):
        return shown
    return _draw(shown, own, turn, (left, top))


def area_of(own: OwnState, turn: Turn, rows: int, columns: int) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom of the displayed area in the turned picture."""
    ends = [(0.0, 0.0), (float(columns), float(rows))]
    if own.area is not None:
        corners = np.array([own.area.top_left, own.area.bottom_right], np.float64)
        # The numbers of pixels, from 1: the area takes in both.
        low, high = corners.min(axis=0) - 1, corners.max(axis=0)
        ends = [(low[0], low[1]), (high[0], high[1])]
    placed = turn.place(np.array(ends))
    (left, top), (right, bottom) = np.rint(placed.min(axis=0)), np.rint(placed.max(axis=0))
    return int(left), int(top), int(max(right, left + 1)), int(max(bottom, top + 1))


def _cut(picture: np.ndarray, area: tuple[int, int, int, int]) -> np.ndarray:
    """Return an area of a picture, black where it reaches beyond."""
    left, top, right, bottom = area
    shown = np.zeros((bottom - top, right - left, *picture.shape[2:]), np.uint8)
    inner = picture[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    row, column = max(-top, 0), max(-left, 0)
    shown[row : row + inner.shape[0], column : column + inner.shape[1]] = inner
    return shown


# --- marks ---------------------------------------------------------------------------------------
def _draw(picture: np.ndarray, own: OwnState, turn: Turn, corner: tuple[int, int]) -> np.ndarray:
    image = Image.fromarray(picture).convert("RGB")
    size_px = max(12, min(40, round(max(image.size) / 48)))

    def place(points: Iterable[tuple[float, float]], units: str) -> np.ndarray:
        found = np.array(list(points), np.float64).reshape(-1, 2)
        placed = turn.place(found + CORNER_PX) - corner
        # The pen counts from the middle of the first pixel.
        return (found * image.size if units == "DISPLAY" else placed) - CORNER_PX

    for annotation in own.annotations:
        for graphic in annotation.graphics:
            colour = _colour_of(graphic.colour or own.layers.get(graphic.layer, ""))
            _draw_graphic(image, graphic, place(graphic.points, graphic.units), colour, size_px)
        for words in annotation.words:
            colour = _colour_of(own.layers.get(words.layer, ""))
            at = _place_of(words)
            if at is not None:
                column, row = place([at[0]], at[1])[0]
                lines = [line for line in words.text.split("\n") if line.strip()]
                pen = ImageDraw.Draw(image)
                draw_lines(pen, (float(column), float(row)), lines, size_px, colour)
    return np.asarray(image)


def _place_of(words: Words) -> tuple[tuple[float, float], str] | None:
    """Return where words begin and in which units: their box before their anchor."""
    if words.box is not None:
        left, top, right, bottom = words.box
        return (min(left, right), min(top, bottom)), words.box_units
    return None if words.anchor is None else (words.anchor, words.anchor_units)


def _draw_graphic(
    image: Image.Image, graphic: Graphic, points: np.ndarray, colour: Colour, size_px: int
) -> None:
    pen, style = ImageDraw.Draw(image), graphic.style
    width = max(1, round(style.width_px)) if style.width_px is not None else max(2, size_px // 7)
    if graphic.kind == POINT:
        for column, row in points:
            arm = size_px / 2
            stroke(pen, np.array([(column - arm, row), (column + arm, row)]), colour, width)
            stroke(pen, np.array([(column, row - arm), (column, row + arm)]), colour, width)
        return
    if len(points) < (4 if graphic.kind == "ELLIPSE" else 2):
        return
    curve = _smooth(points) if graphic.kind == "INTERPOLATED" else points
    outline = outline_of(graphic.kind, curve)
    if graphic.is_filled and len(outline) > 2:
        opacity = style.fill_opacity
        fill(image, outline, colour, 1.0 if opacity is None else opacity)
    stroke(pen, outline, colour, width, dashes_of(style.line, width))


def _smooth(points: np.ndarray) -> np.ndarray:
    """Return points on a curve through all the points given (Catmull-Rom)."""
    if len(points) < 3:
        return points
    is_closed = bool(np.allclose(points[0], points[-1]))
    before = points[-2] if is_closed else 2 * points[0] - points[1]
    after = points[1] if is_closed else 2 * points[-1] - points[-2]
    all_points = np.vstack([before, points, after])
    t = np.linspace(0, 1, _STEPS, endpoint=False)[:, None]
    pieces = []
    for a, b, c, d in zip(all_points, all_points[1:], all_points[2:], all_points[3:], strict=False):
        pieces.append(
            b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
        )
    return np.vstack([*pieces, points[-1:]])


def _colour_of(text: str) -> Colour:
    if not _HEX.fullmatch(text):
        return AMBER
    red, green, blue = bytes.fromhex(text[1:])
    return red, green, blue
