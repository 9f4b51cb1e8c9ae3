"""Display shutters: what of a picture stays visible (PS3.3 C.7.6.11, C.7.6.15).

A collimator is no shutter. Rows and columns count from 1 and edges belong to what is visible;
of several shapes the least stays visible.
"""

from typing import Any

import numpy as np

from imaging.cielab import srgb_from_cielab
from imaging.elements import ElementView

SHAPES = frozenset({"RECTANGULAR", "CIRCULAR", "POLYGONAL", "BITMAP"})
MAX_VERTICES = 1024
# Coordinates beyond any image; IS could say more.
MAX_COORDINATE = 1 << 20
WHITE_P_VALUE = 0xFFFF
_OVERLAY_GROUPS = range(0x6000, 0x6100, 2)

Facts = dict[str, Any]


def shutter_facts(view: ElementView) -> Facts | None:
    """Return the shutter of an image or of one frame, None when there is none.

    The dict holds `rectangle` [upper, lower, left, right], `circle` [row, column, radius],
    `polygon` [row, column, …], `bitmap_group` (the overlay, `6000`, whose bits hide) for the
    shapes that are there, and `presentation_value`, a P-value from 0 (black) to 65535, or
    `presentation_color` besides, [red, green, blue], for screens that show colours. A shutter
    that is not whole is left out and flagged `bad_shutter`.
    """
    shapes = [shape for shape in view.texts("ShutterShape")[:4] if shape]
    if not shapes:
        return None
    facts: Facts = {}
    if "RECTANGULAR" in shapes:
        facts["rectangle"] = [
            value
            for keyword in (
                "ShutterUpperHorizontalEdge", "ShutterLowerHorizontalEdge",
                "ShutterLeftVerticalEdge", "ShutterRightVerticalEdge",
            )
            for value in view.ints(keyword)[:1]
        ]  # fmt: skip
    if "CIRCULAR" in shapes:
        facts["circle"] = view.ints("CenterOfCircularShutter") + view.ints(
            "RadiusOfCircularShutter"
        )
    if "POLYGONAL" in shapes:
        facts["polygon"] = view.ints("VerticesOfThePolygonalShutter")
    if not SHAPES.issuperset(shapes) or not _is_whole(facts):
        view.flags.add("bad_shutter")
        return None
    if "BITMAP" in shapes:
        group = view.integer("ShutterOverlayGroup") or 0
        if group not in _OVERLAY_GROUPS:
            view.flags.add("bad_shutter")
            return None
        facts["bitmap_group"] = f"{group:04x}"
    value = view.integer("ShutterPresentationValue")
    facts["presentation_value"] = min(max(value or 0, 0), WHITE_P_VALUE)
    lab = view.ints("ShutterPresentationColorCIELabValue")
    if len(lab) == 3 and all(0 <= part <= 0xFFFF for part in lab):
        facts["presentation_color"] = list(srgb_from_cielab(lab))
    return facts


def _is_whole(facts: Facts) -> bool:
    numbers = [number for values in facts.values() for number in values]
    if any(abs(number) > MAX_COORDINATE for number in numbers):
        return False
    rectangle, circle = facts.get("rectangle"), facts.get("circle")
    if rectangle is not None and (
        len(rectangle) != 4 or rectangle[0] > rectangle[1] or rectangle[2] > rectangle[3]
    ):
        return False
    if circle is not None and (len(circle) != 3 or circle[2] <= 0):
        return False
    polygon = facts.get("polygon")
    return polygon is None or (len(polygon) % 2 == 0 and 6 <= len(polygon) <= 2 * MAX_VERTICES)


def visible_mask(
    shutter: Facts, rows: int, columns: int, *, row_to_column: float = 1.0
) -> np.ndarray:
    """Return which pixels stay visible: bool, shape (rows, columns).

    `row_to_column` is the height of a pixel divided by its width: a circle's radius counts
    pixels along a row. A pixel is visible when its centre lies inside or on the edge.
    """
    row = np.arange(1, rows + 1)[:, None]
    column = np.arange(1, columns + 1)[None, :]
    visible = np.ones((rows, columns), bool)
    if "rectangle" in shutter:
        upper, lower, left, right = shutter["rectangle"]
        visible &= (row >= upper) & (row <= lower) & (column >= left) & (column <= right)
    if "circle" in shutter:
        at_row, at_column, radius = shutter["circle"]
        away = ((row - at_row) * row_to_column) ** 2 + (column - at_column) ** 2.0
        visible &= away <= radius**2
    if "polygon" in shutter:
        visible &= _polygon_mask(shutter["polygon"], rows, columns)
    return visible


def _polygon_mask(polygon: list[int], rows: int, columns: int) -> np.ndarray:
    """Fill a polygon with its edges: each row between its crossings, counted both ways."""
    mask = np.zeros((rows, columns), bool)
    points = np.array(polygon, np.float64).reshape(-1, 2)
    ends = np.roll(points, -1, axis=0)
    (y0, x0), (y1, x1) = points.T, ends.T
    level = y0 == y1
    first = max(1, int(points[:, 0].min()))
    last = min(rows, int(points[:, 0].max()))
    slope = (x1 - x0) / np.where(level, 1.0, y1 - y0)
    low, high = np.minimum(y0, y1), np.maximum(y0, y1)
    for y in range(first, last + 1):
        crossing = x0 + (y - y0) * slope
        for crossed in ((low <= y) & (y < high), (low < y) & (y <= high)):
            xs = np.sort(crossing[crossed & ~level])
            for left, right in zip(xs[::2], xs[1::2], strict=True):
                _fill(mask[y - 1], left, right)
        for edge in np.flatnonzero(level & (y0 == y)):
            _fill(mask[y - 1], min(x0[edge], x1[edge]), max(x0[edge], x1[edge]))
    return mask


def _fill(line: np.ndarray, left: float, right: float) -> None:
    """Mark the columns, counted from 1, that lie between two places, those included."""
    start, stop = int(np.ceil(left - 1e-9)), int(np.floor(right + 1e-9))
    line[max(start, 1) - 1 : max(stop, 0)] = True


def apply_shutter(
    picture: np.ndarray,
    shutter: Facts,
    *,
    row_to_column: float = 1.0,
    bitmap: np.ndarray | None = None,
) -> np.ndarray:
    """Return the uint8 picture, grey or RGB, with everything outside the shutter neutralised.

    `bitmap` tells which pixels an overlay hides (bool, shape (rows, columns)). A shutter with
    a colour of its own makes a grey picture RGB.
    """
    rows, columns = picture.shape[:2]
    visible = visible_mask(shutter, rows, columns, row_to_column=row_to_column)
    if bitmap is not None:
        visible &= ~bitmap
    if visible.all():
        return picture
    level = int(shutter["presentation_value"] / WHITE_P_VALUE * 255 + 0.5)
    colour = shutter.get("presentation_color")
    if colour is None:
        shown = picture.copy()
        shown[~visible] = level
        return shown
    shown = np.repeat(picture[:, :, None], 3, axis=2) if picture.ndim == 2 else picture.copy()
    shown[~visible] = np.array(colour, np.uint8)
    return shown
