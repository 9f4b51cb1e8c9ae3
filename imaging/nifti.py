"""The head of a NIfTI-1 file: 348 bytes that say how int16 voxels lie in the patient.

NIfTI's axes point to the right, the front and the head of the patient (RAS), ours to the left,
the back and the head: two signs differ. Voxels follow with columns fastest, then rows, planes.
"""

from __future__ import annotations

import struct

import numpy as np

# The head, and four bytes that say that nothing stands between it and the voxels.
HEAD_BYTES = 352
_INT16, _BITS = 4, 16
_MILLIMETRES = 2
_SCANNER = 1


def nifti_head(
    lps_from_ijk: np.ndarray, shape: tuple[int, int, int], *, slope: float, intercept: float
) -> bytes:
    """Return the head of voxels of shape (planes, rows, columns).

    A value is int16 * `slope` + `intercept`. `sform` is the affine itself. `qform` cannot say a
    shear: it is left out (code 0) where there is one.
    """
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ lps_from_ijk
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    axes = affine[:3, :3] / spacing
    handed = -1.0 if np.linalg.det(axes) < 0 else 1.0
    rotation = axes * np.array([1.0, 1.0, handed])
    is_rigid = bool(np.allclose(rotation.T @ rotation, np.eye(3), atol=1e-5))
    planes, rows, columns = shape
    head = bytearray(HEAD_BYTES)
    struct.pack_into("<i", head, 0, 348)
    struct.pack_into("<8h", head, 40, 3, columns, rows, planes, 1, 1, 1, 1)
    struct.pack_into("<2h", head, 70, _INT16, _BITS)
    struct.pack_into("<8f", head, 76, handed, *spacing, 1.0, 1.0, 1.0, 1.0)
    struct.pack_into("<3f", head, 108, HEAD_BYTES, slope, intercept)
    head[123] = _MILLIMETRES
    struct.pack_into("<2h", head, 252, _SCANNER if is_rigid else 0, _SCANNER)
    struct.pack_into("<3f", head, 256, *quaternion(rotation)[1:])
    struct.pack_into("<3f", head, 268, *affine[:3, 3])
    struct.pack_into("<12f", head, 280, *affine[:3].ravel())
    head[344:348] = b"n+1\0"
    return bytes(head)


def quaternion(rotation: np.ndarray) -> tuple[float, float, float, float]:
    """Return the unit quaternion (a, b, c, d) of a rotation, its first number not below 0."""
    # The eigenvector of the largest eigenvalue of this matrix: stable for every angle.
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = rotation
    matrix = np.array(
        [
            [xx + yy + zz, zy - yz, xz - zx, yx - xy],
            [zy - yz, xx - yy - zz, xy + yx, xz + zx],
            [xz - zx, xy + yx, yy - xx - zz, yz + zy],
            [yx - xy, xz + zx, yz + zy, zz - xx - yy],
        ]
    )
    _values, vectors = np.linalg.eigh(matrix)
    a, b, c, d = (float(value) for value in vectors[:, -1])
    return (a, b, c, d) if a >= 0 else (-a, -b, -c, -d)
