"""Words written into a picture that is not the original."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_EDGE_PX = 3


def draw_mark(
    picture: np.ndarray, lines: Sequence[str], bar: np.ndarray | None = None
) -> np.ndarray:
    """Return uint8 RGB with the lines in the lower left corner, amber on black.

    Readable on black and on white. A picture that is smaller than the words is
    framed with black, right and below, until they fit: they are never cut.
    `bar` are 256 colours, (256, 3), drawn at the right edge from bottom to top.
    """
    rgb = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
    font = ImageFont.load_default(max(10, min(28, round(rgb.shape[1] / 40))))
    words = "\n".join(lines)
    ruler = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    left, top, right, bottom = (
        round(side) for side in ruler.multiline_textbbox((0, 0), words, font)
    )
    width, height = right - left + 2 * _EDGE_PX, bottom - top + 2 * _EDGE_PX
    rows, columns = rgb.shape[:2]
    added = ((0, max(0, height - rows)), (0, max(0, width - columns)), (0, 0))
    rgb = np.pad(rgb, added)
    if bar is not None:
        rgb = _draw_bar(rgb, bar)
    image = Image.fromarray(np.ascontiguousarray(rgb))
    pen = ImageDraw.Draw(image)
    at = rgb.shape[0] - height
    pen.rectangle((0, at, width - 1, rgb.shape[0] - 1), fill=(0, 0, 0))
    pen.multiline_text(
        (_EDGE_PX - left, at + _EDGE_PX - top), words, font=font, fill=(255, 200, 90)
    )
    return np.asarray(image)


def _draw_bar(rgb: np.ndarray, bar: np.ndarray) -> np.ndarray:
    """Draw a colour bar over the middle half of the right edge."""
    drawn = rgb.copy()
    rows, columns = rgb.shape[:2]
    length, width = rows // 2, max(4, columns // 50)
    if length < 2:
        return drawn
    levels = np.linspace(255, 0, length).round().astype(int)
    start = (rows - length) // 2
    drawn[start : start + length, max(0, columns - width) :] = bar[levels][:, None, :]
    return drawn
