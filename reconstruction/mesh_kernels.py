"""Compiled loops over voxels and triangles: the surface of a threshold, in index space.

Marching cubes (Lorensen and Cline 1987) on int16 voxels as they are mapped, without a copy of
them: only the vertex numbers of two slices are held. The table of cases is made by one rule:
on each face of a cube, voxels inside that touch only across the face's diagonal stay apart. The
rule asks for nothing but the face's own four voxels, so neighbouring cubes agree, and every
surface is closed. Beyond the volume everything is outside, half a voxel from the border's
centres.

As `reconstruction.kernels`, these run without Python's lock and are loaded only when wanted, by
`reconstruction.compiled`.
"""

from __future__ import annotations

from itertools import pairwise

import numba
import numpy as np

from reconstruction.compiled import keep_code

TRIANGLES_A_CUBE = 5
# A crossing keeps this far from a voxel's centre, in voxels: no triangle without an area.
EDGE = 1e-3

keep_code(numba)

# Corners are numbered x + 2 y + 4 z; edges lie along x (4), y (4), z (4).
_EDGES = tuple(
    (low, low + step) for step in (1, 2, 4) for low in range(8) if not low & step
)  # fmt: skip
# The corners of each face, anticlockwise as seen from outside the cube.
_FACES = ((0, 4, 6, 2), (1, 3, 7, 5), (0, 1, 5, 4), (2, 6, 7, 3), (0, 2, 3, 1), (4, 5, 7, 6))


def make_table() -> tuple[np.ndarray, np.ndarray]:
    """Return how many triangles each case has, (256,), and their edges, (256, 15); int64."""
    counts = np.zeros(256, np.int64)
    triangles = np.zeros((256, 3 * TRIANGLES_A_CUBE), np.int64)
    for case in range(256):
        found = [corner for loop in _loops(case) for corner in _fan(loop)]
        counts[case] = len(found) // 3
        triangles[case, : len(found)] = found
    return counts, triangles


def _loops(case: int) -> list[list[int]]:
    """Return the polygons of a case as edges in order, seen from outside what is enclosed."""
    after = {}
    for face in _FACES:
        inside = [bool(case >> corner & 1) for corner in face]
        for place in range(4):
            if inside[place] or not inside[(place + 1) % 4]:
                continue
            # From where the inside is entered to where it is left, in the face's own order.
            end = (place + 1) % 4
            while inside[(end + 1) % 4]:
                end = (end + 1) % 4
            entered = _edge(face[place], face[(place + 1) % 4])
            after[_edge(face[end], face[(end + 1) % 4])] = entered
    loops = []
    while after:
        first, here = after.popitem()
        loop = [first]
        while here != first:
            loop.append(here)
            here = after.pop(here)
        loops.append(loop)
    return loops


def _edge(one: int, other: int) -> int:
    return _EDGES.index((min(one, other), max(one, other)))


def _fan(loop: list[int]) -> list[int]:
    return [edge for one, other in pairwise(loop[1:]) for edge in (loop[0], one, other)]


@numba.njit(nogil=True, cache=True)
def mark(
    voxels: np.ndarray, k: int, bounds: tuple[int, int], values: tuple[float, float],
    out: np.ndarray,
) -> int:  # fmt: skip
    """Fill `out`, uint8 of shape (rows + 2, columns + 2), with where slice `k` is inside.

    Inside are `values` from the lowest to the highest. Outside are a border of one voxel, and
    every slice not within `bounds`. Returns how many crossings there are between neighbours of
    the slice.
    """
    out[:] = 0
    rows, columns = voxels.shape[1], voxels.shape[2]
    if not bounds[0] <= k < bounds[1]:
        return 0
    for j in range(rows):
        for i in range(columns):
            value = voxels[k, j, i]
            out[j + 1, i + 1] = values[0] <= value <= values[1]
    found = 0
    for j in range(rows + 1):
        for i in range(columns + 1):
            found += (out[j, i] != out[j, i + 1]) + (out[j, i] != out[j + 1, i])
    return found


@numba.njit(nogil=True, cache=True)
def count(low: np.ndarray, high: np.ndarray, counts: np.ndarray) -> tuple[int, int]:
    """Return the triangles between two marked slices, and the crossings from one to the other."""
    triangles, crossings = 0, 0
    for j in range(low.shape[0] - 1):
        for i in range(low.shape[1] - 1):
            triangles += counts[_case(low, high, j, i)]
            crossings += low[j, i] != high[j, i]
    return triangles, crossings


@numba.njit(nogil=True, cache=True, inline="always")
def _case(low: np.ndarray, high: np.ndarray, j: int, i: int) -> int:
    case: int = low[j, i] | low[j, i + 1] << 1 | low[j + 1, i] << 2 | low[j + 1, i + 1] << 3
    case |= high[j, i] << 4 | high[j, i + 1] << 5
    case |= high[j + 1, i] << 6 | high[j + 1, i + 1] << 7
    return case


@numba.njit(nogil=True, cache=True, inline="always")
def _share(one: float, other: float, values: tuple[float, float]) -> float:
    """Return where between two voxels, of which one is inside, the threshold is crossed."""
    before = min(one - values[0], values[1] - one)
    after = min(other - values[0], values[1] - other)
    return min(max(before / (before - after), EDGE), 1.0 - EDGE)


@numba.njit(nogil=True, cache=True)
def cross_slice(
    voxels: np.ndarray, k: int, marked: np.ndarray, values: tuple[float, float],
    numbers: np.ndarray, first: int, places: np.ndarray,
) -> int:  # fmt: skip
    """Add the crossings within slice `k` to `places`, (vertices, 3) of (i, j, k).

    `numbers`, int32 of shape (2, rows + 2, columns + 2), gets their numbers, along x and y;
    `first` is the next one's. Returns the number after the last one.
    """
    rows, columns = marked.shape
    for j in range(rows - 1):
        for i in range(columns - 1):
            here = marked[j, i]
            is_inside = i > 0 and j > 0
            if here != marked[j, i + 1]:
                share = 0.5
                if is_inside and i < columns - 2:
                    share = _share(voxels[k, j - 1, i - 1], voxels[k, j - 1, i], values)
                places[first, 0], places[first, 1], places[first, 2] = i - 1 + share, j - 1, k
                numbers[0, j, i] = first
                first += 1
            if here != marked[j + 1, i]:
                share = 0.5
                if is_inside and j < rows - 2:
                    share = _share(voxels[k, j - 1, i - 1], voxels[k, j, i - 1], values)
                places[first, 0], places[first, 1], places[first, 2] = i - 1, j - 1 + share, k
                numbers[1, j, i] = first
                first += 1
    return first


@numba.njit(nogil=True, cache=True)
def cross_layer(
    voxels: np.ndarray, k: int, bounds: tuple[int, int], marks: tuple[np.ndarray, np.ndarray],
    values: tuple[float, float], numbers: np.ndarray, first: int, places: np.ndarray,
) -> int:  # fmt: skip
    """As `cross_slice`, for the crossings from slice `k` to the next; `numbers` has one plane.

    `marks` are those of the slice and of the next.
    """
    low, high = marks
    is_between = bounds[0] <= k and k + 1 < bounds[1]
    for j in range(low.shape[0]):
        for i in range(low.shape[1]):
            if low[j, i] != high[j, i]:
                share = 0.5
                if is_between:
                    share = _share(voxels[k, j - 1, i - 1], voxels[k + 1, j - 1, i - 1], values)
                places[first, 0], places[first, 1], places[first, 2] = i - 1, j - 1, k + share
                numbers[j, i] = first
                first += 1
    return first


@numba.njit(nogil=True, cache=True)
def build(
    low: np.ndarray, high: np.ndarray, table: tuple[np.ndarray, np.ndarray],
    numbers: tuple[np.ndarray, np.ndarray, np.ndarray], first: int, faces: np.ndarray,
) -> int:  # fmt: skip
    """Add the triangles between two marked slices to `faces`, int32 of (triangles, 3).

    `numbers` are those of the lower slice, the upper one, and from one to the other. Returns
    the number after the last triangle.
    """
    counts, triangles = table
    below, above, between = numbers
    edges = np.empty(12, np.int32)
    for j in range(low.shape[0] - 1):
        for i in range(low.shape[1] - 1):
            case = _case(low, high, j, i)
            if counts[case] == 0:
                continue
            edges[0], edges[1] = below[0, j, i], below[0, j + 1, i]
            edges[2], edges[3] = above[0, j, i], above[0, j + 1, i]
            edges[4], edges[5] = below[1, j, i], below[1, j, i + 1]
            edges[6], edges[7] = above[1, j, i], above[1, j, i + 1]
            edges[8], edges[9] = between[j, i], between[j, i + 1]
            edges[10], edges[11] = between[j + 1, i], between[j + 1, i + 1]
            for corner in range(counts[case]):
                for one in range(3):
                    faces[first, one] = edges[triangles[case, 3 * corner + one]]
                first += 1
    return first


@numba.njit(nogil=True, cache=True)
def measure(points: np.ndarray, faces: np.ndarray) -> tuple[float, float]:
    """Return the area of triangles, and six times the volume between them and the origin."""
    area, volume = 0.0, 0.0
    for face in range(faces.shape[0]):
        a, b, c = points[faces[face, 0]], points[faces[face, 1]], points[faces[face, 2]]
        ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
        vx, vy, vz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
        x, y, z = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        area += 0.5 * np.sqrt(x * x + y * y + z * z)
        volume += a[0] * x + a[1] * y + a[2] * z
    return area, volume


@numba.njit(nogil=True, cache=True)
def find_parts(vertices: int, faces: np.ndarray) -> np.ndarray:
    """Return for each vertex the lowest vertex that triangles join it to; int32."""
    parent = np.arange(vertices, dtype=np.int32)
    for face in range(faces.shape[0]):
        one = faces[face, 0]
        for corner in range(1, 3):
            other = faces[face, corner]
            while parent[one] != one:
                parent[one] = parent[parent[one]]
                one = parent[one]
            while parent[other] != other:
                parent[other] = parent[parent[other]]
                other = parent[other]
            if one < other:
                parent[other] = one
            else:
                parent[one] = other
    for vertex in range(vertices):
        while parent[vertex] != parent[parent[vertex]]:
            parent[vertex] = parent[parent[vertex]]
    return parent


@numba.njit(nogil=True, cache=True)
def relax(points: np.ndarray, faces: np.ndarray, share: float, sums: np.ndarray) -> None:
    """Move every point by a share of the way to the middle of its neighbours.

    `sums`, float64 of (vertices, 4), is for the kernel's own use.
    """
    sums[:] = 0.0
    for face in range(faces.shape[0]):
        for corner in range(3):
            here, other = faces[face, corner], faces[face, (corner + 1) % 3]
            # On a closed surface every edge comes once in either direction.
            for axis in range(3):
                sums[here, axis] += points[other, axis]
            sums[here, 3] += 1.0
    for point in range(points.shape[0]):
        if sums[point, 3] > 0:
            for axis in range(3):
                middle = sums[point, axis] / sums[point, 3]
                points[point, axis] += share * (middle - points[point, axis])
