"""Threshold segmentation of a volume, and how large what was found is.

The mask is a file of one bit a voxel, mapped: beyond it only one slab of slices is held, however
many there are. Connected are voxels that share a face.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from imaging.errors import UnsupportedError
from imaging.volume import VolumeGeometry
from reconstruction.volume_files import Volume

SLICES_A_SLAB = 64
VOXELS_A_SLAB = 1 << 24
# More separate pieces than this are noise.
PIECES_LIMIT = 10_000_000
_LEVELS = 1 << 16

Step = Callable[[float], None]


@dataclass(frozen=True, slots=True, eq=False)
class Wish:
    """What is wanted, in modality units: `lowest` to `highest`, both included.

    `seed` (lps, mm) keeps what is connected to the voxel there; `largest` the largest connected
    piece; `box`, two opposite corners in lps, what lies between them. `fill` closes cavities
    from which no way leads to the volume's border.
    """

    lowest: float
    highest: float
    seed: np.ndarray | None = None
    box: np.ndarray | None = None
    largest: bool = False
    fill: bool = False


class Mask:
    """A bit for each voxel, (slices, rows, columns), in a file."""

    def __init__(self, path: Path, shape: tuple[int, int, int]) -> None:
        self.shape, self.path = shape, path
        slices, rows, columns = shape
        size = -(-rows * columns // 8)
        self._bits = np.memmap(path, np.uint8, "w+", shape=(slices, size))

    def slabs(self) -> list[tuple[int, int]]:
        """Return ranges of slices that are worked on at one time."""
        slices, rows, columns = self.shape
        count = max(1, min(SLICES_A_SLAB, VOXELS_A_SLAB // (rows * columns)))
        return [(first, min(first + count, slices)) for first in range(0, slices, count)]

    def read(self, first: int, last: int) -> np.ndarray:
        """Return slices `first` to `last` (without it) as bool."""
        _slices, rows, columns = self.shape
        bits = np.unpackbits(self._bits[first:last], axis=1, count=rows * columns)
        return bits.view(np.bool_).reshape(last - first, rows, columns)

    def write(self, first: int, masks: np.ndarray) -> None:
        """Replace slices from `first` on."""
        flat = masks.reshape(len(masks), -1)
        self._bits[first : first + len(masks)] = np.packbits(flat, axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A mask and its numbers, in modality units; `slice_counts` are voxels of each slice."""

    mask: Mask
    count: int
    volume_ml: float
    mean: float
    sd: float
    lowest: float
    highest: float
    slice_counts: np.ndarray

    def to_json(self) -> dict[str, Any]:
        """Return the numbers."""
        slices = np.flatnonzero(self.slice_counts)
        return {
            "volume_ml": self.volume_ml,
            "voxels": self.count,
            "mean": self.mean,
            "sd": self.sd,
            "min": self.lowest,
            "max": self.highest,
            "slices": len(slices),
            "first_slice": int(slices[0]),
            "last_slice": int(slices[-1]),
        }


def segment(volume: Volume, wish: Wish, path: Path, step: Step = lambda _done: None) -> Found:
    """Return what is in the range; the mask is kept in a new file at `path`.

    `step` is told 0 to 1 between slabs, and may raise. Raises `UnsupportedError` when nothing
    is found, or the seed lies outside the volume or the range.
    """
    mask = Mask(path, volume.geometry.shape)
    seed = _find_seed(volume, wish) if wish.seed is not None else None
    walks = 2 + 2 * (seed is not None or wish.largest) + 2 * wish.fill
    walked = 0

    def walk(work: Callable[[int, int], None]) -> None:
        nonlocal walked
        for first, last in mask.slabs():
            work(first, last)
            step((walked + last / mask.shape[0]) / walks)
        walked += 1

    _threshold(volume, wish, mask, walk)
    if seed is not None:
        _keep_connected(mask, lambda pieces: pieces.owner == pieces.at(seed), walk)
    elif wish.largest:
        _keep_connected(mask, lambda pieces: pieces.owner == pieces.largest(), walk)
    if wish.fill:
        _fill(mask, walk)
    return _measure(volume, mask, walk)


Walk = Callable[[Callable[[int, int], None]], None]


def _levels(volume: Volume, wish: Wish) -> tuple[float, float]:
    scale = volume.scale
    ends = [(value - scale.offset) / scale.scale for value in (wish.lowest, wish.highest)]
    low, high = np.clip(ends, -1e6, 1e6)
    # Whole numbers are compared; 1e-6 is the rounding of a scale.
    return float(np.ceil(low - 1e-6)), float(np.floor(high + 1e-6))


def _threshold(volume: Volume, wish: Wish, mask: Mask, walk: Walk) -> None:
    low, high = _levels(volume, wish)
    least, most = np.int32(max(low, -32769)), np.int32(min(high, 32768))
    inside = _Box(volume.geometry, wish.box) if wish.box is not None else None

    def work(first: int, last: int) -> None:
        voxels = volume.voxels[first:last]
        found = (voxels >= least) & (voxels <= most)
        if inside is not None:
            for k in range(first, last):
                found[k - first] &= inside.on_slice(k)
        mask.write(first, found)

    walk(work)


# --- where -------------------------------------------------------------------------------
def _find_seed(volume: Volume, wish: Wish) -> tuple[int, int, int]:
    """Return (slice, row, column) of the seed's voxel."""
    assert wish.seed is not None
    place = nearest_voxel(volume.geometry, wish.seed)
    if place is None:
        raise UnsupportedError("The seed lies outside the volume.")
    scale, stored = volume.scale, int(volume.voxels[place])
    low, high = _levels(volume, wish)
    if not low <= stored <= high:
        value = stored * scale.scale + scale.offset
        raise UnsupportedError(f"The value at the seed is {value:g}: outside the range.")
    return place


def nearest_voxel(geometry: VolumeGeometry, lps: np.ndarray) -> tuple[int, int, int] | None:
    """Return (slice, row, column) of the voxel in which a point lies, None outside."""
    inverse = geometry.ijw_from_lps
    i, j, w = inverse[:3, :3] @ lps + inverse[:3, 3]
    slices, rows, columns = geometry.shape
    if geometry.is_even:
        k = int(np.floor(w + 0.5))
    else:
        k = int(np.abs(geometry.slice_mm - w).argmin())
        beyond = w - geometry.slice_mm[k]
        # Half way between two slices is in one of them, whatever rounding says.
        if abs(beyond) > _halves_mm(geometry)[k + int(beyond > 0)] + 1e-6:
            return None
    place = (k, int(np.floor(j + 0.5)), int(np.floor(i + 0.5)))
    is_inside = all(
        0 <= one < most for one, most in zip(place, (slices, rows, columns), strict=True)
    )
    return place if is_inside else None


def slice_thickness_mm(geometry: VolumeGeometry) -> np.ndarray:
    """Return what each slice stands for in the third number of `ijw`: 1 where it is the slice.

    Half the way to either neighbour; half the usual spacing where there is none.
    """
    if geometry.is_even:
        return np.ones(geometry.shape[0])
    halves = _halves_mm(geometry)
    thickness: np.ndarray = halves[:-1] + halves[1:]
    return thickness


def _halves_mm(geometry: VolumeGeometry) -> np.ndarray:
    """Return how far slices of an uneven stack reach: slice `k` down by number k, up by k + 1."""
    usual = geometry.spacing_mm[2]
    between = np.where(geometry.holes, usual, np.diff(geometry.slice_mm))
    return np.array([usual, *between, usual]) / 2


class _Box:
    """A box along the patient's axes, cut by slices of any direction."""

    def __init__(self, geometry: VolumeGeometry, corners: np.ndarray) -> None:
        self._low, self._high = corners.min(axis=0), corners.max(axis=0)
        self._affine, self._geometry = geometry.lps_from_ijw, geometry
        _slices, rows, columns = geometry.shape
        self._rows, self._columns = np.arange(rows)[:, None], np.arange(columns)[None]

    def on_slice(self, k: int) -> np.ndarray:
        """Return where the voxels' centres of a slice lie in the box, borders included."""
        w = k if self._geometry.is_even else self._geometry.slice_mm[k]
        inside = np.ones((len(self._rows), self._columns.size), np.bool_)
        for axis in range(3):
            across, down, deep, start = self._affine[axis]
            place = self._columns * across + self._rows * down + (deep * w + start)
            inside &= (place >= self._low[axis] - 1e-6) & (place <= self._high[axis] + 1e-6)
        return inside


# --- connected pieces -----------------------------------------------------------------------
class _Pieces:
    """The connected pieces of a mask, numbered slab by slab as `ndimage.label` does.

    Piece `n` of a slab, from 1, has the number `start of the slab + n - 1`; `owner` gives for each
    the whole that it belongs to.
    """

    def __init__(self, read: Callable[[int, int], np.ndarray]) -> None:
        self._read = read
        self.starts: dict[int, int] = {}
        self._sizes: list[np.ndarray] = []
        self._pairs: list[np.ndarray] = []
        self._outer: list[np.ndarray] = []
        self._seam: np.ndarray | None = None
        self._count = 0
        self.owner = np.zeros(0, np.int32)

    def take(self, first: int, last: int, slices: int) -> None:
        """Number the pieces of a slab, and what joins them to the slab before."""
        labels, count = ndimage.label(self._read(first, last))
        start = self.starts[first] = self._count
        self._count += count
        if self._count > PIECES_LIMIT:
            raise UnsupportedError("There are too many separate pieces: it is mostly noise.")
        sizes = np.zeros(count + 1, np.int64)
        for plane in labels:  # one by one: they are counted as 64 bits
            sizes += np.bincount(plane.ravel(), minlength=count + 1)
        self._sizes.append(sizes[1:])
        if self._seam is not None:
            both = (self._seam >= 0) & (labels[0] > 0)
            pairs = np.stack([self._seam[both], labels[0][both] - 1 + start], 1)
            self._pairs.append(np.unique(pairs, axis=0))
        self._seam = np.where(labels[-1] > 0, labels[-1] - 1 + start, -1)
        sides = [labels[:, 0], labels[:, -1], labels[:, :, 0], labels[:, :, -1]]
        sides += [labels[0]] if first == 0 else []
        sides += [labels[-1]] if last == slices else []
        outer = np.unique(np.concatenate([side.ravel() for side in sides]))
        self._outer.append(outer[outer > 0] - 1 + start)

    def join(self) -> None:
        """Find the wholes, once every slab is taken."""
        pairs = np.concatenate(self._pairs) if self._pairs else np.zeros((0, 2), np.int64)
        ones = np.ones(len(pairs), np.bool_)
        shape = (self._count, self._count)
        graph = coo_matrix((ones, (pairs[:, 0], pairs[:, 1])), shape)
        _count, self.owner = connected_components(graph, directed=False)

    def at(self, place: tuple[int, int, int]) -> int:
        """Return the whole to which a voxel of the mask belongs."""
        k, j, i = place
        first = max(start for start in self.starts if start <= k)
        ends = sorted(self.starts)
        after = ends[ends.index(first) + 1 :]
        labels, _count = ndimage.label(self._read(first, after[0] if after else k + 1))
        return int(self.owner[self.starts[first] + labels[k - first, j, i] - 1])

    def largest(self) -> int:
        """Return the whole of the most voxels."""
        sizes = np.concatenate(self._sizes)
        return int(np.bincount(self.owner, sizes).argmax()) if len(sizes) else -1

    def is_outer(self) -> np.ndarray:
        """Return for each piece whether its whole touches the volume's border."""
        touching = np.zeros(self._count + 1, np.bool_)
        touching[self.owner[np.concatenate(self._outer)]] = True
        is_outer: np.ndarray = touching[self.owner]
        return is_outer

    def choose(self, first: int, last: int, is_kept: np.ndarray) -> np.ndarray:
        """Return the slab's voxels whose piece is kept."""
        labels, count = ndimage.label(self._read(first, last))
        start = self.starts[first]
        chosen: np.ndarray = np.concatenate([[False], is_kept[start : start + count]])[labels]
        return chosen


def _keep_connected(mask: Mask, choose: Callable[[_Pieces], np.ndarray], walk: Walk) -> None:
    pieces = _Pieces(mask.read)
    walk(lambda first, last: pieces.take(first, last, mask.shape[0]))
    pieces.join()
    is_kept = choose(pieces)
    walk(lambda first, last: mask.write(first, pieces.choose(first, last, is_kept)))


def _fill(mask: Mask, walk: Walk) -> None:
    pieces = _Pieces(lambda first, last: ~mask.read(first, last))
    walk(lambda first, last: pieces.take(first, last, mask.shape[0]))
    pieces.join()
    is_outer = pieces.is_outer()
    walk(lambda first, last: mask.write(first, ~pieces.choose(first, last, is_outer)))


# --- numbers ------------------------------------------------------------------------------
def _measure(volume: Volume, mask: Mask, walk: Walk) -> Found:
    """Count values: int16 are so few that nothing is rounded before the end."""
    histogram = np.zeros(_LEVELS, np.int64)
    slice_counts = np.zeros(mask.shape[0], np.int64)

    def work(first: int, last: int) -> None:
        chosen = mask.read(first, last)
        slice_counts[first:last] = chosen.sum(axis=(1, 2))
        for k in range(first, last):
            values = volume.voxels[k][chosen[k - first]].astype(np.int32) + _LEVELS // 2
            histogram[:] += np.bincount(values, minlength=_LEVELS)

    walk(work)
    count = int(histogram.sum())
    if not count:
        raise UnsupportedError("No voxel has a value in this range.")
    levels = np.arange(_LEVELS) - _LEVELS // 2
    present = levels[histogram > 0]
    mean = float(histogram @ levels) / count
    sd = float(np.sqrt(histogram @ (levels - mean) ** 2 / count))
    scale = volume.scale
    geometry = volume.geometry
    voxel_mm3 = abs(float(np.linalg.det(geometry.lps_from_ijw[:3, :3])))
    return Found(
        mask=mask,
        count=count,
        volume_ml=float(slice_counts @ slice_thickness_mm(geometry)) * voxel_mm3 / 1000,
        mean=mean * scale.scale + scale.offset,
        sd=sd * scale.scale,
        lowest=float(present[0]) * scale.scale + scale.offset,
        highest=float(present[-1]) * scale.scale + scale.offset,
        slice_counts=slice_counts,
    )
