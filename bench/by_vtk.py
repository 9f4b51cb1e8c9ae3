"""The same planes, turns and curves by VTK, for `bench.reconstruction`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from imaging.plane import PlaneGeometry

try:
    import vtk
    from vtk.util import numpy_support
except ImportError:
    vtk = None

OUTSIDE = -32768


def is_installed() -> bool:
    """Whether VTK can be compared with."""
    return vtk is not None


def make_image(volume: Any) -> Any:
    """Return the same voxels as VTK's image. The stack must be even and upright."""
    affine = volume.geometry.lps_from_ijw
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    slices, rows, columns = volume.geometry.shape
    image = vtk.vtkImageData()
    image.SetDimensions(columns, rows, slices)
    image.SetSpacing(*spacing)
    image.SetOrigin(*affine[:3, 3])
    image.SetDirectionMatrix(*(affine[:3, :3] / spacing).ravel())
    voxels = np.array(volume.voxels).ravel()
    image.GetPointData().SetScalars(numpy_support.numpy_to_vtk(voxels, deep=True))
    return image


def reslice(image: Any, plane: PlaneGeometry, depths: np.ndarray) -> Callable[[], np.ndarray]:
    """Return what cuts a plane or a MIP slab: as many layers, at the same depths."""
    cutter = vtk.vtkImageReslice()
    cutter.SetInputData(image)
    axes = vtk.vtkMatrix4x4()
    for row in range(3):
        for column, axis in enumerate((plane.row_direction, plane.column_direction, plane.normal)):
            axes.SetElement(row, column, axis[row])
        axes.SetElement(row, 3, plane.origin[row])
    cutter.SetResliceAxes(axes)
    cutter.SetOutputDimensionality(2)
    cutter.SetInterpolationModeToLinear()
    cutter.SetOutputSpacing(plane.spacing_mm[1], plane.spacing_mm[0], 1)
    cutter.SetOutputOrigin(0, 0, 0)
    cutter.SetOutputExtent(0, plane.columns - 1, 0, plane.rows - 1, 0, 0)
    cutter.SetBackgroundLevel(OUTSIDE)
    if len(depths) > 1:
        cutter.SetSlabModeToMax()
        cutter.SetSlabNumberOfSlices(len(depths))
        cutter.SetSlabSliceSpacingFraction(float(depths[1] - depths[0]))

    def cut() -> np.ndarray:
        cutter.Modified()
        cutter.Update()
        scalars = cutter.GetOutput().GetPointData().GetScalars()
        values: np.ndarray = numpy_support.vtk_to_numpy(scalars)
        return values.reshape(plane.rows, plane.columns)

    return cut


def probe(image: Any, points: np.ndarray) -> Callable[[], np.ndarray]:
    """Return what looks up places, lps of shape (..., 3), by the probe filter; OUTSIDE outside."""
    places = vtk.vtkPoints()
    places.SetDataTypeToDouble()
    places.SetData(numpy_support.numpy_to_vtk(points.reshape(-1, 3).copy(), deep=True))
    cloud = vtk.vtkPolyData()
    cloud.SetPoints(places)
    look = vtk.vtkProbeFilter()
    look.SetInputData(cloud)
    look.SetSourceData(image)

    def find() -> np.ndarray:
        look.Modified()
        look.Update()
        data = look.GetOutput().GetPointData()
        found = numpy_support.vtk_to_numpy(data.GetScalars()).astype(np.float32)
        valid = numpy_support.vtk_to_numpy(data.GetArray(look.GetValidPointMaskArrayName()))
        found[valid == 0] = OUTSIDE
        placed: np.ndarray = found.reshape(points.shape[:-1])
        return placed

    return find


def version() -> str:
    """Return VTK's version."""
    return str(vtk.vtkVersion.GetVTKVersion())
