"""Write planes.json: planes and slabs of a small volume, as SimpleITK and SciPy cut them.

Run by hand, where SimpleITK and SciPy are installed:

    python tests/golden/make_planes.py > tests/golden/planes.json

Nothing of Noctis is imported. Even stacks are resampled by SimpleITK in index space; with a z
table, `numpy.interp` leads from millimetres to slices and `scipy.ndimage.map_coordinates`
(linear) reads the value. Slabs are the highest, lowest or mean of such layers, by numpy.
"""

import json
import warnings
from typing import Any

import numpy as np
import scipy
import SimpleITK
from scipy.ndimage import map_coordinates

SHAPE = (9, 14, 12)
SPACING = (0.75, 1.25, 2.0)
ORIGIN = np.array([-11.0, 7.5, -30.25])
UNEVEN = [0.0, 2.0, 4.5, 6.0, 8.0, 11.0, 12.5, 14.0, 16.0]
HOLES = [0.0, 2.0, 4.0, 6.0, 12.0, 14.0, 16.0, 18.0, 20.0]


def phantom() -> np.ndarray:
    """Return values that no flip, shift or turn leaves as they are."""
    k, j, i = np.indices(SHAPE)
    values: np.ndarray = (37 * i + 101 * j + 53 * k + 7 * i * j + 11 * j * k) % 1999 - 1000
    return values


def affine_of(shear: tuple[float, float], step: float) -> np.ndarray:
    """Return lps_from_ijw of a stack in an oblique orientation; `step` is along the third axis."""
    angle = np.radians(20)
    row = np.array([np.cos(angle), np.sin(angle), 0.0])
    column = np.array([-np.sin(angle) * 0.8, np.cos(angle) * 0.8, 0.6])
    normal = np.cross(row, column)
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = row * SPACING[0], column * SPACING[1]
    affine[:3, 2] = (normal + shear[0] * row + shear[1] * column) * step
    affine[:3, 3] = ORIGIN
    return affine


def grid_of(case: dict[str, Any], middle: np.ndarray) -> tuple[np.ndarray, ...]:
    normal = np.array(case["normal"], float)
    normal /= np.linalg.norm(normal)
    up = np.array(case["up"], float)
    up -= normal * (up @ normal)
    down = -up / np.linalg.norm(up)
    right = np.cross(down, normal)
    spacing, rows, columns = case["spacing_mm"], case["rows"], case["columns"]
    center = middle + np.array(case["offset"])
    origin = center - right * spacing * (columns - 1) / 2 - down * spacing * (rows - 1) / 2
    return origin, right, down, normal


def by_itk(affine: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return values at lps places (rows, columns, 3), NaN outside, through SimpleITK's image."""
    image = SimpleITK.GetImageFromArray(phantom().astype(np.float32))
    inverse = np.linalg.inv(affine)
    rows, columns, _three = places.shape
    across, along = places[0, 1] - places[0, 0], places[1, 0] - places[0, 0]
    spacing = [float(np.linalg.norm(across)), float(np.linalg.norm(along))]
    right, down = across / spacing[0], along / spacing[1]
    turn = SimpleITK.AffineTransform(3)
    turn.SetMatrix(inverse[:3, :3].ravel().tolist())
    turn.SetTranslation(inverse[:3, 3].tolist())
    one = SimpleITK.ResampleImageFilter()
    one.SetTransform(turn)
    one.SetInterpolator(SimpleITK.sitkLinear)
    one.SetOutputPixelType(SimpleITK.sitkFloat32)
    one.SetDefaultPixelValue(float("nan"))
    one.SetSize([columns, rows, 1])
    one.SetOutputSpacing([*spacing, 1.0])
    one.SetOutputDirection(np.stack([right, down, np.cross(right, down)], axis=1).ravel().tolist())
    one.SetOutputOrigin(places[0, 0].tolist())
    made: np.ndarray = SimpleITK.GetArrayFromImage(one.Execute(image))[0]
    return made


def by_table(affine: np.ndarray, places: np.ndarray, table: list[float], holes: list[int]) -> Any:
    """Return values at lps places by a z table; beyond half a median spacing there is nothing."""
    reach = float(np.median(np.diff(table))) / 2
    inverse = np.linalg.inv(affine)
    i, j, w = np.moveaxis(places @ inverse[:3, :3].T + inverse[:3, 3], -1, 0)
    k = np.interp(w, table, np.arange(len(table)))
    is_outside = (w < table[0] - reach) | (w > table[-1] + reach)
    for hole in holes:
        low, high = table[hole], table[hole + 1]
        is_in = (w > low) & (w < high)
        k = np.where(is_in, np.where(w - low <= high - w, hole, hole + 1), k)
        is_outside |= is_in & (w - low > reach) & (high - w > reach)
    is_outside |= (i < -0.5) | (i > SHAPE[2] - 0.5) | (j < -0.5) | (j > SHAPE[1] - 0.5)
    values = map_coordinates(phantom().astype(float), [k, j, i], order=1, mode="nearest")
    return np.where(is_outside, np.nan, values)


def cut(case: dict[str, Any], stack: dict[str, Any]) -> list[list[float | None]]:
    affine = np.array(stack["lps_from_ijw"])
    table, holes = stack["slice_mm"], stack["holes"]
    half = [(SHAPE[2] - 1) / 2, (SHAPE[1] - 1) / 2, table[-1] / 2 if table else (SHAPE[0] - 1) / 2]
    origin, right, down, normal = grid_of(case, affine[:3, :3] @ half + affine[:3, 3])
    case["origin"], case["right"], case["down"] = origin.tolist(), right.tolist(), down.tolist()
    case["unit_normal"] = normal.tolist()
    rows, columns = np.indices((case["rows"], case["columns"])).astype(float)
    flat = origin + case["spacing_mm"] * (columns[..., None] * right + rows[..., None] * down)
    count = 1
    if case["mode"] != "thin":
        count = int(np.ceil(case["thickness_mm"] / min(SPACING) - 1e-6))
    depths = ((np.arange(count) + 0.5) / count - 0.5) * case["thickness_mm"]
    layers = []
    for depth in depths:
        places = flat + depth * normal
        layers.append(by_table(affine, places, table, holes) if table else by_itk(affine, places))
    merge: dict[str, Any] = {
        "thin": np.nanmax,
        "mip": np.nanmax,
        "minip": np.nanmin,
        "mean": np.nanmean,
    }
    with warnings.catch_warnings():
        # Where every layer is outside.
        warnings.simplefilter("ignore", RuntimeWarning)
        merged = merge[case["mode"]](np.array(layers), axis=0)
    return [[None if np.isnan(one) else round(float(one), 3) for one in row] for row in merged]


def main() -> None:
    stacks = {
        "even": {"lps_from_ijw": affine_of((0, 0), 2.0).tolist(), "slice_mm": [], "holes": []},
        "tilted": {
            "lps_from_ijw": affine_of((0.1, -0.35), 2.0).tolist(), "slice_mm": [], "holes": [],
        },
        "uneven": {
            "lps_from_ijw": affine_of((0, 0), 1.0).tolist(), "slice_mm": UNEVEN, "holes": [],
        },
        "missing": {
            "lps_from_ijw": affine_of((0, 0.1), 1.0).tolist(), "slice_mm": HOLES, "holes": [3],
        },
    }  # fmt: skip
    axial, coronal = ([0, 0, 1], [0, -1, 0]), ([0, 1, 0], [0, 0, 1])
    sagittal, oblique = ([-1, 0, 0], [0, 0, 1]), ([0.3, -0.5, 0.8], [0.1, -0.7, 0.2])
    asked = [
        ("even", axial, "thin", 0.0), ("even", oblique, "thin", 0.0), ("even", coronal, "mip", 6.0),
        ("even", oblique, "minip", 5.0), ("even", sagittal, "mean", 7.3),
        ("tilted", sagittal, "thin", 0.0), ("tilted", oblique, "mean", 4.0),
        ("uneven", coronal, "thin", 0.0), ("uneven", oblique, "mip", 5.0),
        ("missing", sagittal, "thin", 0.0), ("missing", oblique, "mean", 3.0),
    ]  # fmt: skip
    cases = []
    for stack, (normal, up), mode, thickness in asked:
        case: dict[str, Any] = {
            "stack": stack, "normal": normal, "up": up, "mode": mode, "thickness_mm": thickness,
            "offset": [0.31, -0.17, 0.23], "spacing_mm": 1.3, "rows": 13, "columns": 15,
        }  # fmt: skip
        case["values"] = cut(case, stacks[stack])
        cases.append(case)
    tools = {"simpleitk": SimpleITK.Version_VersionString(), "scipy": scipy.__version__}
    about = {"shape": SHAPE, "spacing_mm": SPACING, "versions": tools}
    print(json.dumps({**about, "stacks": stacks, "cases": cases}, separators=(",", ":")))


if __name__ == "__main__":
    main()
