"""A volume seen as a body, beside VTK's ray caster, formulas and numpy."""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imaging.plane import PlaneGeometry
from imaging.rendering import (
    AVERAGE,
    COMPOSITE,
    FLAT,
    MINIP,
    MIP,
    Point,
    Shade,
    look_from_quaternion,
)
from imaging.volume import VolumeGeometry
from reconstruction.assembly import Scale
from reconstruction.casting import Look, box_cuts, corners_of, render_view
from reconstruction.volume_files import Volume
from tests.unit.imaging.real_files import GOLDEN

VTK: dict[str, Any] = json.loads((Path(GOLDEN) / "views.json").read_text())
STEEP = (Point(-1, 0.0, (255, 255, 255)), Point(1, 1.0, (255, 255, 255)))


def volume_of(
    voxels: np.ndarray, affine: np.ndarray, key: str, *, slice_mm: Any = (), holes: Any = ()
) -> Volume:
    """Return a volume in memory, read-only as one that is mapped."""
    spacing = [float(np.linalg.norm(affine[:3, axis])) for axis in range(3)]
    table = np.array(slice_mm, np.float64)
    if len(table):
        spacing[2] = float(np.median(np.diff(table)))
    geometry = VolumeGeometry(
        voxels.shape, affine, table, np.array(holes, np.bool_), (spacing[0], spacing[1], spacing[2])
    )
    kept = np.ascontiguousarray(voxels, np.int16)
    kept.flags.writeable = False
    return Volume(key, kept, geometry, Scale(), int(kept.min()), {"notes": []})


def around(center: Any, direction: Any, up: Any, *, width_mm: float, px: int) -> PlaneGeometry:
    plane = PlaneGeometry.around(
        np.array(center, float), normal=np.array(direction, float), up=np.array(up, float),
        size_mm=(width_mm, width_mm), size_px=(px, px),
    )  # fmt: skip
    assert plane is not None
    return plane


def unpacked(text: str, kind: str, shape: Any) -> np.ndarray:
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), kind).reshape(shape)


def is_seen(picture: np.ndarray) -> np.ndarray:
    seen: np.ndarray = picture.max(axis=2) > 24
    return seen


def widened(seen: np.ndarray) -> np.ndarray:
    """Return a mask and the pixels beside it."""
    wide = np.zeros_like(seen)
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            wide |= np.roll(seen, (down, across), (0, 1))
    return wide


@pytest.mark.parametrize("view", VTK["views"])
def test_views_are_those_of_vtk(view: str) -> None:
    affine = np.diag([*VTK["spacing_mm"], 1.0])
    affine[:3, 3] = VTK["origin"]
    volume = volume_of(unpacked(VTK["voxels"], "<i2", VTK["shape"]), affine, "vtk")
    px, step = VTK["size_px"], VTK["step_mm"]
    direction, up = VTK["views"][view]
    plane = around(VTK["center"], direction, up, width_mm=VTK["width_mm"], px=px)
    points = tuple(
        Point(value, opacity, (int(c[:2], 16), int(c[2:4], 16), int(c[4:], 16)))
        for value, opacity, c in VTK["points"]
    )

    mip = np.nan_to_num(render_view(volume, plane, Look(MIP), step=step), nan=0)
    flat = render_view(volume, plane, Look(COMPOSITE, points, FLAT), step=step)
    shaded = render_view(volume, plane, Look(COMPOSITE, points, Shade(*VTK["shade"])), step=step)

    theirs = unpacked(VTK["pictures"][f"{view} mip"], "<f4", (px, px))
    assert (np.abs(mip - theirs) <= 1).mean() > 0.999
    for ours, name, most in ((flat, "composite", 1.5), (shaded, "shaded", 5.0)):
        other = unpacked(VTK["pictures"][f"{view} {name}"], "u1", (px, px, 3)).astype(int)
        assert np.abs(ours - other).mean() < most, name
        # Each outline lies in the other, a pixel wider.
        for one, wide in ((ours, other), (other, ours)):
            assert not (is_seen(one) & ~widened(is_seen(wide))).any(), name


@pytest.mark.parametrize("kind", ["tilted", "uneven"])
def test_a_ball_is_round_however_its_slices_lie(kind: str) -> None:
    """Radius 9 mm around (3, -4, 12): the voxels hold how deep they lie in it, in 0.01 mm."""
    affine = np.diag([1.0, 1.2, 2.0, 1.0])
    affine[:3, 3] = (-14, -20, -4)
    slice_mm: Any = ()
    k, j, i = np.indices((17, 30, 34))
    if kind == "tilted":
        affine[:3, 2] = (0.0, 0.7, 1.8)
        w = k
    else:
        slice_mm = np.cumsum([0, *([1.0, 2.0, 3.0, 1.5] * 4)])
        affine[2, 2] = 1.0
        w = slice_mm[k]
    places = (
        np.einsum("ab,bkji->akji", affine[:3, :3], np.stack([i, j, w]))
        + affine[:3, 3, None, None, None]
    )
    away = np.sqrt(((places - np.array([3, -4, 12])[:, None, None, None]) ** 2).sum(axis=0))
    voxels = np.clip((9 - away) * 100, -3000, 3000).astype(np.int16)
    holes = np.zeros(max(len(slice_mm) - 1, 0), bool)
    volume = volume_of(voxels, affine, kind, slice_mm=slice_mm, holes=holes)
    px, width = 60, 30.0
    at = (np.arange(px) + 0.5) * width / px - width / 2
    distance = np.hypot(at[None, :], at[:, None])

    for direction, up in (((0, 1, 0), (0, 0, 1)), ((0.6, 0.3, -0.5), (0, 0, 1))):
        plane = around((3, -4, 12), direction, up, width_mm=width, px=px)
        seen = render_view(volume, plane, Look(COMPOSITE, STEEP))[..., 0] > 127

        assert seen[distance < 9 - width / px].all()
        assert not seen[distance > 9 + width / px].any()


def test_projections_along_an_axis_are_numpys_and_a_box_cuts() -> None:
    voxels = np.random.default_rng(3).integers(-900, 2000, (19, 26, 35)).astype(np.int16)
    volume = volume_of(voxels, np.eye(4), "numpy")
    # A pixel for each voxel, samples on the voxels' centres.
    plane = around((17, 9, 9), (0, 1, 0), (0, 0, 1), width_mm=35, px=35)
    rows = slice(8, 27)

    def seen(mode: str, cuts: Any = ()) -> np.ndarray:
        return render_view(volume, plane, Look(mode, cuts=cuts), step=1.0)[rows]

    assert np.array_equal(seen(MIP), voxels.max(axis=1)[::-1])
    assert np.array_equal(seen(MINIP), voxels.min(axis=1)[::-1])
    assert np.allclose(seen(AVERAGE), voxels.mean(axis=1)[::-1], atol=1e-2)
    cut = seen(MIP, box_cuts((4.5, 2.5, 1.5), (20.4, 12.4, 15.4)))
    assert np.isnan(cut[:, :5]).all()
    assert np.isnan(cut[:, 21:]).all()
    expected = voxels[2:16, 3:13, 5:21].max(axis=1)[::-1]
    assert np.array_equal(cut[3:17, 5:21], expected)


def test_what_lies_in_front_hides_what_lies_behind() -> None:
    """Red in front, green behind; each is opaque, so only the side decides."""
    voxels = np.zeros((20, 40, 20), np.int16)
    voxels[5:15, 4:8, 5:15] = 100
    voxels[5:15, 30:34, 5:15] = -100
    volume = volume_of(voxels, np.eye(4), "front")
    red, green = (255, 0, 0), (0, 255, 0)
    points = (Point(-90, 1, green), Point(-50, 0, green), Point(50, 0, red), Point(90, 1, red))
    middle = corners_of(volume.geometry).mean(axis=0)

    def seen(turn: tuple[float, float, float, float]) -> list[int]:
        plane = around(middle, *look_from_quaternion(turn), width_mm=40, px=21)
        picture: list[int] = render_view(volume, plane, Look(COMPOSITE, points))[10, 10].tolist()
        return picture

    assert seen((0, 0, 0, 1)) == [255, 0, 0]
    assert seen((0, 0, 1, 0)) == [0, 255, 0]


@pytest.mark.parametrize("slope_deg", [0, 40, 65])
def test_a_slope_is_lit_by_its_angle_in_the_patient(slope_deg: int) -> None:
    """A plane aslant in tilted, flat voxels: 0.25 + 0.75 cos + 0.2 cos^16 of white, by hand."""
    affine = np.diag([1.0, 0.7, 3.0, 1.0])
    affine[:3, 2] = (0.4, 1.1, 3.0)
    k, j, i = np.indices((14, 60, 40))
    places = np.einsum("ab,bkji->akji", affine[:3, :3], np.stack([i, j, k]))
    angle = np.radians(slope_deg)
    normal = np.array([0.0, np.cos(angle), np.sin(angle)])
    middle = affine[:3, :3] @ np.array([20.0, 30.0, 7.0])
    deep = np.einsum("a,akji->kji", normal, places - middle[:, None, None, None])
    volume = volume_of(np.rint(deep * 100).astype(np.int16), affine, f"slope {slope_deg}")
    plane = around(middle, (0, 1, 0), (0, 0, 1), width_mm=2, px=5)

    seen = render_view(volume, plane, Look(COMPOSITE, STEEP, Shade(0.25, 0.75, 0.2)))[2, 2, 0]

    cos = np.cos(angle)
    assert seen == pytest.approx(min(1, 0.25 + 0.75 * cos + 0.2 * cos**16) * 255, abs=3)
