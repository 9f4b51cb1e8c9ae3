"""The highest voxel and the highest millilitre, against numbers made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from imaging.peak import Ball, find_highest, find_peak
from imaging.volume import VolumeGeometry

NOTHING = np.zeros(0)


def geometry(shape: tuple[int, int, int], affine: np.ndarray) -> VolumeGeometry:
    made = np.eye(4)
    made[:3, :3], made[:3, 3] = affine, (-10.0, 20.0, 5.0)
    return VolumeGeometry(shape, made, NOTHING, NOTHING.astype(np.bool_), (4.0, 4.0, 3.0))


# Columns run to the right (-x), rows along z, slices along y: 4, 4 and 3 mm.
MIRRORED = np.array([[-4.0, 0, 0], [0, 0, 3.0], [0, 4.0, 0]])


def test_the_highest_voxel_lies_where_the_affine_puts_it() -> None:
    voxels = np.zeros((9, 10, 11), np.int16)
    voxels[7, 2, 3] = 900
    voxels[4, 6, 5] = 800
    where = geometry(voxels.shape, MIRRORED)
    found = find_highest(voxels, where, None)
    assert found is not None
    # -10 - 3 * 4, 20 + 7 * 3, 5 + 2 * 4.
    assert (found.value, found.lps_mm) == (900, (-22.0, 41.0, 13.0))
    near = find_highest(voxels, where, Ball(np.array([-30.0, 32.0, 29.0]), 4.0))
    assert near is not None
    assert (near.value, near.lps_mm) == (800, (-30.0, 32.0, 29.0))
    assert find_highest(voxels, where, Ball(np.array([500.0, 0.0, 0.0]), 4.0)) is None


def test_the_peak_is_the_millilitre_of_the_highest_mean_and_not_about_the_highest_voxel() -> None:
    """Of voxels of 4 x 4 x 3 mm 21 have their centre within 6.2035 mm.

    In the middle slice 9 (0; 4; 5.66 mm), in those 3 mm away 5 each (3; 5 mm; 6.40 is too far),
    in those 6 mm away one each: 9 + 2 * 5 + 2 = 21.
    """
    voxels = np.zeros((11, 12, 13), np.int16)
    voxels[5, 3, 3] = 2100
    # A block of 1,000 with room for the whole ball about its middle alone.
    voxels[3:8, 7:10, 7:10] = 1000
    where = geometry(voxels.shape, MIRRORED)
    found = find_peak(voxels, where, None)
    assert found is not None
    assert (found.value, found.voxels) == (1000.0, 21)
    assert found.lps_mm == (-10.0 - 8 * 4, 20.0 + 5 * 3, 5.0 + 8 * 4)
    alone = find_peak(voxels, where, Ball(np.array([-22.0, 35.0, 17.0]), 1.0))
    assert alone is not None
    assert alone.value == 100.0
    # Voxels of a hundredth of a millimetre: a thousand million of them in a millilitre.
    assert find_peak(voxels, geometry(voxels.shape, MIRRORED / 400), None) is None
    # Too small for a millilitre.
    assert find_peak(voxels[:3], geometry((3, 12, 13), MIRRORED), None) is None


def test_what_would_take_hours_has_no_peak_but_near_a_place_it_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    voxels = np.zeros((11, 12, 13), np.int16)
    voxels[5, 5, 5] = 2100
    where = geometry(voxels.shape, MIRRORED)
    # 21 voxels of a ball about each of a slice's.
    monkeypatch.setattr("imaging.peak.ADDITIONS_LIMIT", 21 * 12 * 13)
    assert find_peak(voxels, where, None) is None
    near = find_peak(voxels, where, Ball(np.array([-30.0, 35.0, 25.0]), 1.0))
    assert near is not None
    assert near.value == 100.0
