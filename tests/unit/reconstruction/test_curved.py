"""Curved pictures: lines and frames by geometry's own truths, values by VTK, the address."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.test import Client
from pydicom import Dataset, dcmread
from rest_framework.exceptions import ValidationError

from accounts.models import User
from archive.models import Series
from imaging.curve import CurvedGeometry, straighten, stretch
from imaging.plane import Slab
from imaging.volume import VolumeGeometry
from reconstruction import kind_curved
from reconstruction.assembly import Scale
from reconstruction.compiled import load_kernels
from reconstruction.curved import cut_curve
from reconstruction.volume_files import Volume
from reconstruction.work import Work
from tests.unit.reconstruction.conftest import index_volume, make_slices
from tests.unit.reconstruction.test_derived import is_valid

GOLDEN = Path(__file__).parents[2] / "golden" / "curved.json"
Store = Callable[[Iterable[Dataset]], Series]


def quarter(radius: float, count: int = 9) -> np.ndarray:
    """Return points on a quarter of a circle in the plane z = 7."""
    angles = np.linspace(0, np.pi / 2, count)
    flat = np.stack([radius * np.cos(angles), radius * np.sin(angles)], axis=1)
    return np.column_stack([flat, np.full(count, 7.0)])


# --- lines ------------------------------------------------------------------------------
def test_columns_of_a_straightened_arc_lie_on_it_at_equal_lengths() -> None:
    made = straighten(quarter(50.0), width_mm=10.0, spacing_mm=0.5)

    # A quarter of a circle of 50 mm is 78.54 mm long.
    assert made.columns == 158
    assert made.rows == 20
    radii = np.hypot(made.points[:, 0], made.points[:, 1])
    assert np.abs(radii - 50).max() < 0.02
    angles = np.arctan2(made.points[:, 1], made.points[:, 0])
    assert np.abs(angles * 50 - made.arc_mm).max() < 0.02
    assert np.abs(made.tangents[:, 0] + np.sin(angles)).max() < 1e-2
    assert np.allclose(made.line_rows, 9.5)


def test_frames_do_not_turn_about_the_line_and_an_angle_turns_all_of_them() -> None:
    arc = quarter(50.0)
    made = straighten(arc, width_mm=10.0, spacing_mm=0.5)
    turned = straighten(arc, width_mm=10.0, spacing_mm=0.5, angle_deg=30.0)

    # Of a flat line what is upright stays upright: no share of it enters or leaves.
    upright = made.across[:, 2]
    assert np.abs(upright - upright[0]).max() < 1e-6
    cosines = np.sum(made.across * turned.across, axis=1)
    assert np.abs(cosines - np.cos(np.deg2rad(30))).max() < 1e-6
    for one in (made, turned):
        assert np.abs(np.sum(one.across * one.tangents, axis=1)).max() < 1e-9
        assert np.abs(np.sum(one.deep * one.across, axis=1)).max() < 1e-9


def test_a_stretched_line_keeps_heights_and_the_length_of_its_shadow() -> None:
    # 30 mm along x and 40 along z, then 30 along x alone; 0.001 mm of y make z the column.
    points = np.array([[0, 0, 0], [15, 0.001, 20], [30, 0, 40], [60, 0, 40.0]])
    made = stretch(points, width_mm=12.0, spacing_mm=0.5, angle_deg=90.0)

    column = made.across[0]
    assert np.allclose(made.across, column)
    heights = made.points @ column
    # Pixel (column, line_rows) is on the line, wherever the first row is.
    zero = heights - made.line_rows * 0.5
    assert np.ptp(zero) < 1e-6
    shadow = made.points - np.outer(heights, column)
    steps = np.linalg.norm(np.diff(shadow, axis=0), axis=1)
    assert np.abs(steps - 0.5).max() < 5e-3
    assert made.rows == pytest.approx((np.ptp(heights) + 12) / 0.5, abs=1.5)


# --- values -----------------------------------------------------------------------------
@pytest.fixture
def golden() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(GOLDEN.read_text())
    return document


@pytest.mark.parametrize("mode", ["thin", "mip", "mean"])
def test_values_are_those_of_vtks_probe(golden: dict[str, Any], mode: str) -> None:
    k, j, i = np.indices(golden["shape"])
    waves = 700 * np.sin(i / 3) + 500 * np.cos(j / 2.5) + 60 * k
    voxels = np.rint(waves + 300 * ((i + 2 * j + 3 * k) % 5 == 0) - 200).astype(np.int16)
    voxels.flags.writeable = False
    affine, nothing = np.eye(4), np.zeros(0)
    affine[:3] = golden["lps_from_ijk"]
    # The finest voxels are 2/3 mm here, so that a slab has the four layers of the truth.
    space = VolumeGeometry(
        voxels.shape, affine, nothing, nothing.astype(np.bool_), (2 / 3, 0.9, 1.6)
    )
    volume = Volume("", voxels, space, Scale(), int(voxels.min()), {})
    columns = {
        name: np.array([one[name] for one in golden["columns"]])
        for name in ("point", "across", "deep")
    }
    count, step = len(golden["columns"]), golden["spacing_mm"]
    curve = CurvedGeometry(
        points=columns["point"], tangents=columns["point"], across=columns["across"],
        deep=columns["deep"], line_rows=np.full(count, (golden["rows"] - 1) / 2),
        arc_mm=np.arange(count), spacing_mm=(step, step), rows=golden["rows"],
    )  # fmt: skip

    found = cut_curve(volume, curve, Slab(mode, golden["thickness_mm"]))

    truth = np.array(golden["pictures"][mode], np.float64)
    both = ~np.isnan(truth) & ~np.isnan(found)
    assert both.mean() > 0.9
    assert np.abs(found - truth)[both].max() < 2e-3


# --- the address and the job ------------------------------------------------------------
LINE = [[-19, 31, -4], [-18, 33, 1], [-17.5, 35, 6]]


@pytest.mark.django_db(transaction=True)
def test_a_line_is_sent_and_the_picture_comes_with_its_columns(
    store: Store, rada: User, client_of: Callable[[User], Client]
) -> None:
    load_kernels()
    series, browser = store(make_slices(index_volume())), client_of(rada)
    address = f"/api/v1/series/{series.pk}/curved"

    # Along column 4, row 5: the voxels themselves, slice after slice, 2 mm apart.
    straight = {"points": [[-18, 33.75, -5], [-18, 33.75, 7]], "spacing_mm": 2, "width_mm": 2}
    answer = browser.post(address, straight, content_type="application/json")
    assert answer.status_code == 200, answer.content
    length = int.from_bytes(answer.content[:4], "little")
    about = json.loads(answer.content[4 : 4 + length])
    values = np.frombuffer(answer.content, "<i2", offset=4 + length)
    assert (4 + length) % 8 == 0
    assert (about["columns"], about["rows"]) == (7, 1)
    assert values.tolist() == index_volume()[:, 5, 4].tolist()
    assert about["points"][3] == [-18, 33.75, 1]
    assert about["tangents"][3] == [0, 0, 1]
    assert about["arc_mm"] == [0, 2, 4, 6, 8, 10, 12]

    wrong: list[tuple[str, Any]] = [
        ("points", [[0, 0, 0]]), ("points", [[0, 0, 0], [0, 0, 0]]), ("points", "line"),
        ("points", [[0, 0, 0], [0, 0, 99_999]]), ("points", [[0, 0, 0], [0, 0, 10**400]]),
        ("width_mm", 0), ("form", "bent"), ("angle_deg", True), ("mode", "max"), ("zoom", 2),
        ("spacing_mm", "1"),
    ]  # fmt: skip
    for name, value in wrong:
        refused = browser.post(address, {**straight, name: value}, content_type="application/json")
        assert (refused.status_code, refused.json()["detail"].split(":")[0]) == (400, name)
    nested = "[" * 100_000 + "]" * 100_000
    for one in (address, address.replace("curved", "view3d")):
        assert browser.post(one, nested, content_type="application/json").status_code == 400


@pytest.mark.django_db(transaction=True)
def test_a_job_writes_the_picture_from_all_sides_and_sections_across(
    store: Store, rada: User, tmp_path: Path
) -> None:
    series = store(make_slices(index_volume()))
    work = Work(series=series, person=rada, folder=tmp_path)

    kind_curved.run(
        work,
        kind_curved.parse(
            {"points": LINE, "width_mm": 4, "spacing_mm": 0.5, "views": 3,
             "cross_spacing_mm": 4, "output": ["dicom", "json", "png", "npy"]}
        ),
    )  # fmt: skip

    made = [dcmread(path) for path in work.dicom_paths]
    pictures = [one for one in made if "ImagePositionPatient" not in one]
    sections = [one for one in made if "ImagePositionPatient" in one]
    assert [one.InstanceNumber for one in pictures] == [1, 2, 3]
    assert {one.SOPClassUID.name for one in pictures} == {"Secondary Capture Image Storage"}
    assert len({one.SeriesInstanceUID for one in made}) == 2
    assert [float(one) for one in pictures[0].PixelSpacing] == [0.5, 0.5]
    assert is_valid(work.dicom_paths[0])
    # Sections stand on the line: their middle is on it, their normal is its way.
    first = sections[0]
    assert len(sections) == 3
    row, column = np.array(first.ImageOrientationPatient, float).reshape(2, 3)
    half = 0.5 * (np.array([first.Columns, first.Rows]) - 1) / 2
    middle = np.array(first.ImagePositionPatient, float) + row * half[0] + column * half[1]
    assert np.abs(middle - LINE[0]).max() < 1e-3
    shape = np.load(tmp_path / "curved.npy").shape
    assert shape == (3, pictures[0].Rows, pictures[0].Columns)
    assert sorted(one.name for one in work.files) == [
        "curved.json", "curved.npy", "pictures.zip",
    ]  # fmt: skip
    too_large: list[tuple[str, dict[str, Any]]] = [
        ("cross_width_mm", {"spacing_mm": 0.1, "cross_width_mm": 500, "cross_spacing_mm": 50}),
        ("cross_width_mm", {"cross_spacing_mm": 50, "cross_width_mm": 500, "mode": "mip",
                            "thickness_mm": 200}),
        ("cross_spacing_mm", {"cross_spacing_mm": 0.1, "points": [[0, 0, 0], [0, 0, 300]]}),
        ("views", {"views": 72, "width_mm": 400, "spacing_mm": 0.1,
                   "points": [[0, 0, 0], [0, 0, 300]]}),
    ]  # fmt: skip
    for name, also in too_large:
        wish = {"points": LINE, "width_mm": 4, "spacing_mm": 0.5, **also}
        with pytest.raises(ValidationError, match=f"{name}: "):
            kind_curved.run(work, kind_curved.parse(wish))
