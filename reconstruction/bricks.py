"""A volume's coarse grid: the lowest and highest value of every brick, and its histogram.

Made once a volume and process, in a few tenths of a second for 300 slices, and kept while the
volume is in use.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from archive.memory_cache import Flights, MemoryCache
from archive.per_process import PerProcess
from reconstruction.compiled import load_rays
from reconstruction.volume_files import Volume

# So many volumes' grids are kept; one of 300 slices takes 0.6 MB and half a MB of histogram.
KEPT_LIMIT = 8
LAYERS_A_PIECE = 4
THREADS = 2
# The histogram counts so many voxels at most.
SAMPLE = 1 << 21
# Entries for each slice of an uneven stack in the table from places to slices.
_TABLE_STEPS = 64
_TABLE_LIMIT = 1 << 20
NOWHERE = -1.0


@dataclass(frozen=True, slots=True, eq=False)
class Bricks:
    """The grid of a volume.

    Attributes
    ----------
    lowest, highest
        int16 of shape (layers, rows, columns) of bricks.
    layer_start, layer_size
        Where layers begin along the stack (`w` of `imaging.volume`), and how thick they are.
    table
        For an uneven stack, slices by place: entries, first place, entries for each mm.
    values, counts
        Histogram over the int16 that occur.
    """

    lowest: np.ndarray
    highest: np.ndarray
    layer_start: float
    layer_size: float
    table: tuple[np.ndarray, float, float]
    values: np.ndarray
    counts: np.ndarray


def bricks_of(volume: Volume) -> Bricks:
    """Return the grid of a volume, made when it is first asked for."""
    kept = _kept.get()
    found = kept.get(volume.key)
    if found is None:
        found = _flights.get().join(volume.key, lambda: _make(volume))
        kept.put(volume.key, found)
    return found


def _make(volume: Volume) -> Bricks:
    rays = load_rays()
    size = rays.BRICK
    first, last, start, thickness = _layers(volume, size)
    _slices, rows, columns = volume.voxels.shape
    shape = (len(first), -(-rows // size), -(-columns // size))
    lowest, highest = np.empty(shape, np.int16), np.empty(shape, np.int16)

    def measure(layer: int) -> None:
        part = slice(layer, layer + LAYERS_A_PIECE)
        rays.measure_bricks(volume.voxels, first, last, layer, lowest[part], highest[part])

    with ThreadPoolExecutor(THREADS, "bricks") as threads:
        for _done in threads.map(measure, range(0, len(first), LAYERS_A_PIECE)):
            pass
    values, counts = _histogram(volume)
    return Bricks(lowest, highest, start, thickness, slice_table(volume), values, counts)


def _layers(volume: Volume, size: int) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Return each layer's first and last slice, where the layers begin and how thick they are."""
    slices = volume.voxels.shape[0]
    places = volume.geometry.slice_mm
    if not len(places):
        first = np.arange(0, slices, size)
        return first, np.minimum(first + size, slices - 1), 0.0, float(size)
    thickness = max(float(np.median(np.diff(places))), 1e-3) * size
    layers = min(int(places[-1] / thickness) + 1, slices)
    thickness = max(thickness, float(places[-1]) / layers + 1e-9)
    edges = np.arange(layers + 1) * thickness
    first = np.clip(np.searchsorted(places, edges[:-1], "right") - 1, 0, slices - 1)
    last = np.clip(np.searchsorted(places, edges[1:], "left"), 0, slices - 1)
    return first, last, 0.0, thickness


def slice_table(volume: Volume) -> tuple[np.ndarray, float, float]:
    """Return the table from places along an uneven stack to slices; empty for an even one.

    In a hole each neighbour reaches half a spacing, the rest is below 0: no slice.
    """
    geometry = volume.geometry
    places = geometry.slice_mm
    if geometry.is_even:
        return np.zeros(0, np.float64), 0.0, 1.0
    steps = np.diff(places)
    finest = max(float(steps.min()), 1e-3)
    count = int(min(places[-1] / finest * _TABLE_STEPS + 2, _TABLE_LIMIT))
    at = np.linspace(0.0, float(places[-1]), count)
    table = np.interp(at, places, np.arange(len(places)))
    reach = geometry.spacing_mm[2] / 2
    for hole in np.flatnonzero(geometry.holes):
        low, high = places[hole], places[hole + 1]
        inside = (at > low) & (at < high)
        near = np.where(at - low <= high - at, float(hole), float(hole + 1))
        is_far = np.minimum(at - low, high - at) > reach
        table[inside] = np.where(is_far, NOWHERE, near)[inside]
    return table, 0.0, (count - 1) / float(places[-1])


def _histogram(volume: Volume) -> tuple[np.ndarray, np.ndarray]:
    """Return the int16 that occur and how often, among every n-th voxel of each direction."""
    every = max(1, round((volume.voxels.size / SAMPLE) ** (1 / 3)))
    sample = volume.voxels[every // 2 :: every, every // 2 :: every, every // 2 :: every]
    if not sample.size:
        sample = volume.voxels
    counts = np.bincount(sample.ravel().astype(np.int64) + 32768, minlength=65536)
    values = np.flatnonzero(counts)
    return values - 32768, counts[values]


_kept: PerProcess[MemoryCache[Bricks]] = PerProcess(
    lambda: MemoryCache(KEPT_LIMIT, lambda _bricks: 1), lambda _made: True
)
_flights: PerProcess[Flights[Bricks]] = PerProcess(Flights, lambda _made: True)
