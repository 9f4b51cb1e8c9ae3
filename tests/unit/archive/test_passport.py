"""The passport: what a series is good for, kept with it, made again when it has changed."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone
from pydicom import dcmread
from pydicom.uid import UID
from pytest_django import DjangoAssertNumQueries

from accounts.models import AuditRow, Facility, User
from archive import housekeeping, jobs, storage
from archive.badges import describe_badges
from archive.ingest import Source, ingest_file
from archive.models import Event, Instance, Job, Series, Study
from archive.passport import (
    RULES,
    invalidate_passports,
    is_current,
    make_passport,
    read_passport,
    run_passport_job,
)
from archive.phantom import PhantomShape, build_datasets
from tests import factories
from tests.unit.viewer.conftest import store, store_slice

pytestmark = pytest.mark.django_db(transaction=True)


def store_all(contents: Iterable[bytes], facility: Facility) -> Series:
    """Store files of one series; return it as it is then."""
    for content in contents:
        source = Source(door="test", sender="TEST", facility_id=facility.pk)
        series_id = ingest_file(source, io.BytesIO(content)).series_id
    assert series_id is not None
    return Series.objects.get(pk=series_id)


def phantom(facility: Facility, **also: Any) -> Series:
    shape = PhantomShape(rows=64, columns=64, slices=8, **also)
    return store_all(map(factories.as_part10, build_datasets(shape)), facility)


def rest(series: Series) -> None:
    """Let the series have been quiet for a while."""
    then = timezone.now() - timedelta(minutes=5)
    Series.objects.filter(pk=series.pk).update(last_received_at=then)
    Job.objects.filter(key=str(series.pk)).update(due_at=then)


KEYS = {
    "is_volume", "reasons", "orientation_groups", "slice_count", "missing_count",
    "duplicate_count", "is_uniform", "slice_spacing_mm", "tilt_deg", "pixel_spacing_mm",
    "pixel_spacing_source", "hu", "suv", "frames", "text",
}  # fmt: skip


def test_a_volume_gets_a_clean_passport(north: Facility) -> None:
    passport = make_passport(phantom(north).pk)
    assert passport.keys() >= KEYS
    assert passport["is_volume"]
    assert passport["is_uniform"]
    assert passport["reasons"] == []
    assert (passport["slice_count"], passport["slice_spacing_mm"]) == (8, 2.5)
    assert (passport["missing_count"], passport["duplicate_count"]) == (0, 0)
    assert passport["tilt_deg"] == 0
    assert passport["pixel_spacing_mm"] == [1.0, 1.0]
    assert passport["pixel_spacing_source"] == "pixel_spacing"
    assert passport["hu"]["verdict"] == "calibrated"
    assert passport["hu"]["air_peak_hu"] == pytest.approx(-1000, abs=1)
    assert passport["suv"]["verdict"] == "not_pet"
    assert [(each["frame"], each["decodes"]) for each in passport["frames"]] == [
        (0, True), (4, True), (7, True),
    ]  # fmt: skip
    assert passport["text"] == {"verdict": "ok", "reasons": [], "reason_codes": []}
    assert passport["badges"] == []


def test_a_tilted_gantry_is_told_with_its_angle(north: Facility) -> None:
    passport = make_passport(phantom(north, tilt_deg=15.0).pk)
    assert passport["is_volume"]
    assert abs(passport["tilt_deg"]) == pytest.approx(15, abs=0.01)
    assert passport["badges"] == ["tilt"]


def test_a_missing_slice_is_told_until_it_arrives(north: Facility) -> None:
    contents = [
        factories.as_part10(one)
        for one in build_datasets(PhantomShape(rows=64, columns=64, slices=8))
    ]
    series = store_all(contents[:3] + contents[4:], north)
    first = make_passport(series.pk)
    study = Study.objects.get(pk=series.study_id)
    assert (first["missing_count"], first["badges"]) == (1, ["missing_slices"])
    assert study.passport_badges == ["missing_slices"]
    series = store_all([contents[3]], north)
    assert not is_current(series)
    assert read_passport(series)["missing_count"] == 0
    study.refresh_from_db()
    assert study.passport_badges == []


@pytest.mark.parametrize(
    ("name", "badges"),
    [
        ("CT_small.dcm", []),  # Pixel Spacing
        ("image_dfl.dcm", ["uncalibrated"]),  # no size anywhere
        ("rtplan.dcm", []),  # no pixels, nothing to be measured
    ],
)
def test_pixels_without_a_size_are_marked(name: str, badges: list[str], north: Facility) -> None:
    content = factories.as_part10(factories.read_bundled(name))
    passport = make_passport(store(content, north).series_id)
    assert [code for code in passport["badges"] if code == "uncalibrated"] == badges
    words = [one["mark"] for one in describe_badges(passport["badges"])]
    assert ("Uncalibrated" in words) == bool(badges)


def test_the_rescale_that_was_lost_is_suspect(north: Facility) -> None:
    changed = []
    for dataset in build_datasets(PhantomShape(rows=64, columns=64, slices=8)):
        dataset.RescaleIntercept = 0
        changed.append(factories.as_part10(dataset))
    hu = make_passport(store_all(changed, north).pk)["hu"]
    assert (hu["verdict"], hu["reason_codes"]) == ("suspect", ["air_elsewhere"])
    assert hu["air_peak_hu"] == pytest.approx(24, abs=1)


def test_a_frame_that_is_gone_says_so(north: Facility) -> None:
    series = store_slice(0, north).series
    storage.path_of(Instance.objects.get(series=series).storage_key).unlink()
    passport = make_passport(series.pk)
    assert [(each["frame"], each["decodes"]) for each in passport["frames"]] == [(0, False)]
    assert passport["frames"][0]["reason"]
    assert passport["hu"]["judged_by"] == "header"
    assert passport["badges"] == ["cannot_decode"]


def test_nine_images_of_a_ct_are_looked_at_and_those_between_told_when_they_fail(
    north: Facility,
) -> None:
    shape = PhantomShape(rows=64, columns=64, slices=33)
    series = store_all(map(factories.as_part10, build_datasets(shape)), north)
    passport = make_passport(series.pk)
    assert [each["frame"] for each in passport["frames"]] == [0, 16, 32]
    assert passport["hu"]["images_looked_at"] == 9
    for number in (9, 21):  # every fourth image is looked at: 8 and 20
        storage.path_of(Instance.objects.get(instance_number=number).storage_key).unlink()
    told = make_passport(series.pk)
    assert [(each["frame"], each["decodes"]) for each in told["frames"]] in (
        [(0, True), (8, False), (16, True), (20, False), (32, True)],
        [(0, True), (12, False), (16, True), (24, False), (32, True)],  # seen from the other end
    )
    assert told["hu"]["images_looked_at"] == 7
    assert told["badges"] == ["cannot_decode"]


def test_the_region_that_a_series_names_is_held_to_its_own(north: Facility) -> None:
    """Air at -900: lung might look so, but a head has none."""
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    hu = np.where(np.hypot(x, y) < 0.8, 40.0, -1000.0) + 10 * np.sin(37 * x + 11 * y)
    verdicts = {}
    for number, part in enumerate(("HEAD", "")):
        dataset = next(iter(build_datasets(PhantomShape(rows=64, columns=64, slices=1))))
        dataset.PixelData = np.rint(hu + 1024).astype("<i2").tobytes()
        dataset.RescaleSlope, dataset.RescaleIntercept = 1, -924
        dataset.BodyPartExamined, dataset.ProtocolName = part, ""
        dataset.StudyDescription = dataset.SeriesDescription = ""
        dataset.SeriesInstanceUID = f"1.2.3.4.{number}"
        dataset.SOPInstanceUID = f"1.2.3.4.5.{number}"
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        hu_part = make_passport(store(factories.as_part10(dataset), north).series_id)["hu"]
        verdicts[hu_part["region"]] = hu_part["reason_codes"]
    assert verdicts == {"head": ["air_misplaced"], "": ["no_air"]}


def test_values_beyond_the_stored_bits_are_told(north: Facility) -> None:
    dataset = factories.read_bundled("CT_small.dcm")
    pixels = np.zeros((128, 128), "<i2")
    pixels[0, 0] = 3
    dataset.PixelData = pixels.tobytes()
    frame = make_passport(store(factories.as_part10(dataset), north).series_id)["frames"][0]
    assert (frame["decodes"], frame["reason"]) == (True, "")
    dataset.PixelData = np.zeros((128, 128), "<i2").tobytes()
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3.4.5")
    dataset.SeriesInstanceUID = UID("1.2.3.4.6")
    frame = make_passport(store(factories.as_part10(dataset), north).series_id)["frames"][0]
    assert (frame["decodes"], frame["reason"]) == (True, "All pixels have the same value.")


def test_the_job_waits_for_quiet_and_runs_twice_safely(north: Facility) -> None:
    series = store_slice(0, north).series
    assert Job.objects.filter(kind="passport", key=str(series.pk)).count() == 1
    run_passport_job(str(series.pk))
    series.refresh_from_db()
    assert series.passport is None
    rest(series)
    for _ in range(2):
        run_passport_job(str(series.pk))
    series.refresh_from_db()
    assert is_current(series)
    assert Event.objects.filter(kind="study_updated", study=series.study_id).count() == 1


def test_due_jobs_make_passports(north: Facility) -> None:
    series = store_slice(0, north).series
    rest(series)
    jobs.run_due()
    series.refresh_from_db()
    assert is_current(series)
    assert not Job.objects.filter(kind="passport").exists()


def test_a_series_that_is_gone_is_no_failure_of_the_job(db: None) -> None:
    run_passport_job("018f0000-0000-7000-8000-000000000000")


@pytest.mark.parametrize("rules", [None, RULES - 1])
def test_older_rules_are_made_anew_by_themselves(north: Facility, rules: int | None) -> None:
    series = store_slice(0, north).series
    make_passport(series.pk)
    rest(series)
    Job.objects.all().delete()
    housekeeping.tidy()
    assert not Job.objects.exists()
    Series.objects.update(passport_rules=rules)
    series.refresh_from_db()
    assert not is_current(series)
    housekeeping.tidy()
    assert Job.objects.get().kind == "upkeep"
    jobs.run_due()
    series.refresh_from_db()
    assert is_current(series)
    assert not Job.objects.exists()


def test_images_that_move_have_both_series_examined_anew(north: Facility) -> None:
    """A slice that another study takes: both lose what was known, both get it anew."""
    contents = [
        factories.as_part10(one)
        for one in build_datasets(PhantomShape(rows=64, columns=64, slices=8))
    ]
    giving = store_all(contents[:3] + contents[4:], north)
    make_passport(giving.pk)
    taking = factories.make_series(factories.make_study(north))
    assert Study.objects.get(pk=giving.study_id).passport_badges == ["missing_slices"]
    Job.objects.all().delete()
    Instance.objects.filter(series=giving).update(series=taking, study=taking.study)
    Series.objects.filter(pk=taking.pk).update(instance_count=7, frame_count=7)
    Series.objects.filter(pk=giving.pk).update(instance_count=0, frame_count=0)
    with transaction.atomic():
        invalidate_passports([giving.study_id, taking.study_id])
    assert Study.objects.get(pk=giving.study_id).passport_badges == []
    assert not Series.objects.exclude(passport=None).exists()
    jobs.run_due()
    assert Study.objects.get(pk=giving.study_id).passport_badges == []
    assert Study.objects.get(pk=taking.study_id).passport_badges == ["missing_slices"]


def test_a_healed_file_has_the_passport_made_again(north: Facility) -> None:
    content = factories.as_part10(factories.read_bundled("CT_small.dcm"))
    instance = store(content, north)
    make_passport(instance.series_id)
    storage.path_of(instance.storage_key).write_bytes(b"damaged")
    store(content, north)
    series = Series.objects.get(pk=instance.series_id)
    assert series.passport is None
    assert Job.objects.filter(kind="passport", key=str(series.pk)).exists()


# --- the interface ------------------------------------------------------------------
def test_a_series_is_found_by_its_uid_and_its_passport_read(
    rada: User, north: Facility, client_of: Callable[[User], Client]
) -> None:
    series = phantom(north)
    client = client_of(rada)
    found = client.get(f"/api/v1/series/?series_instance_uid={series.series_instance_uid}").json()
    assert [row["id"] for row in found["results"]] == [str(series.pk)]
    assert found["results"][0]["passport"] is None
    # Asked before the job ran: it is made now.
    answer = client.get(f"/api/v1/series/{series.pk}/passport/")
    assert answer.status_code == 200
    assert answer.json().keys() >= KEYS
    assert answer.json()["hu"].keys() >= {"verdict", "air_peak_hu", "reasons"}
    detail = client.get(f"/api/v1/series/{series.pk}/").json()
    assert detail["passport"] == {
        "is_volume": True, "slice_count": 8, "missing_count": 0, "slice_spacing_mm": 2.5,
        "tilt_deg": 0.0, "badges": [], "is_current": True,
    }  # fmt: skip
    assert AuditRow.objects.filter(action="view_study", actor="rada").exists()


@pytest.mark.parametrize("page", ["", "passport/"])
def test_foreign_series_are_missing(
    page: str, fiona: User, north: Facility, client_of: Callable[[User], Client]
) -> None:
    series = store_slice(0, north).series
    client = client_of(fiona)
    assert client.get(f"/api/v1/series/{series.pk}/{page}").status_code == 404
    assert client.get("/api/v1/series/").json()["results"] == []


def test_the_list_costs_the_same_however_long(
    rada: User,
    north: Facility,
    client_of: Callable[[User], Client],
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    study = factories.make_study(north)
    for _ in range(30):
        factories.make_series(study)
    client = client_of(rada)
    client.get("/api/v1/series/")
    with django_assert_max_num_queries(10):
        assert len(client.get("/api/v1/series/?modality=CT").json()["results"]) == 30


# --- real series --------------------------------------------------------------------
def real_series(folder: str, name: str, facility: Facility) -> dict[str, Any]:
    """Return the passport of the files of one folder, all of one series."""
    paths = [path for path in factories.real_files(folder) if name in str(path)]
    return make_passport(store_all((Path(path).read_bytes() for path in paths), facility).pk)


# By hand: number of files, distance of positions along the normal, angle between the normal
# and the line of positions (pydicom and numpy), air by an independent histogram.
REAL = [
    (
        "ct-volume",
        "S2020",
        {"is_volume": True, "slice_count": 100, "is_uniform": True},
        "calibrated",
    ),
    ("ct-tilt", "GE", {"slice_count": 28}, "calibrated"),
    ("ct-tilt", "icometrix", {"slice_count": 4}, "calibrated"),
]


@pytest.mark.parametrize(("folder", "name", "truth", "hu"), REAL)
def test_real_ct_series(
    folder: str, name: str, truth: dict[str, Any], hu: str, north: Facility
) -> None:
    passport = real_series(folder, name, north)
    assert {key: passport[key] for key in truth} == truth
    assert passport["hu"]["verdict"] == hu
    assert passport["missing_count"] == passport["duplicate_count"] == 0
    assert all(frame["decodes"] for frame in passport["frames"])
    paths = [path for path in factories.real_files(folder) if name in str(path)]
    places = [dcmread(path, stop_before_pixels=True) for path in paths]
    row, column = np.split(np.array(places[0].ImageOrientationPatient, float), 2)
    normal = np.cross(row, column)
    points = np.array([ds.ImagePositionPatient for ds in places], float)
    points = points[np.argsort(points @ normal)]
    gaps = np.diff(points @ normal)
    assert passport["slice_spacing_mm"] == pytest.approx(float(np.median(gaps)), abs=0.02)
    line = points[-1] - points[0]
    angle = np.degrees(np.arccos(line @ normal / np.linalg.norm(line)))
    assert abs(passport["tilt_deg"]) == pytest.approx(float(angle), abs=0.1)
    if angle > 1:
        assert "tilt" in passport["badges"]


def test_what_has_no_volume_is_no_ct(north: Facility) -> None:
    for folder in ("us", "xa", "wsi"):
        path = factories.real_files(folder)[0]
        passport = make_passport(store(path.read_bytes(), north).series_id)
        assert not passport["is_volume"]
        assert passport["hu"]["verdict"] == "not_ct"
        assert passport["suv"]["verdict"] == "not_pet"
