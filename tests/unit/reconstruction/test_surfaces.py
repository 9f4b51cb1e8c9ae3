"""Surfaces of thresholds: closed, in the patient's millimetres, welded where bricks meet."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset
from rest_framework.exceptions import ValidationError

from accounts.models import User
from archive.models import Series
from imaging.errors import UnsupportedError
from imaging.volume import VolumeGeometry
from reconstruction import kind_surface, surfaces, tissue
from reconstruction.assembly import Scale
from reconstruction.surfaces import Mesh, Wish, build_surface
from reconstruction.volume_files import Volume
from reconstruction.work import Work
from tests.golden.make_surfaces import AFFINE, make_values
from tests.unit.reconstruction.conftest import make_slices

SHEARED = np.array(
    [[0.8, 0.0, 0.3, -40.0], [0.0, -1.1, 0.2, 12.0], [0.0, 0.0, 1.7, 5.0], [0, 0, 0, 1]]
)
NO_TABLE = np.zeros(0)
GOLDEN = Path(__file__).resolve().parents[2] / "golden"


def make_volume(
    values: np.ndarray,
    affine: np.ndarray,
    slice_mm: np.ndarray = NO_TABLE,
    holes: tuple[int, ...] = (),
) -> Volume:
    voxels = values.astype(np.int16)
    voxels.flags.writeable = False
    is_hole = np.zeros(max(len(slice_mm) - 1, 0), np.bool_)
    is_hole[list(holes)] = True
    spacing = (1.0, 1.0, 1.0)
    slices, rows, columns = voxels.shape
    geometry = VolumeGeometry((slices, rows, columns), affine, slice_mm, is_hole, spacing)
    return Volume("key", voxels, geometry, Scale(), int(voxels.min()), {})


def ball(
    shape: tuple[int, int, int], affine: np.ndarray, centre: np.ndarray, radius: float
) -> np.ndarray:
    """Return 500 times the depth in mm below a ball's surface, at the voxels of a grid."""
    k, j, i = np.indices(shape)
    places = np.stack([i, j, k], -1) @ affine[:3, :3].T + affine[:3, 3]
    depth = radius - np.linalg.norm(places - centre, axis=-1)
    values: np.ndarray = np.clip(np.rint(500 * depth), -30000, 30000)
    return values


def edges_of(mesh: Mesh) -> dict[tuple[int, int], int]:
    counts: dict[tuple[int, int], int] = {}
    for face in mesh.faces.tolist():
        for one, other in zip(face, face[1:] + face[:1], strict=True):
            counts[one, other] = counts.get((one, other), 0) + 1
    return counts


def assert_closed(mesh: Mesh) -> None:
    """Every edge is walked as often in one direction as in the other."""
    counts = edges_of(mesh)
    assert all(counts.get((other, one)) == count for (one, other), count in counts.items())


@pytest.fixture
def small_bricks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surfaces, "LAYERS_A_BRICK", 5)


def test_a_ball_on_a_sheared_grid_has_the_area_and_volume_of_the_formula(
    small_bricks: None,
) -> None:
    centre = SHEARED[:3, :3] @ (27, 21, 14) + SHEARED[:3, 3]
    volume = make_volume(ball((29, 44, 58), SHEARED, centre, 18.0), SHEARED)

    found = build_surface(volume, Wish(0))

    assert found.full.area_mm2 == pytest.approx(4 * np.pi * 18**2, rel=5e-3)
    assert found.full.volume_mm3 == pytest.approx(4 / 3 * np.pi * 18**3, rel=5e-3)
    # Every vertex is as far from the centre as the ball's surface: 0.05 mm is interpolation.
    assert np.abs(np.linalg.norm(found.mesh.points - centre, axis=1) - 18).max() < 0.05
    assert found.parts == 1
    assert_closed(found.mesh)


def test_area_and_volume_are_those_of_vtk(small_bricks: None) -> None:
    golden = json.loads((GOLDEN / "surfaces.json").read_text())["surfaces"]
    volume = make_volume(make_values(), np.array(AFFINE))

    for lowest, expected in golden.items():
        found = build_surface(volume, Wish(float(lowest)))
        assert found.full.area_mm2 == pytest.approx(expected["area_mm2"], rel=5e-3)
        assert found.full.volume_mm3 == pytest.approx(expected["volume_mm3"], rel=5e-3)


def test_bricks_are_welded_without_a_seam_thinned_out_or_not(
    monkeypatch: pytest.MonkeyPatch, small_bricks: None
) -> None:
    affine = np.eye(4)
    volume = make_volume(ball((30, 30, 30), affine, np.array([14.2, 15.1, 14.7]), 11.5), affine)

    whole = build_surface(volume, Wish(0)).mesh
    monkeypatch.setattr(surfaces, "TRIANGLES_AT_ONCE", 1500)
    thin = build_surface(volume, Wish(0, smoothing=3)).mesh

    # Euler: a closed surface without handles has V - E + F = 2.
    for mesh in (whole, thin):
        assert_closed(mesh)
        assert len(mesh.points) - len(edges_of(mesh)) / 2 + len(mesh.faces) == 2
    assert len(thin.faces) < len(whole.faces) / 2
    assert thin.measure().volume_mm3 == pytest.approx(4 / 3 * np.pi * 11.5**3, rel=0.02)


def test_noise_is_closed_whatever_touches(small_bricks: None) -> None:
    noise = np.random.default_rng(5).integers(-100, 100, (9, 11, 10))
    found = build_surface(make_volume(noise, np.diag([-1.0, 1, 2, 1])), Wish(20, 60))

    assert_closed(found.mesh)
    assert found.full.volume_mm3 > 0


def test_what_reaches_the_border_or_a_gap_is_closed_half_a_voxel_beyond() -> None:
    full = np.full((6, 4, 5), 100)
    even = build_surface(make_volume(full, np.diag([2.0, 1, 3, 1])), Wish(50))
    # 0, 1, 2 and 5, 6, 7 mm: half a millimetre is reached into the gap from either side.
    table = np.array([0.0, 1, 2, 5, 6, 7])
    parted = build_surface(make_volume(full, np.diag([2.0, 1, 1, 1]), table, (2,)), Wish(50))

    # Each corner of the block loses a little where three caps meet.
    assert even.mesh.points.min(axis=0) == pytest.approx([-1, -0.5, -1.5])
    assert even.mesh.points.max(axis=0) == pytest.approx([9, 3.5, 16.5])
    assert even.full.volume_mm3 == pytest.approx(6 * 4 * 5 * 6, rel=0.06)
    assert parted.parts == 2
    heights = np.unique(parted.mesh.points[:, 2])
    assert heights == pytest.approx([-0.5, 0, 1, 2, 2.5, 4.5, 5, 6, 7, 7.5])
    assert_closed(parted.mesh)


def test_the_largest_parts_are_kept_and_nothing_is_no_surface() -> None:
    affine = np.eye(4)
    small = ball((24, 24, 48), affine, np.array([8.0, 12, 12]), 5.0)
    large = ball((24, 24, 48), affine, np.array([33.0, 12, 12]), 9.0)
    volume = make_volume(np.maximum(small, large), affine)

    assert build_surface(volume, Wish(0)).parts == 2
    one = build_surface(volume, Wish(0, parts=1))
    assert one.parts == 1
    assert one.mesh.points[:, 0].min() > 20
    with pytest.raises(UnsupportedError, match="No voxel"):
        build_surface(volume, Wish(20_000))


def test_a_mask_says_which_of_the_voxels_in_the_range_are_meant(tmp_path: Path) -> None:
    affine = np.diag([1.0, 1.5, 2.0, 1])
    small = ball((14, 20, 48), affine, np.array([8.0, 14, 13]), 5.0)
    large = ball((14, 20, 48), affine, np.array([33.0, 14, 13]), 9.0)
    hollow = -ball((14, 20, 48), affine, np.array([33.0, 14, 13]), 4.0)
    volume = make_volume(np.maximum(small, np.minimum(large, hollow)), affine)
    seed = np.array([33.0, 14, 20])

    def build(name: str, *, fill: bool = False) -> surfaces.Surface:
        wish = tissue.Wish(0, np.inf, seed=seed, fill=fill)
        mask = tissue.segment(volume, wish, tmp_path / name).mask
        return build_surface(volume, Wish(0), mask=mask)

    shell, whole = build("shell"), build("whole", fill=True)
    # By the formula of the ball: with its cavity, and without.
    assert (shell.parts, whole.parts) == (2, 1)
    assert shell.full.volume_mm3 == pytest.approx(4 / 3 * np.pi * (9**3 - 4**3), rel=0.02)
    assert whole.full.volume_mm3 == pytest.approx(4 / 3 * np.pi * 9**3, rel=0.02)
    assert_closed(shell.mesh)
    assert shell.mesh.points[:, 0].min() > 20


def test_smoothing_keeps_the_volume_and_calms_noise() -> None:
    affine = np.eye(4)
    values = ball((28, 28, 28), affine, np.array([13.5, 13.5, 13.5]), 10.0)
    noisy = values + np.random.default_rng(2).normal(0, 250, values.shape)
    volume = make_volume(noisy, affine)

    rough = build_surface(volume, Wish(0, parts=1)).mesh.measure()
    calm = build_surface(volume, Wish(0, parts=1, smoothing=15)).mesh.measure()

    true = 4 * np.pi * 100
    assert abs(calm.area_mm2 - true) < 0.5 * abs(rough.area_mm2 - true)
    assert calm.volume_mm3 == pytest.approx(rough.volume_mm3, rel=0.01)


# --- the kind ------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"tissue": "hair"}, "tissue:"),
        ({"tissue": "bone", "lowest": 100}, "lowest:"),
        ({"tissue": "range"}, "lowest:"),
        ({"tissue": "range", "lowest": 5, "highest": 5}, "highest:"),
        ({"triangles": 10}, "triangles:"),
        ({"seed": [1, 2]}, "seed:"),
        ({"colour": "red"}, "colour:"),
    ],
)
def test_wrong_parameters_are_named(parameters: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=f"^.*{words}"):
        kind_surface.parse(parameters)


@pytest.mark.django_db(transaction=True)
def test_a_job_makes_stl_glb_and_numbers_of_the_same_surface(
    store: Callable[[Iterable[Dataset]], Series], rada: User, tmp_path: Path
) -> None:
    affine = np.diag([0.5, 0.75, 1.0, 1])
    centre = np.array([8.0, 9.0, 11.0])
    values = np.clip(ball((22, 25, 33), affine, centre, 7.0) / 10, -1000, 1000)
    hu = np.rint(values).astype(np.int32)
    series = store(make_slices(hu, origin=(0, 0, 0), step=(0, 0, 1.0)))
    work = Work(series=series, person=rada, folder=tmp_path)

    kind_surface.run(work, kind_surface.parse({"tissue": "range", "lowest": 0, "smoothing": 0}))

    assert [one.name for one in work.files] == [
        "surface_range.stl", "surface_range.glb", "surface_range.json",
    ]  # fmt: skip
    about = json.loads((tmp_path / "surface.json").read_text())
    assert about["volume_ml"] == pytest.approx(4 / 3 * np.pi * 7**3 / 1000, rel=0.01)
    stl = read_stl(tmp_path / "surface.stl")
    assert len(stl) == about["triangles"]
    assert np.abs(np.linalg.norm(stl - centre, axis=-1) - 7).max() < 0.1
    # By the specification of glTF: metres, y up, z to the front; so x, z, -y of lps.
    corners = 1000 * read_glb(tmp_path / "surface.glb")
    assert np.stack([corners[..., 0], -corners[..., 2], corners[..., 1]], -1) == pytest.approx(
        stl, abs=1e-3
    )


def read_stl(path: Path) -> np.ndarray:
    content = path.read_bytes()
    (count,) = struct.unpack_from("<I", content, 80)
    assert len(content) == 84 + 50 * count
    rows = np.frombuffer(content, np.uint8, offset=84).reshape(count, 50)
    corners: np.ndarray = rows[:, 12:48].copy().view("<f4").reshape(count, 3, 3)
    return corners


def read_glb(path: Path) -> np.ndarray:
    content = path.read_bytes()
    magic, version, size, length, kind = struct.unpack_from("<4sII I4s", content)
    assert (magic, version, size, kind) == (b"glTF", 2, len(content), b"JSON")
    about, binary = json.loads(content[20 : 20 + length]), content[28 + length :]

    def view(number: int, kind: str, width: int) -> np.ndarray:
        accessor = about["accessors"][number]
        part = about["bufferViews"][accessor["bufferView"]]
        start = part["byteOffset"]
        values = np.frombuffer(binary[start : start + part["byteLength"]], kind)
        return values.reshape(-1, width)

    primitive = about["meshes"][0]["primitives"][0]
    points = view(primitive["attributes"]["POSITION"], "<f4", 3)
    assert points.min(axis=0) == pytest.approx(about["accessors"][0]["min"])
    corners: np.ndarray = points[view(primitive["indices"], "<u4", 3)]
    return corners


@pytest.mark.django_db(transaction=True)
def test_presets_ask_for_hounsfield_units(
    store: Callable[[Iterable[Dataset]], Series], rada: User, tmp_path: Path
) -> None:
    series = store(make_slices(np.full((4, 8, 8), 300), ImageType=["DERIVED", "PRIMARY", "MIP"]))

    with pytest.raises(UnsupportedError, match="not known to be Hounsfield"):
        kind_surface.run(Work(series=series, person=rada, folder=tmp_path), kind_surface.parse({}))
