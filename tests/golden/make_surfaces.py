"""Make `surfaces.json`: area and volume of surfaces by VTK's flying edges.

Run by hand, where VTK and numpy are installed: `python make_surfaces.py > surfaces.json`.
Volumes come of whole-number formulas alone, so that every program makes the same ones.
"""

from __future__ import annotations

import json

import numpy as np

# (slices, rows, columns); the affine from column, row, slice is sheared as of a tilted gantry.
SHAPE = (20, 36, 44)
AFFINE = [[0.7, 0, 0, -12], [0, 0.9, 0.4, 7], [0, 0, 1.6, -30], [0, 0, 0, 1]]


def make_values() -> np.ndarray:
    """Return a body with lobes, a cavity and waves on its skin, none of it at the border."""
    k, j, i = np.indices(SHAPE, dtype=np.int64)
    x, y, z = 2 * i - 43, 2 * j - 35, 4 * k - 38
    body = 900 - (x * x * 9 + y * y * 13 + z * z * 11) // 12
    lobe = 260 - ((x - 18) ** 2 + (y - 10) ** 2 * 2 + (z + 8) ** 2)
    cavity = 150 - ((x + 6) ** 2 + y * y + (z - 4) ** 2)
    waves = abs((2 * i + j + k) % 24 - 12) * 8
    values = np.maximum(body, lobe * 2) - 4 * np.maximum(cavity, 0) + waves
    made: np.ndarray = np.clip(values, -1000, 3000).astype(np.int16)
    return made


def main() -> None:
    """Print the numbers."""
    import vtk
    from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

    values, affine = make_values(), np.array(AFFINE, float)
    found = {}
    for lowest in (100, 350, 600):
        image = vtk.vtkImageData()
        image.SetDimensions(*values.shape[::-1])
        image.GetPointData().SetScalars(numpy_to_vtk(values.ravel(), deep=True))
        edges = vtk.vtkFlyingEdges3D()
        edges.SetInputData(image)
        edges.SetValue(0, lowest)
        edges.Update()
        made = edges.GetOutput()
        points = vtk_to_numpy(made.GetPoints().GetData()).astype(float)
        points = points @ affine[:3, :3].T + affine[:3, 3]
        faces = vtk_to_numpy(made.GetPolys().GetConnectivityArray()).reshape(-1, 3)
        a, b, c = (points[faces[:, corner]] for corner in range(3))
        found[str(lowest)] = {
            "triangles": len(faces),
            "area_mm2": float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2),
            "volume_mm3": float(abs((a * np.cross(b, c)).sum() / 6)),
        }
    print(json.dumps({"made_by": f"VTK {vtk.VTK_VERSION}", "surfaces": found}, indent=1))


if __name__ == "__main__":
    main()
