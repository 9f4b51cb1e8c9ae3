"""A region of an image made to fit into a box of pixels (PS3.18 8.3.5.1.3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from imaging.errors import QueryError

# Nothing larger is made; 8K screens have fewer.
SIDE_LIMIT_PX = 8192
PIXELS_LIMIT = 36_000_000
# Written with some decimals, a region may end a hair beyond the image.
_SLACK_PX = 1e-3

Region = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Viewport:
    """What part of an image is wanted, how large, and which way round.

    Attributes
    ----------
    width_px, height_px
        The box. The region becomes as large as fits in it, keeping its proportions. None is no
        bound on that side; with neither the region has its own size.
    left, top
        Where the region begins, in pixels of the stored image, the corner of the first being 0.
    region_width, region_height
        Its size; None is up to the edge.
    is_in_parts
        Whether the region's four numbers are parts of the image, from 0 to 1, and not pixels.
    is_mirrored, is_upside_down
        Whether left and right, top and bottom change places.
    """

    width_px: int | None = None
    height_px: int | None = None
    left: float = 0.0
    top: float = 0.0
    region_width: float | None = None
    region_height: float | None = None
    is_in_parts: bool = False
    is_mirrored: bool = False
    is_upside_down: bool = False

    @property
    def key(self) -> str:
        """Everything that changes a pixel, in letters that an ETag may hold."""
        numbers = (
            self.width_px, self.height_px, self.left, self.top, self.region_width,
            self.region_height,
        )  # fmt: skip
        written = ",".join("" if one is None else f"{one:.10g}" for one in numbers)
        return f"{written},{self.is_in_parts:d}{self.is_mirrored:d}{self.is_upside_down:d}"

    def region_of(self, rows: int, columns: int) -> Region:
        """Return left, top, right and bottom of the region in an image.

        Raises QueryError for one that is empty or does not lie within the image.
        """
        across, down = (columns, rows) if self.is_in_parts else (1, 1)
        left, top = self.left * across, self.top * down
        width = columns - left if self.region_width is None else self.region_width * across
        height = rows - top if self.region_height is None else self.region_height * down
        right, bottom = left + width, top + height
        if width <= 0 or height <= 0 or left < 0 or top < 0:
            raise QueryError("The region of the viewport holds nothing of the image.")
        if right > columns + _SLACK_PX or bottom > rows + _SLACK_PX:
            raise QueryError("The region of the viewport reaches beyond the image.")
        return left, top, min(right, float(columns)), min(bottom, float(rows))

    def size_of(self, region: Region, row_to_column: float) -> tuple[int, int]:
        """Return columns and rows of the picture of a region."""
        width, height = region[2] - region[0], (region[3] - region[1]) * row_to_column
        scale = 1.0
        if self.width_px or self.height_px:
            bounds = ((self.width_px, width), (self.height_px, height))
            scale = min(bound / side for bound, side in bounds if bound)
        columns, rows = max(1, round(width * scale)), max(1, round(height * scale))
        return min(columns, self.width_px or columns), min(rows, self.height_px or rows)


def fit_viewport(
    picture: np.ndarray, viewport: Viewport, *, row_to_column: float = 1.0
) -> np.ndarray:
    """Return the part of a picture that a viewport asks for, in the patient's proportions.

    Parameters
    ----------
    picture
        uint8, (rows, columns) or (rows, columns, 3), a pixel for each of the stored image.
    viewport
        What is wanted.
    row_to_column
        Height of a pixel divided by its width.

    Returns
    -------
    np.ndarray
        uint8. Pixels that keep their size keep their values; what becomes smaller is averaged.

    Raises
    ------
    QueryError
        The region does not lie within the image, or the picture would be too large.
    """
    region = viewport.region_of(*picture.shape[:2])
    size = viewport.size_of(region, row_to_column)
    if max(size) > SIDE_LIMIT_PX or size[0] * size[1] > PIXELS_LIMIT:
        raise QueryError("The picture would be too large.")
    left, top, right, bottom = region
    is_whole_pixels = all(float(edge).is_integer() for edge in region)
    if is_whole_pixels and size[0] == right - left and size[1] == bottom - top:
        shown = picture[int(top) : int(bottom), int(left) : int(right)]
    else:
        is_smaller = size[0] < right - left or size[1] < bottom - top
        how = Image.Resampling.BOX if is_smaller else Image.Resampling.BILINEAR
        image = Image.fromarray(np.ascontiguousarray(picture))
        shown = np.asarray(image.resize(size, how, box=region))
    if viewport.is_mirrored:
        shown = shown[:, ::-1]
    if viewport.is_upside_down:
        shown = shown[::-1]
    return np.ascontiguousarray(shown)
