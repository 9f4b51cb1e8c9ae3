"""What another program makes of the same voxels: SimpleITK, told where they lie by pydicom.

Nothing of ours is used: slices are sorted by their position along the normal, values are
rescaled by pydicom's numbers. A sheared stack is resampled in index space by an affine transform
that is composed by hand, for ITK's images know no shear.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import SimpleITK
from pydicom import Dataset

OUTSIDE = -30000.0


@dataclass
class Stack:
    """Values (slices, rows, columns) and lps_from_ijk, as the files say."""

    values: np.ndarray
    affine: np.ndarray


def stack_of(datasets: Sequence[Dataset]) -> Stack:
    """Sort and rescale; the step from slice to slice is the whole way divided by the steps."""
    row, column = np.array(datasets[0].ImageOrientationPatient, float).reshape(2, 3)
    normal = np.cross(row, column)
    ordered = sorted(datasets, key=lambda one: float(normal @ np.array(one.ImagePositionPatient)))
    places = np.array([list(map(float, one.ImagePositionPatient)) for one in ordered])
    between_rows, between_columns = map(float, ordered[0].PixelSpacing)
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = row * between_columns, column * between_rows
    affine[:3, 2] = (places[-1] - places[0]) / (len(places) - 1)
    affine[:3, 3] = places[0]
    values = [
        one.pixel_array.astype(np.float32) * float(one.get("RescaleSlope", 1))
        + float(one.get("RescaleIntercept", 0))
        for one in ordered
    ]
    return Stack(np.stack(values).astype(np.float32), affine)


def resample(stack: Stack, plane: dict[str, Any], depth_mm: float = 0.0) -> np.ndarray:
    """Return the plane that `X-Noctis-Plane` describes, float32, OUTSIDE where ITK says so.

    ITK's image lies in index space (spacing 1, no direction); the transform leads from there
    to here: ijk = inverse(affine) * lps.
    """
    image = SimpleITK.GetImageFromArray(stack.values)
    right, down = np.array(plane["row_direction"]), np.array(plane["column_direction"])
    normal, origin = np.cross(right, down), np.array(plane["origin"])
    inverse = np.linalg.inv(stack.affine)
    to_index = SimpleITK.AffineTransform(3)
    to_index.SetMatrix(inverse[:3, :3].ravel().tolist())
    to_index.SetTranslation(inverse[:3, 3].tolist())
    filter_ = SimpleITK.ResampleImageFilter()
    filter_.SetTransform(to_index)
    filter_.SetInterpolator(SimpleITK.sitkLinear)
    filter_.SetOutputPixelType(SimpleITK.sitkFloat32)
    filter_.SetDefaultPixelValue(OUTSIDE)
    filter_.SetSize([plane["columns"], plane["rows"], 1])
    between_rows, between_columns = plane["spacing_mm"]
    filter_.SetOutputSpacing([between_columns, between_rows, 1.0])
    filter_.SetOutputDirection(np.stack([right, down, normal], axis=1).ravel().tolist())
    filter_.SetOutputOrigin((origin + normal * depth_mm).tolist())
    made: np.ndarray = SimpleITK.GetArrayFromImage(filter_.Execute(image))[0]
    return made
