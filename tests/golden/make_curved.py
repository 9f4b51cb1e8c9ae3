"""Write `curved.json`: values along curved lines, by VTK's probe filter.

    pip install vtk numpy; python make_curved.py > curved.json

Imports nothing of Noctis. The volume is made by a formula that the test repeats; the columns of
pixels are given here (points, directions, rows), so that only the looking up is compared.
"""

import json
import math

import numpy as np
import vtk
from vtk.util import numpy_support

SHAPE = (14, 20, 24)
SPACING = (0.7, 0.9, 1.6)
ORIGIN = (-8.0, 11.0, -30.0)
# Columns, rows and slices run along these: turned about x, then about z.
A, B = 0.3, -0.5
DIRECTION = np.array(
    [[math.cos(B), -math.sin(B), 0], [math.sin(B), math.cos(B), 0], [0, 0, 1]]
) @ np.array([[1, 0, 0], [0, math.cos(A), -math.sin(A)], [0, math.sin(A), math.cos(A)]])
COLUMNS, ROWS, SPACING_MM = 25, 15, 0.5
LAYERS_MM = [-1.0, -1.0 / 3, 1.0 / 3, 1.0]


def voxels() -> np.ndarray:
    """Return the volume: waves and steps, int16."""
    k, j, i = np.indices(SHAPE)
    waves = 700 * np.sin(i / 3) + 500 * np.cos(j / 2.5) + 60 * k
    steps = 300 * ((i + 2 * j + 3 * k) % 5 == 0)
    return np.asarray(np.rint(waves + steps - 200), np.int16)


def columns() -> list[dict[str, list[float]]]:
    """Return columns along a bow through the volume, their directions turning with it."""
    lps_from_ijk = DIRECTION @ np.diag(SPACING)
    made = []
    for number in range(COLUMNS):
        t = number / (COLUMNS - 1)
        ijk = [4 + 15 * t, 9 + 4 * math.sin(3 * t), 2 + 9 * t * t]
        across = DIRECTION @ [math.sin(2 * t), math.cos(2 * t), 0]
        deep = DIRECTION @ [math.cos(2 * t), -math.sin(2 * t), 0]
        point = lps_from_ijk @ ijk + ORIGIN
        made.append({"point": list(point), "across": list(across), "deep": list(deep)})
    return made


def probe(points: np.ndarray) -> np.ndarray:
    """Return values at points, NaN outside."""
    image = vtk.vtkImageData()
    image.SetDimensions(*SHAPE[::-1])
    image.SetSpacing(*SPACING)
    image.SetOrigin(*ORIGIN)
    image.SetDirectionMatrix(*DIRECTION.ravel())
    values = voxels().ravel().astype(np.float64)
    image.GetPointData().SetScalars(numpy_support.numpy_to_vtk(values, deep=True))
    places = vtk.vtkPoints()
    places.SetDataTypeToDouble()
    places.SetData(numpy_support.numpy_to_vtk(points.reshape(-1, 3).copy(), deep=True))
    cloud = vtk.vtkPolyData()
    cloud.SetPoints(places)
    look = vtk.vtkProbeFilter()
    look.SetInputData(cloud)
    look.SetSourceData(image)
    look.Update()
    data = look.GetOutput().GetPointData()
    found = numpy_support.vtk_to_numpy(data.GetScalars()).copy()
    valid = numpy_support.vtk_to_numpy(data.GetArray(look.GetValidPointMaskArrayName()))
    found[valid == 0] = np.nan
    return np.asarray(found.reshape(points.shape[:-1]))


def main() -> None:
    """Print the document."""
    made = columns()
    point, across, deep = (
        np.array([one[name] for one in made])[None, :, :] for name in ("point", "across", "deep")
    )
    downwards = (np.arange(ROWS) - (ROWS - 1) / 2)[:, None, None] * SPACING_MM
    thin = point + across * downwards
    layers = np.stack([probe(thin + deep * depth) for depth in LAYERS_MM])
    pictures = {"thin": probe(thin), "mip": layers.max(axis=0), "mean": layers.mean(axis=0)}
    document = {
        "program": f"VTK {vtk.vtkVersion.GetVTKVersion()}",
        "shape": SHAPE,
        "lps_from_ijk": [
            [*row, start]
            for row, start in zip((DIRECTION @ np.diag(SPACING)).tolist(), ORIGIN, strict=True)
        ],
        "rows": ROWS,
        "spacing_mm": SPACING_MM,
        # Four layers a third of this apart, their middles as above.
        "thickness_mm": 4 * 2 / 3,
        "columns": made,
        "pictures": {
            name: [[None if np.isnan(v) else round(float(v), 3) for v in row] for row in values]
            for name, values in pictures.items()
        },
    }
    print(json.dumps(document))


if __name__ == "__main__":
    main()
