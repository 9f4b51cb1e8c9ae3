"""The surface of a threshold in a volume, as triangles in the patient.

Made in bricks of layers, a layer being what lies between two slices: a brick's vertices on its
lowest slice are the highest ones of the brick before, bit for bit, so that seams are welded by
their places. No more than one brick and what is left of the others is held, however many
slices there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Lock
from typing import Any

import fast_simplification
import numpy as np

from imaging.errors import UnsupportedError
from imaging.volume import VolumeGeometry
from reconstruction.compiled import load_mesh_kernels
from reconstruction.tissue import Mask
from reconstruction.volume_files import Volume

# A brick has at most so many layers; and so many triangles, unless one layer alone has more.
LAYERS_A_BRICK = 250
TRIANGLES_A_BRICK = 400_000
# What bricks are thinned out to together, before the whole is smoothed and thinned further.
TRIANGLES_AT_ONCE = 600_000
# More than this is noise, not a surface: some minutes of work.
TRIANGLES_LIMIT = 60_000_000
# Taubin 1995: shrink, then swell a little more; the volume stays.
SHRINK, SWELL = 0.5, -0.53
# The library thins out in variables of its own, one mesh at a time.
_simplifying = Lock()

Step = Callable[[float], None]
Numbers = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """Triangles: `points` (vertices, 3), float64, lps in mm; `faces` (triangles, 3), int32.

    Corners run anticlockwise as seen from outside.
    """

    points: np.ndarray
    faces: np.ndarray

    def measure(self) -> Size:
        """Return area and enclosed volume; the volume means something for closed surfaces."""
        return Size(*_measure(self.points, self.faces))


@dataclass(frozen=True, slots=True)
class Size:
    """How large a surface is: mm², mm³."""

    area_mm2: float
    volume_mm3: float


@dataclass(frozen=True, slots=True)
class Wish:
    """Which surface: from `lowest` to `highest`, in the volume's modality units.

    `smoothing` counts Taubin's double steps; `triangles` is how many may be left; `parts` how
    many of the largest separate surfaces, 0 for all.
    """

    lowest: float
    highest: float = float("inf")
    smoothing: int = 0
    triangles: int = 1_000_000
    parts: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """A mesh, and how large the surface was at the volume's full resolution, all parts."""

    mesh: Mesh
    full: Size
    full_triangles: int
    parts: int


def build_surface(
    volume: Volume,
    wish: Wish,
    step: Step = lambda _done: None,
    mask: Mask | None = None,
) -> Surface:
    """Return the surface of a volume; `step` is told 0 to 1 between bricks, and may raise.

    A `mask` that `reconstruction.tissue` made of the same range says which voxels are meant.
    Closed everywhere: at the volume's border and at a gap of slices half a voxel beyond the
    outermost centres. Raises `UnsupportedError` when there is nothing, or far too much.
    """
    scale = volume.scale
    values = tuple((value - scale.offset) / scale.scale for value in (wish.lowest, wish.highest))
    march = _March(volume, (values[0], values[1]), mask)
    bricks = march.plan(lambda done: step(0.2 * done))
    total = sum(brick.triangles for brick in bricks)
    if not total:
        raise UnsupportedError("No voxel has a value in this range.")
    if total > TRIANGLES_LIMIT:
        raise UnsupportedError("The surface would have too many triangles; it is mostly noise.")
    weld, area, sixfold = _Weld(), 0.0, 0.0
    for number, brick in enumerate(bricks):
        mesh = march.make(brick)
        one_area, one_sixfold = load_mesh_kernels().measure(mesh.points, mesh.faces)
        area, sixfold = area + one_area, sixfold + one_sixfold
        share = min(1.0, TRIANGLES_AT_ONCE / total)
        weld.add(simplify(mesh, int(len(mesh.faces) * share)))
        step(0.2 + 0.6 * (number + 1) / len(bricks))
    mesh, parts = keep_largest(weld.mesh(), wish.parts)
    step(0.85)
    smooth(mesh, wish.smoothing)
    step(0.9)
    mesh = simplify(mesh, wish.triangles, is_closed=True)
    return Surface(mesh, Size(area, sixfold / 6), total, parts)


# --- bricks -----------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class _Brick:
    """Layers `first` to `last` (without it) of a run of slices; layer k is above slice k."""

    bounds: tuple[int, int]
    first: int
    last: int
    triangles: int
    vertices: int


class _March:
    """One walk through a volume, from slice to slice."""

    def __init__(
        self, volume: Volume, values: tuple[float, float], mask: Mask | None = None
    ) -> None:
        self._mask = mask
        self._kernels = load_mesh_kernels()
        self._table = self._kernels.make_table()
        self._voxels, self._values = volume.voxels, values
        self._geometry = volume.geometry
        slices, rows, columns = volume.voxels.shape
        shape = (rows + 2, columns + 2)
        self._marks = [np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)]
        self._numbers = [np.zeros((2, *shape), np.int32), np.zeros((2, *shape), np.int32)]
        self._between = np.zeros(shape, np.int32)
        self._slices = slices

    def _runs(self) -> list[tuple[int, int]]:
        """Return the slices between gaps, first and last (without it)."""
        ends = [int(gap) + 1 for gap in np.flatnonzero(self._geometry.holes)]
        return list(zip([0, *ends], [*ends, self._slices], strict=True))

    def _mark(self, k: int, bounds: tuple[int, int], which: int) -> int:
        marks = self._marks[which]
        if self._mask is None or not bounds[0] <= k < bounds[1]:
            found: int = self._kernels.mark(self._voxels, k, bounds, self._values, marks)
            return found
        marks[:] = 0
        marks[1:-1, 1:-1] = self._mask.read(k, k + 1)[0]
        across, down = marks[:, 1:] != marks[:, :-1], marks[1:] != marks[:-1]
        return int(np.count_nonzero(across) + np.count_nonzero(down))

    def plan(self, step: Step) -> list[_Brick]:
        """Return the bricks with what they will hold, counted."""
        bricks = []
        for bounds in self._runs():
            first, triangles, vertices, seam = bounds[0] - 1, 0, 0, 0
            self._mark(first, bounds, 0)
            for layer in range(bounds[0] - 1, bounds[1]):
                on_slice = self._mark(layer + 1, bounds, 1)
                more, crossings = self._kernels.count(*self._marks, self._table[0])
                is_full = triangles + more > TRIANGLES_A_BRICK
                if layer > first and (is_full or layer - first >= LAYERS_A_BRICK):
                    bricks.append(_Brick(bounds, first, layer, triangles, vertices))
                    first, triangles, vertices = layer, 0, seam
                triangles, vertices = triangles + more, vertices + crossings + on_slice
                seam = on_slice
                self._marks.reverse()
                step((layer + 2) / (self._slices + 1))
            bricks.append(_Brick(bounds, first, bounds[1], triangles, vertices))
        return [brick for brick in bricks if brick.triangles]

    def make(self, brick: _Brick) -> Mesh:
        """Return a brick at full resolution."""
        kernels, values, bounds = self._kernels, self._values, brick.bounds
        places = np.empty((brick.vertices, 3), np.float64)
        faces = np.empty((brick.triangles, 3), np.int32)
        self._mark(brick.first, bounds, 0)
        low, high = self._numbers
        points = kernels.cross_slice(
            self._voxels, brick.first, self._marks[0], values, low, 0, places
        )
        done = 0
        for layer in range(brick.first, brick.last):
            self._mark(layer + 1, bounds, 1)
            marks = (self._marks[0], self._marks[1])
            points = kernels.cross_layer(
                self._voxels, layer, bounds, marks, values, self._between, points, places
            )
            points = kernels.cross_slice(
                self._voxels, layer + 1, self._marks[1], values, high, points, places
            )
            numbers = (low, high, self._between)
            done = kernels.build(*self._marks, self._table, numbers, done, faces)
            self._marks.reverse()
            low, high = high, low
        is_mirrored = np.linalg.det(self._geometry.lps_from_ijw[:3, :3]) < 0
        return Mesh(
            lps_from_places(self._geometry, bounds, places[:points]),
            faces if is_mirrored else np.ascontiguousarray(faces[:, ::-1]),
        )


def lps_from_places(
    geometry: VolumeGeometry, bounds: tuple[int, int], places: np.ndarray
) -> np.ndarray:
    """Return where places (i, j, k) lie, mm; the same place gives the same bits in any company.

    `bounds` are the slices without a gap among which they lie.
    """
    i, j, k = places.T
    if not geometry.is_even:
        first, last = bounds
        reach = geometry.spacing_mm[2] / 2
        table = geometry.slice_mm[first:last]
        ks = np.array([first - 0.5, *range(first, last), last - 0.5])
        k = np.interp(k, ks, [table[0] - reach, *table, table[-1] + reach])
    affine = geometry.lps_from_ijw
    points = np.empty(places.shape, np.float64)
    for axis in range(3):
        points[:, axis] = i * affine[axis, 0] + j * affine[axis, 1]
        points[:, axis] += k * affine[axis, 2] + affine[axis, 3]
    return points


class _Weld:
    """Bricks that become one mesh: vertices at the very same place are one."""

    def __init__(self) -> None:
        self._points: list[np.ndarray] = []
        self._faces: list[np.ndarray] = []
        self._count = 0
        self._keys, self._owners = np.zeros(0, "V24"), np.zeros(0, np.int32)

    def add(self, mesh: Mesh) -> None:
        """Add the brick above the last one."""
        numbers = np.arange(self._count, self._count + len(mesh.points), dtype=np.int32)
        keys = _keys_of(mesh.points)
        order = np.argsort(keys)
        if len(self._keys):
            at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
            is_known = self._keys[at] == keys
            numbers[is_known] = self._owners[at[is_known]]
            fresh = ~is_known
            numbers[fresh] = self._count + np.arange(fresh.sum(), dtype=np.int32)
        else:
            fresh = np.ones(len(keys), np.bool_)
        self._points.append(mesh.points[fresh])
        self._faces.append(numbers[mesh.faces])
        self._count += int(fresh.sum())
        # Only the brick before can share vertices.
        self._keys, self._owners = keys[order], numbers[order]

    def mesh(self) -> Mesh:
        """Return all bricks as one."""
        return Mesh(np.concatenate(self._points), np.concatenate(self._faces))


def _keys_of(points: np.ndarray) -> np.ndarray:
    # 0.0 is added, so that -0.0 and 0.0 are one place.
    keys: np.ndarray = np.ascontiguousarray(points + 0.0).view("V24").ravel()
    return keys


# --- the whole mesh -----------------------------------------------------------------------
def keep_largest(mesh: Mesh, count: int) -> tuple[Mesh, int]:
    """Return the `count` separate surfaces of the largest area (0: all), and how many are kept."""
    parts = load_mesh_kernels().find_parts(len(mesh.points), mesh.faces)
    roots, owners = np.unique(parts[mesh.faces[:, 0]], return_inverse=True)
    if not count or count >= len(roots):
        return mesh, len(roots)
    areas = np.bincount(owners, _areas(mesh))
    is_kept = np.zeros(len(roots), np.bool_)
    is_kept[np.argsort(areas)[::-1][:count]] = True
    return _compact(mesh.points, mesh.faces[is_kept[owners]]), count


def _areas(mesh: Mesh) -> np.ndarray:
    a, b, c = (mesh.points[mesh.faces[:, corner]] for corner in range(3))
    areas: np.ndarray = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
    return areas


def _compact(points: np.ndarray, faces: np.ndarray) -> Mesh:
    used = np.zeros(len(points), np.bool_)
    used[faces] = True
    numbers = np.cumsum(used, dtype=np.int32) - 1
    return Mesh(points[used], numbers[faces].astype(np.int32))


def smooth(mesh: Mesh, rounds: int) -> None:
    """Smooth a closed mesh in place by Taubin's steps, which keep its volume."""
    sums = np.empty((len(mesh.points), 4), np.float64)
    for _round in range(rounds):
        for share in (SHRINK, SWELL):
            load_mesh_kernels().relax(mesh.points, mesh.faces, share, sums)


def simplify(mesh: Mesh, triangles: int, *, is_closed: bool = False) -> Mesh:
    """Return a mesh thinned out to about so many triangles; open edges stay as they are."""
    if len(mesh.faces) <= triangles:
        return mesh
    with _simplifying:
        points, faces = fast_simplification.simplify(
            mesh.points, mesh.faces, target_count=triangles, preserve_border=not is_closed
        )
    return Mesh(points, faces.astype(np.int32))


def _measure(points: np.ndarray, faces: np.ndarray) -> tuple[float, float]:
    area, sixfold = load_mesh_kernels().measure(points, faces)
    return area, sixfold / 6


def iter_pieces(count: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of at most `size` that cover `count`."""
    for first in range(0, count, size):
        yield first, min(first + size, count)


def describe(surface: Surface) -> dict[str, Any]:
    """Return what is to be told of a surface."""
    size = surface.mesh.measure()
    return {
        "triangles": len(surface.mesh.faces),
        "vertices": len(surface.mesh.points),
        "parts": surface.parts,
        "area_mm2": size.area_mm2,
        "volume_mm3": size.volume_mm3,
        "volume_ml": size.volume_mm3 / 1000,
        "full_resolution": {
            "triangles": surface.full_triangles,
            "area_mm2": surface.full.area_mm2,
            "volume_ml": surface.full.volume_mm3 / 1000,
        },
    }
