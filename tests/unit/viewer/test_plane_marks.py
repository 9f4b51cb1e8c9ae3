"""Marks on reformatted planes: what is measured there, for whom, and how it leaves and comes back."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813  (as everybody calls it)
from django.test import Client
from pydicom.uid import Comprehensive3DSRStorage

from accounts.models import AuditRow, Facility, User
from archive import storage
from archive.models import Event, Instance, Series
from reconstruction.compiled import load_kernels
from reconstruction.volumes import open_volume
from tests.unit.reconstruction.conftest import make_slices, store_series
from tests.unit.viewer.test_mark_exports import check
from tests.unit.viewer.test_measurements import send
from viewer.models import Measurement

pytestmark = pytest.mark.django_db

Log = Callable[[User], Client]
URL = "/api/v1/measurements/"
ANNOTATIONS = "/api/v1/annotations/"
# Columns lie 0.5 mm apart, rows 0.75, slices 2: a voxel in a corner of the phantom is at ORIGIN.
SPACING = (0.75, 0.5)
STEP = 2.0
ORIGIN = (-20.0, 30.0, -5.0)
SHAPE = (20, 40, 48)


def phantom() -> np.ndarray:
    """Return HU of a smooth lump in noise, (slices, rows, columns)."""
    k, j, i = np.indices(SHAPE)
    lump = 900 * np.exp(-(((i - 24) / 9) ** 2 + ((j - 20) / 8) ** 2 + ((k - 10) / 4) ** 2))
    noise = np.random.default_rng(5).integers(-80, 80, SHAPE)
    return np.asarray(np.rint(lump) + noise, np.int32)


@pytest.fixture
def series(north: Facility) -> Series:
    """The phantom, stored in north."""
    slices = make_slices(phantom(), origin=ORIGIN, spacing_mm=SPACING, step=(0, 0, STEP))
    return store_series(slices, north)


@pytest.fixture
def volume(series: Series) -> Series:
    """The phantom with its volume built and the compiler warm: nobody has to come again."""
    open_volume(series)
    load_kernels()
    return series


def oblique(**changes: Any) -> dict[str, Any]:
    """Return a plane through the middle, leaning by 30 degrees, pixels of 0.4 mm."""
    lean = math.radians(30)
    row = [math.cos(lean), 0.0, math.sin(lean)]
    column = [0.0, 1.0, 0.0]
    middle = np.add(ORIGIN, [23.5 * SPACING[1], 19.5 * SPACING[0], 9.5 * STEP])
    origin = middle - 30 * 0.4 * np.array(row) - 30 * 0.4 * np.array(column)
    plane = {
        "origin": origin.tolist(), "row_direction": row, "column_direction": column,
        "spacing_mm": [0.4, 0.4],
    }  # fmt: skip
    return {**plane, **changes}


def wish(series: Series, **changes: Any) -> dict[str, Any]:
    """Return the body that asks for a length along a row of the oblique plane."""
    body = {
        "series_instance_uid": series.series_instance_uid, "plane": oblique(), "kind": "length",
        "points_px": [[10, 20], [35, 20]],
    }  # fmt: skip
    return {name: value for name, value in {**body, **changes}.items() if value is not None}


def resampled(plane: dict[str, Any], size: tuple[int, int]) -> np.ndarray:
    """Return the plane as SimpleITK cuts it, float32, (rows, columns)."""
    image = sitk.GetImageFromArray(phantom().astype(np.float32))
    image.SetOrigin(ORIGIN)
    image.SetSpacing((SPACING[1], SPACING[0], STEP))
    row, column = np.array(plane["row_direction"]), np.array(plane["column_direction"])
    matrix = np.stack([row, column, np.cross(row, column)], axis=1)
    grid = sitk.ResampleImageFilter()
    grid.SetOutputOrigin(plane["origin"])
    grid.SetOutputDirection(matrix.ravel().tolist())
    grid.SetOutputSpacing((plane["spacing_mm"][1], plane["spacing_mm"][0], 1.0))
    grid.SetSize((*size, 1))
    grid.SetInterpolator(sitk.sitkLinear)
    grid.SetDefaultPixelValue(float("nan"))
    return np.asarray(sitk.GetArrayFromImage(grid.Execute(image))[0])


# --- numbers ------------------------------------------------------------------------
def test_a_length_on_an_oblique_plane_is_that_between_the_points_in_the_patient(
    series: Series, rada: User, client_of: Log
) -> None:
    # 100 mm in space: 80 along the patient's x, 60 along z, drawn on a plane that leans so.
    plane = oblique(row_direction=[0.8, 0, 0.6], origin=[-30, 40, 0], frame_of_reference_uid="")
    ends = [[-30 + 4, 45, 3], [-30 + 84, 45, 63]]
    body = wish(series, plane=plane, points_px=None, points_lps_mm=ends)
    answer = send(client_of(rada), "post", URL, body)

    assert answer.status_code == 201, answer.content
    row = answer.json()
    assert row["value"] == pytest.approx(math.dist(*ends), abs=0.1)
    assert row["value"] == pytest.approx(100.0, abs=1e-6)
    assert (row["unit"], row["provenance"]) == ("mm", "reformatted")
    assert row["statistics"]["interpolation"] == "trilinear"
    # Along that line a voxel reaches the root of (0.8 x 0.5)^2 + (0.6 x 2)^2 mm.
    assert row["uncertainty"] == pytest.approx(math.sqrt(2 * (0.4**2 + 1.2**2) / 12))
    assert (row["instance"], row["sop_instance_uid"]) == (None, None)
    assert (row["series"], row["study"]) == (str(series.pk), str(series.study_id))
    assert row["plane"]["frame_of_reference_uid"] == series.frame_of_reference_uid
    assert np.allclose(row["points_lps_mm"], ends, atol=1e-9)
    assert np.allclose(row["points_px"], [[12.5, 12.5], [262.5, 12.5]], atol=1e-9)


@pytest.mark.parametrize("mode", ["thin", "mean"])
def test_a_region_has_the_values_that_another_program_cuts_out_there(
    volume: Series, rada: User, client_of: Log, mode: str
) -> None:
    plane = oblique(**({} if mode == "thin" else {"mode": "mean", "thickness_mm": 2.0}))
    body = wish(volume, kind="rectangle", plane=plane, points_px=[[14.5, 11.5], [40.5, 47.5]])
    row = send(client_of(rada), "post", URL, body).json()

    if mode == "thin":
        wanted = resampled(plane, (61, 61))
    else:
        # Four layers of half a millimetre, each in its middle.
        normal = np.cross(plane["row_direction"], plane["column_direction"])
        deep = [np.array(plane["origin"]) + depth * normal for depth in (-0.75, -0.25, 0.25, 0.75)]
        cuts = [resampled({**plane, "origin": one.tolist()}, (61, 61)) for one in deep]
        wanted = np.mean(cuts, axis=0)
    inside = wanted[12:48, 15:41]
    found = row["statistics"]
    assert found["count"] == inside.size
    assert found["mean"] == pytest.approx(float(inside.mean()), abs=0.5)
    assert found["max"] == pytest.approx(float(inside.max()), abs=0.5)
    assert found["unit"] == "HU"
    assert row["value"] == pytest.approx(26 * 36 * 0.16)
    assert row["notes"] == ([] if mode == "thin" else ["slab"])


def test_a_second_series_of_the_study_tells_its_values_under_the_same_shape(
    volume: Series, north: Facility, rada: User, client_of: Log
) -> None:
    # The same grid at 1,000 HU less: so must be the mean.
    uids: dict[str, Any] = {
        "StudyInstanceUID": volume.study.study_instance_uid,
        "FrameOfReferenceUID": volume.frame_of_reference_uid,
    }
    placed: dict[str, Any] = {"origin": ORIGIN, "spacing_mm": SPACING, "step": (0, 0, STEP)}
    lower = store_series(make_slices(phantom() - 1000, **placed, **uids), north)
    open_volume(lower)
    points = [[14.5, 11.5], [40.5, 47.5]]
    body = wish(volume, kind="rectangle", points_px=points, other=str(lower.pk))
    row = send(client_of(rada), "post", URL, body).json()
    other = row["statistics"]["other"]
    assert other["mean"] == pytest.approx(row["statistics"]["mean"] - 1000, abs=0.01)
    assert other["series"] == str(lower.pk)


def test_what_reaches_beyond_the_volume_says_so_and_counts_nothing_there(
    volume: Series, rada: User, client_of: Log
) -> None:
    client = client_of(rada)
    region = {"kind": "circle", "points_px": [[30, 30], [30, 90]]}
    row = send(client, "post", URL, wish(volume, **region)).json()
    assert "beyond_volume" in row["notes"]
    inside = np.isfinite(resampled(oblique(), (61, 61))).sum()
    assert 0 < row["statistics"]["count"] < 12000
    assert row["statistics"]["not_finite_count"] > inside
    probe = send(client, "post", URL, wish(volume, kind="probe", points_px=[[500, 500]])).json()
    assert (probe["value"], "beyond_volume" in probe["notes"]) == (None, True)


def test_every_kind_is_measured_and_drawn_there_and_follows_its_points(
    volume: Series, rada: User, client_of: Log
) -> None:
    client = client_of(rada)
    angle = send(
        client, "post", URL, wish(volume, kind="angle", points_px=[[8, 0], [0, 0], [0, 4]])
    ).json()
    assert angle["value"] == pytest.approx(90)
    ellipse = wish(volume, kind="ellipse", points_px=[[20, 25], [40, 25], [30, 20], [30, 30]])
    row = send(client, "post", URL, ellipse).json()
    assert row["value"] == pytest.approx(math.pi * 4 * 2)
    change = {"version": 1, "points_px": [[20, 25], [40, 25], [30, 15], [30, 35]]}
    row = send(client, "patch", f"{URL}{row['id']}/", change).json()
    assert (row["value"], row["version"]) == (pytest.approx(math.pi * 4 * 4), 2)
    arrow = wish(volume, kind="arrow", points_px=[[5, 6], [20, 20]], label="see")
    by_key = {**arrow, "series_id": str(volume.pk)}
    del by_key["series_instance_uid"]
    drawn = send(client, "post", ANNOTATIONS, by_key)
    assert drawn.status_code == 201, drawn.content
    assert drawn.json()["plane"]["spacing_mm"] == [0.4, 0.4]
    line = wish(volume, kind="calibration", known_mm=5, points_px=[[5, 6], [20, 20]])
    assert list(send(client, "post", ANNOTATIONS, line).json()["errors"]) == ["points_px"]


# --- who, and what is refused -----------------------------------------------------------
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"plane": oblique(row_direction=[1, 1, 0])}, "plane"),
        ({"plane": oblique(column_direction=[0.1, 0.995, 0])}, "plane"),
        ({"plane": oblique(spacing_mm=[0, 1])}, "plane"),
        ({"plane": oblique(origin=[1, 2, "3"])}, "plane"),
        ({"plane": oblique(mode="thick")}, "plane"),
        ({"plane": oblique(time_point=1)}, "plane"),
        ({"plane": oblique(frame_of_reference_uid="1.2.3")}, "plane"),
        ({"plane": {**oblique(), "rows": 5}}, "plane"),
        ({"plane": None}, "sop_instance_uid"),
        ({"sop_instance_uid": "1.2.3.4.1"}, "sop_instance_uid"),
        ({"points_px": None, "points_lps_mm": [[0, 0, 0], [500, 500, 500]]}, "points_lps_mm"),
    ],
)
def test_what_makes_no_plane_is_refused_by_its_field(
    series: Series, rada: User, client_of: Log, changes: dict[str, Any], field: str
) -> None:
    answer = send(client_of(rada), "post", URL, wish(series, **changes))
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    assert not Measurement.objects.exists()


def test_foreign_is_missing_and_all_is_told_as_of_other_marks(
    series: Series, rada: User, fiona: User, client_of: Log
) -> None:
    client = client_of(rada)
    made = send(client, "post", URL, wish(series)).json()
    assert send(client_of(fiona), "post", URL, wish(series)).status_code == 404
    assert client_of(fiona).get(f"{URL}{made['id']}/").status_code == 404
    for query in (f"series={series.pk}", f"series_instance_uid={series.series_instance_uid}"):
        assert [one["id"] for one in client.get(f"{URL}?{query}").json()["results"]] == [made["id"]]
    (news,) = Event.objects.filter(kind="marks_changed")
    assert (news.payload["instance"], news.payload["series"]) == (None, str(series.pk))
    trail = AuditRow.objects.get(action="measurement_created")
    assert trail.detail["series_instance_uid"] == series.series_instance_uid


def test_a_series_that_is_no_volume_gives_its_reasons(
    north: Facility, rada: User, client_of: Log
) -> None:
    flat = store_series(make_slices(phantom()[:1]), north)
    answer = send(client_of(rada), "post", URL, wish(flat))
    assert answer.status_code == 422
    assert "too_few_slices" in answer.json()["reason_codes"]


# --- out and in ---------------------------------------------------------------------------
def test_reports_and_tables_carry_the_plane_and_states_say_that_they_do_not(
    volume: Series, rada: User, client_of: Log, tmp_path: Path
) -> None:
    client = client_of(rada)
    drawn: dict[str, Any] = {
        "length": [[10, 20], [35, 20]],
        "bidirectional": [[10, 20], [30, 20], [20, 15], [20, 25]],
        "rectangle": [[14.5, 11.5], [40.5, 47.5]],
        "circle": [[30, 30], [36, 30]],
        "ellipse": [[20, 25], [40, 25], [30, 20], [30, 30]],
        "polygon": [[20, 20], [30, 20], [25, 30]],
        "probe": [[30, 30]],
    }
    made = {
        kind: send(client, "post", URL, wish(volume, kind=kind, points_px=points)).json()
        for kind, points in drawn.items()
    }
    address = f"/api/v1/studies/{volume.study_id}/"
    asked = {"forms": ["report", "presentation"]}
    answer = send(client, "post", f"{address}mark-exports/", asked)
    assert answer.status_code == 201, answer.content
    (stored,) = answer.json()["objects"]
    assert stored["sop_class_uid"] == Comprehensive3DSRStorage
    assert len(answer.json()["left_out"]) == len(drawn)
    assert "reformatted planes" in answer.json()["left_out"][0]["reason"]

    instance = Instance.objects.get(pk=stored["instance"])
    with storage.open_instance(instance.storage_key) as file:
        report = pydicom.dcmread(io.BytesIO(file.read()))
    check(tmp_path, report)
    places = [one for one in report.iterall() if one.keyword == "GraphicData"]
    frames = {
        str(one.value) for one in report.iterall() if one.keyword == "ReferencedFrameOfReferenceUID"
    }
    assert len(places) >= len(drawn)
    assert frames == {volume.frame_of_reference_uid}

    back = {
        row["kind"]: row for row in client.get(f"{address}stored-marks/").json()["measurements"]
    }
    assert set(back) == set(drawn)
    for kind, row in made.items():
        assert back[kind]["mark"] == row["id"]
        assert back[kind]["series"] == str(volume.pk)
        assert back[kind]["plane"] == row["plane"]
        assert back[kind]["value"] == pytest.approx(row["value"], rel=1e-6)
        if kind not in ("rectangle", "circle"):
            assert np.allclose(back[kind]["points_px"], drawn[kind], atol=1e-4), kind
    center, rim = np.array(back["circle"]["points_px"])
    assert center == pytest.approx([30, 30], abs=1e-4)
    assert math.dist(center, rim) == pytest.approx(6, abs=1e-4)

    table = client.get(f"{address}marks.csv").content.decode("utf-8-sig")
    rows = {row["kind"]: row for row in csv.DictReader(io.StringIO(table))}
    assert json.loads(rows["length"]["plane"]) == made["length"]["plane"]
    assert (rows["length"]["sop_instance_uid"], rows["length"]["frame"]) == ("", "")
