"""How a volume is seen as a body: from where, and which values have which colour and opacity.

The one table of presets, for server and page. CT presets speak of HU and are offered only when
the values are known to be HU; every other grey has presets that are relative to its own range.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from imaging.plane import PlaneGeometry

COMPOSITE, MIP, MINIP, AVERAGE = "composite", "mip", "minip", "average"
MODES = (COMPOSITE, MIP, MINIP, AVERAGE)
HU, SHARE = "HU", "share"
POINTS_LIMIT = 24
# Entries of a table made of a transfer function; the page's has as many.
ENTRIES = 2048
# Opacities of a transfer function are those of so much tissue.
UNIT_MM = 1.0
Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a transfer function: `opacity` (0 to 1) of 1 mm of tissue of this value."""

    value: float
    opacity: float
    colour: Colour

    def to_json(self) -> list[Any]:
        """Return `[value, opacity, "rrggbb"]`."""
        return [self.value, self.opacity, "{:02x}{:02x}{:02x}".format(*self.colour)]


@dataclass(frozen=True, slots=True)
class Shade:
    """Light from the reader: what is seen of a colour anyhow, by its slope, and as a gleam."""

    ambient: float
    diffuse: float
    specular: float


FLAT = Shade(0.0, 0.0, 0.0)
SHADED = Shade(0.25, 0.75, 0.2)


@dataclass(frozen=True, slots=True)
class Rendering:
    """A preset. With unit `share` values are shares of the series' own range, 0 to 1."""

    code: str
    label: str
    unit: str
    mode: str
    points: tuple[Point, ...] = ()
    shade: Shade = SHADED
    # Centre and width, for projections.
    window: tuple[float, float] | None = None


_BONE, _MARROW, _IVORY = (214, 178, 128), (190, 120, 80), (255, 250, 235)
_SKIN, _FLESH, _BLOOD = (230, 180, 150), (180, 75, 60), (205, 40, 30)

CT_RENDERINGS = (
    Rendering(
        "bone", "Bone", HU, COMPOSITE,
        (
            Point(130, 0.0, _MARROW), Point(230, 0.10, _MARROW), Point(400, 0.55, _BONE),
            Point(900, 0.90, _IVORY), Point(3000, 0.95, (255, 255, 255)),
        ),
    ),
    Rendering(
        "angio", "Vessels and bone", HU, COMPOSITE,
        (
            Point(110, 0.0, (120, 20, 15)), Point(170, 0.25, _BLOOD),
            Point(260, 0.60, (225, 70, 45)), Point(420, 0.75, (235, 190, 140)),
            Point(900, 0.90, _IVORY), Point(3000, 0.95, _IVORY),
        ),
    ),
    Rendering(
        "soft_tissue", "Soft tissue", HU, COMPOSITE,
        (
            Point(-150, 0.0, (150, 90, 60)), Point(-20, 0.01, (190, 110, 80)),
            Point(40, 0.15, _FLESH), Point(110, 0.30, (210, 110, 85)),
            Point(230, 0.70, _BONE), Point(600, 0.90, _IVORY), Point(3000, 0.95, _IVORY),
        ),
    ),
    Rendering(
        "skin", "Skin", HU, COMPOSITE,
        (
            Point(-450, 0.0, _SKIN), Point(-250, 0.60, _SKIN), Point(0, 0.90, _SKIN),
            Point(3000, 0.95, (250, 225, 205)),
        ),
    ),
    Rendering(
        "lung", "Lung and airways", HU, COMPOSITE,
        (
            Point(-700, 0.0, (90, 130, 175)), Point(-620, 0.06, (150, 165, 185)),
            Point(-500, 0.10, (225, 150, 130)), Point(-420, 0.08, (230, 130, 110)),
            Point(-360, 0.0, (230, 130, 110)),
        ),
    ),
    Rendering("mip", "MIP", HU, MIP, window=(500, 1300)),
    Rendering("minip", "MinIP", HU, MINIP, window=(-700, 800)),
    Rendering("average", "Average (X-ray)", HU, AVERAGE, window=(-550, 900)),
)  # fmt: skip
RELATIVE_RENDERINGS = (
    Rendering(
        "surface", "Surface", SHARE, COMPOSITE,
        (
            Point(0.12, 0.0, (150, 120, 100)), Point(0.25, 0.35, (215, 175, 150)),
            Point(0.6, 0.70, (240, 215, 195)), Point(1.0, 0.90, (255, 250, 245)),
        ),
    ),
    Rendering(
        "translucent", "Translucent", SHARE, COMPOSITE,
        (
            Point(0.15, 0.0, (60, 70, 100)), Point(0.4, 0.03, (150, 140, 150)),
            Point(0.7, 0.15, (230, 190, 160)), Point(1.0, 0.60, (255, 245, 230)),
        ),
    ),
    Rendering(
        "bright", "Bright structures", SHARE, COMPOSITE,
        (
            Point(0.5, 0.0, (120, 30, 20)), Point(0.7, 0.25, _BLOOD),
            Point(1.0, 0.80, (250, 200, 160)),
        ),
    ),
    Rendering("mip", "MIP", SHARE, MIP, window=(0.5, 1.0)),
    Rendering("minip", "MinIP", SHARE, MINIP, window=(0.25, 0.5)),
    Rendering("average", "Average", SHARE, AVERAGE, window=(0.25, 0.5)),
)  # fmt: skip
EVERY_CODE = tuple(dict.fromkeys(one.code for one in (*CT_RENDERINGS, *RELATIVE_RENDERINGS)))


def renderings_for(*, has_hu: bool, span: tuple[float, float]) -> tuple[Rendering, ...]:
    """Return the presets that a series may have, in modality values.

    `span` is where the series' own range begins and ends (see `own_span`).
    """
    if has_hu:
        return CT_RENDERINGS
    return tuple(_placed(one, span) for one in RELATIVE_RENDERINGS)


def _placed(one: Rendering, span: tuple[float, float]) -> Rendering:
    low, width = span[0], span[1] - span[0]
    points = tuple(Point(low + p.value * width, p.opacity, p.colour) for p in one.points)
    window = None
    if one.window is not None:
        window = (low + one.window[0] * width, max(one.window[1] * width, 1e-6))
    return Rendering(one.code, one.label, one.unit, one.mode, points, one.shade, window)


def own_span(values: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    """Return where a grey without units begins and ends, from its histogram.

    Its lowest value, and that below which 99.5 % lie of what is brighter than the mean: the
    background, often most of a volume, does not count, nor do a few bright voxels.
    """
    total = int(counts.sum())
    if not total:
        return 0.0, 1.0
    low = float(values[np.flatnonzero(counts)[0]])
    mean = float((values * counts).sum() / total)
    bright = np.where(values > mean, counts, 0)
    if not bright.sum():
        return low, low + 1.0
    share = np.cumsum(bright) / bright.sum()
    return low, max(float(values[np.searchsorted(share, 0.995)]), low + 1e-6)


def table_of(points: Sequence[Point], step_mm: float) -> tuple[np.ndarray, float, float]:
    """Return a transfer function as a table: opacity of one step, red, green, blue, 0 to 1.

    The table is float32 of shape (ENTRIES, 4); with it its first value, and entries per value.
    Between points all is linear; outside, the first and the last one hold. The opacity of a
    step of another length is 1 - (1 - opacity) ** (step / 1 mm).
    """
    values = np.array([one.value for one in points], np.float64)
    low, high = float(values[0]), max(float(values[-1]), float(values[0]) + 1e-6)
    places = np.linspace(low, high, ENTRIES)
    table = np.empty((ENTRIES, 4), np.float32)
    opacity = np.interp(places, values, [one.opacity for one in points])
    table[:, 0] = 1.0 - (1.0 - np.clip(opacity, 0.0, 1.0)) ** (step_mm / UNIT_MM)
    for channel in range(3):
        colours = [one.colour[channel] / 255 for one in points]
        table[:, channel + 1] = np.interp(places, values, colours)
    return table, low, (ENTRIES - 1) / (high - low)


# --- where the reader stands ---------------------------------------------------------------
# The reader stands in front of the patient: patient's left is on the picture's right.
FRONT_DIRECTION, FRONT_UP = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])


def look_from_quaternion(quaternion: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Return (direction away from the reader, up) of x, y, z, w that turns the front view.

    The front view looks from anterior to posterior, head up; the quaternion turns the reader
    with their eyes in lps.
    """
    x, y, z, w = np.array(quaternion, np.float64) / np.linalg.norm(quaternion)
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    return turn @ FRONT_DIRECTION, turn @ FRONT_UP


def turntable(
    views: int, axis: Sequence[float] = (0.0, 0.0, 1.0)
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return (direction, up) of views around an axis in lps, the front view first.

    The reader goes round the body against the clock, seen from the axis' end.
    """
    unit = np.array(axis, np.float64) / np.linalg.norm(axis)
    made = []
    for number in range(views):
        half = np.pi * number / views
        made.append(look_from_quaternion([*(unit * np.sin(half)), np.cos(half)]))
    return made


def view_around(
    corners: np.ndarray, *, direction: np.ndarray, up: np.ndarray, size_px: tuple[int, int],
    center: np.ndarray | None = None, width_mm: float | None = None,
) -> PlaneGeometry | None:  # fmt: skip
    """Return the picture through the middle of a body; None when `up` and `direction` are parallel.

    `corners`, lps of shape (8, 3), are the body's. Without `width_mm` the body fits whichever
    way it is turned: the sphere around it fills the picture's smaller side. Pixels are square.
    """
    middle = corners.mean(axis=0) if center is None else center
    columns, rows = size_px
    if width_mm is None:
        radius = float(np.linalg.norm(corners - corners.mean(axis=0), axis=1).max())
        width_mm = 2 * radius * columns / min(columns, rows)
    height_mm = width_mm * rows / columns
    return PlaneGeometry.around(
        middle, normal=direction, up=up, size_mm=(width_mm, height_mm), size_px=size_px
    )
