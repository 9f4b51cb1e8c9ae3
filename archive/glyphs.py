"""Capital letters of five by seven dots, for text that is made of voxels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

GLYPH_ROWS = 7
GLYPH_COLUMNS = 5
_GAP = 1

_GLYPHS = {
    "A": (".###.", "#...#", "#...#", "#####", "#...#", "#...#", "#...#"),
    "F": ("#####", "#....", "#....", "####.", "#....", "#....", "#...."),
    "H": ("#...#", "#...#", "#...#", "#####", "#...#", "#...#", "#...#"),
    "L": ("#....", "#....", "#....", "#....", "#....", "#....", "#####"),
    "M": ("#...#", "##.##", "#.#.#", "#.#.#", "#...#", "#...#", "#...#"),
    "N": ("#...#", "##..#", "#.#.#", "#.#.#", "#..##", "#...#", "#...#"),
    "O": (".###.", "#...#", "#...#", "#...#", "#...#", "#...#", ".###."),
    "P": ("####.", "#...#", "#...#", "####.", "#....", "#....", "#...."),
    "R": ("####.", "#...#", "#...#", "####.", "#.#..", "#..#.", "#...#"),
    "T": ("#####", "..#..", "..#..", "..#..", "..#..", "..#..", "..#.."),
}


def text_dots(text: str) -> npt.NDArray[np.bool_]:
    """Return the dots of a text, bool of shape (7, 6 x letters - 1); KeyError if unknown."""
    dots = np.zeros((GLYPH_ROWS, len(text) * (GLYPH_COLUMNS + _GAP) - _GAP), np.bool_)
    for place, letter in enumerate(text):
        glyph = np.array([[dot == "#" for dot in row] for row in _GLYPHS[letter]])
        start = place * (GLYPH_COLUMNS + _GAP)
        dots[:, start : start + GLYPH_COLUMNS] = glyph
    return dots


def draw_text(
    text: str,
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    *,
    centre_mm: tuple[float, float],
    dot_mm: float,
) -> npt.NDArray[np.bool_]:
    """Return where the text's dots lie: true at x (1, columns) and y (rows, 1) within a dot.

    The text is upright for one who looks with x to the right and y downwards.
    """
    dots = text_dots(text)
    rows, columns = dots.shape
    right = np.floor((x - centre_mm[0]) / dot_mm + columns / 2).astype(np.int64)
    down = np.floor((y - centre_mm[1]) / dot_mm + rows / 2).astype(np.int64)
    inside = (right >= 0) & (right < columns) & (down >= 0) & (down < rows)
    drawn: npt.NDArray[np.bool_] = (
        inside & dots[np.clip(down, 0, rows - 1), np.clip(right, 0, columns - 1)]
    )
    return drawn
