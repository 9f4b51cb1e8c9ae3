"""Where pixels lie in the patient (PS3.3 C.7.6.2.1.1).

Spaces: `lps` is the patient in mm (towards left, posterior, superior), `ijk` is column, row,
slice with the centre of the first voxel at 0. Vectors are float64 of shape (3,).
"""

from collections.abc import Sequence

import numpy as np

# Cosines as written have some six digits; a row and a column must be unit and perpendicular
# within this, or the orientation is not believed.
COSINE_TOLERANCE = 1e-2
# A part of a direction smaller than this (14.5 degrees) gets no letter; the standard names no
# bound. The same in `frontend/src/core/orientation.ts`.
SMALLEST_PART = 0.25
_LETTERS = (("L", "R"), ("P", "A"), ("H", "F"))
_OPPOSITE = {"L": "R", "R": "L", "P": "A", "A": "P", "H": "F", "F": "H"}


def direction_cosines(orientation: Sequence[float]) -> tuple[np.ndarray, np.ndarray] | None:
    """Return unit directions of a row (along columns' index) and of a column, in lps.

    Parameters
    ----------
    orientation
        ImageOrientationPatient, six numbers.

    Returns
    -------
    tuple of two arrays, or None
        None when they are not finite, not unit or not perpendicular: never repaired.
    """
    if len(orientation) != 6:
        return None
    values = np.array(orientation, np.float64)
    if not np.isfinite(values).all():
        return None
    row, column = values[:3], values[3:]
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if any(abs(length - 1) > COSINE_TOLERANCE for length in lengths):
        return None
    row, column = row / lengths[0], column / lengths[1]
    if abs(float(row @ column)) > COSINE_TOLERANCE:
        return None
    return row, column


def slice_normal(orientation: Sequence[float]) -> np.ndarray | None:
    """Return the unit normal, row direction x column direction; None for a bad orientation."""
    cosines = direction_cosines(orientation)
    if cosines is None:
        return None
    normal: np.ndarray = np.cross(cosines[0], cosines[1])
    normal /= np.linalg.norm(normal)
    return normal


def position_along(normal: np.ndarray, position: Sequence[float]) -> float:
    """Return the distance in mm of ImagePositionPatient from the origin along `normal`."""
    return float(np.dot(normal, np.array(position, np.float64)))


def lps_from_ijk(
    orientation: Sequence[float],
    position: Sequence[float],
    pixel_spacing: Sequence[float],
    slice_step: Sequence[float] | None = None,
) -> np.ndarray | None:
    """Return the affine from (column, row, slice, 1) to (x, y, z, 1) in lps.

    Parameters
    ----------
    orientation, position
        ImageOrientationPatient and ImagePositionPatient of the first slice.
    pixel_spacing
        [between rows, between columns] in mm (PS3.3 10.7.1.3).
    slice_step
        lps vector from one slice to the next, mm: sheared when the gantry was tilted. None
        for a single image: then the unit normal.

    Returns
    -------
    np.ndarray or None
        Shape (4, 4), float64; None when the geometry is bad.
    """
    cosines = direction_cosines(orientation)
    normal = slice_normal(orientation)
    if cosines is None or normal is None or len(position) != 3 or len(pixel_spacing) != 2:
        return None
    numbers = np.array([*position, *pixel_spacing], np.float64)
    if not np.isfinite(numbers).all() or min(pixel_spacing) <= 0:
        return None
    affine = np.eye(4)
    affine[:3, 0] = cosines[0] * pixel_spacing[1]
    affine[:3, 1] = cosines[1] * pixel_spacing[0]
    affine[:3, 2] = normal if slice_step is None else np.array(slice_step, np.float64)
    affine[:3, 3] = position
    return affine


def direction_letters(direction: Sequence[float] | np.ndarray, *, most: int = 3) -> str:
    """Return the letters of PS3.3 C.7.6.1.1.1 for a direction in lps, the strongest first.

    `L R P A H F`: towards left, right, posterior, anterior, head, feet. `most` is the number
    of letters at most.
    """
    vector = np.array(direction, np.float64)
    length = float(np.linalg.norm(vector))
    if not np.isfinite(vector).all() or length == 0:
        return ""
    vector = vector / length
    order = np.argsort(-np.abs(vector), kind="stable")[:most]
    return "".join(
        _LETTERS[axis][0 if vector[axis] > 0 else 1]
        for axis in order
        if abs(vector[axis]) >= SMALLEST_PART
    )


def opposite_letters(letters: str) -> str:
    """Return the letters of the other end: `PR` for `AL`."""
    return "".join(_OPPOSITE.get(letter, letter) for letter in letters)


def edge_letters(orientation: Sequence[float]) -> dict[str, str] | None:
    """Return the letters at the picture's `left`, `right`, `top` and `bottom` edges."""
    cosines = direction_cosines(orientation)
    if cosines is None:
        return None
    right, bottom = direction_letters(cosines[0]), direction_letters(cosines[1])
    return {
        "left": opposite_letters(right),
        "right": right,
        "top": opposite_letters(bottom),
        "bottom": bottom,
    }


def plane_name(orientation: Sequence[float], *, within_deg: float = 45.0) -> str:
    """Return `axial`, `coronal` or `sagittal` for the nearest plane, else `oblique` or empty."""
    normal = slice_normal(orientation)
    if normal is None:
        return ""
    axis = int(np.argmax(np.abs(normal)))
    if np.degrees(np.arccos(min(1.0, abs(float(normal[axis]))))) > within_deg:
        return "oblique"
    return ("sagittal", "coronal", "axial")[axis]
