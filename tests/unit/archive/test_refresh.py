"""After an upgrade: headers of earlier versions are read again, and nothing is lost by it."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from archive import housekeeping, jobs, refresh, storage, upkeep
from archive.ingest import Source, ingest_file
from archive.models import Instance, Job, Series, Study
from archive.passport import RULES
from imaging.facts import FACTS_VERSION
from tests.factories import as_part10, read_bundled

pytestmark = pytest.mark.django_db

NAMES = [
    "CT_small.dcm",
    "MR_small_RLE.dcm",
    "examples_overlay.dcm",
    "image_dfl.dcm",
    "693_J2KI.dcm",
]
Row = dict[str, Any]


def store(name: str = "CT_small.dcm") -> Instance:
    ingest_file(Source(door="test", sender="CT1"), io.BytesIO(as_part10(read_bundled(name))))
    return Instance.objects.latest("received_at")


def age(*instances: Instance, version: int | None = None, **facts: Any) -> None:
    """Let the rows be those of an earlier version, which did not know these facts."""
    keys = [one.pk for one in instances]
    Instance.objects.filter(pk__in=keys).update(facts_version=version, **facts)
    long_ago = timezone.now() - timedelta(hours=1)
    Series.objects.update(last_received_at=long_ago)
    Job.objects.all().delete()


def row_of(instance: Instance) -> Row:
    return dict(Instance.objects.filter(pk=instance.pk).values().get())


def run(*arguments: str) -> tuple[int, str]:
    out = io.StringIO()
    try:
        call_command("check_archive", *arguments, stdout=out)
    except SystemExit as stop:
        return int(stop.code or 0), out.getvalue()
    return 0, out.getvalue()


def test_a_repair_gives_old_rows_what_a_new_arrival_gets() -> None:
    instance = store()
    fresh = row_of(instance)
    assert fresh["facts_version"] == FACTS_VERSION
    # What pydicom reads in this file; it must come back.
    assert fresh["image"]["pixel_spacing"] == [
        float(x) for x in read_bundled("CT_small.dcm").PixelSpacing
    ]
    poor = {"rows": 128, "columns": 128, "bits_allocated": 16}
    age(instance, image=poor, flags=[], instance_number=None, number_of_frames=3, frame_table=None)
    Series.objects.update(frame_count=3, thumbnail_key="thumbnails/old.jpg")

    code, text = run("--quick")
    assert code == 0, text
    assert "headers of earlier versions 1" in text
    assert row_of(instance)["image"] == poor

    code, text = run("--quick", "--repair")
    assert code == 0, text
    assert "read again 1 (1 say more now)" in text
    assert row_of(instance) == fresh
    series = Series.objects.get()
    assert (series.frame_count, series.thumbnail_key) == (1, "")
    assert series.passport_rules == RULES
    assert series.passport is not None
    assert series.passport["pixel_spacing_mm"] == fresh["image"]["pixel_spacing"]
    assert "headers of earlier versions 0, read again 0" in run("--quick", "--repair")[1]


def test_what_is_read_again_says_the_same_unless_the_version_knows_more() -> None:
    instances = [store(name) for name in NAMES]
    fresh = {one.pk: row_of(one) for one in instances}
    age(*instances)
    batch = refresh.refresh_outdated()
    assert (batch.looked_at, batch.changed, batch.unread) == (len(NAMES), 0, [])
    assert {one.pk: row_of(one) for one in instances} == fresh


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:2000])


def _scribble(path: Path) -> None:
    path.write_bytes(b"x" * path.stat().st_size)


def _exchange(path: Path) -> None:
    """Put another instance of the same length there."""
    dataset = read_bundled("CT_small.dcm")
    dataset.SOPInstanceUID = dataset.SOPInstanceUID[:-1] + "9"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    path.write_bytes(as_part10(dataset))


@pytest.mark.parametrize("harm", [Path.unlink, _cut, _scribble, _exchange])
def test_a_header_that_cannot_be_read_is_reported_and_keeps_what_was_known(
    harm: Callable[[Path], None],
) -> None:
    instance = store()
    content = storage.path_of(instance.storage_key).read_bytes()
    known = {"rows": 128, "pixel_spacing": [0.5, 0.5]}
    age(instance, image=known, flags=["bad_date"])
    harm(storage.path_of(instance.storage_key))

    for _ in range(2):
        code, text = run("--quick", "--repair")
        assert code == 1
        assert f"UNREAD   {instance.sop_instance_uid} {instance.storage_key} " in text
        assert (row_of(instance)["image"], row_of(instance)["flags"]) == (known, ["bad_date"])
    assert f"UNREAD   {instance.sop_instance_uid}" in run("--quick")[1]
    # It is not tried again and again by itself, only when somebody repairs.
    assert not refresh.is_any_outdated()

    storage.path_of(instance.storage_key).write_bytes(content)
    code, text = run("--quick", "--repair")
    assert code == 0, text
    assert row_of(instance)["image"]["pixel_spacing"] != [0.5, 0.5]


def test_the_work_may_be_stopped_and_goes_on_where_it_was() -> None:
    instances = [store(name) for name in NAMES]
    age(*instances)
    assert refresh.refresh_outdated(2).looked_at == 2
    assert refresh.count_outdated() == 3
    assert [refresh.refresh_outdated(2).looked_at for _ in range(3)] == [2, 1, 0]


def test_a_file_that_was_replaced_meanwhile_is_left_to_the_next_turn() -> None:
    instance = store()
    age(instance, image={})
    members = list(Instance.objects.all())
    Instance.objects.update(storage_key="studies/other/place.dcm")
    refresh._refresh_part(instance.series_id, members, refresh.Batch())
    assert row_of(instance)["image"] == {}
    assert refresh.count_outdated() == 1


def test_large_objects_are_read_a_few_at_a_time() -> None:
    rows = [Instance(number_of_frames=frames) for frames in (9000, 9000, 9000, 50_000, 1)]
    parts = [[one.number_of_frames for one in part] for part in refresh._bounded(rows)]
    assert parts == [[9000, 9000], [9000], [50_000], [1]]


def test_the_worker_does_it_by_itself_in_slices_with_rests() -> None:
    instance = store()
    age(instance, version=FACTS_VERSION - 1, image={})
    housekeeping.tidy()
    job = Job.objects.get()
    assert job.kind == "upkeep"
    # A slice without time does one batch and leaves the rest, the passport, for later.
    assert upkeep.work(until=time.monotonic())
    assert row_of(instance)["image"] != {}
    assert Series.objects.get().passport is None
    jobs.run_due()
    assert Series.objects.get().passport_rules == RULES
    assert not Job.objects.exists()
    housekeeping.tidy()
    assert not Job.objects.exists()


def test_marks_that_do_not_agree_with_the_passports_are_found_and_mended() -> None:
    age(store())
    run("--quick", "--repair")
    Study.objects.update(passport_badges=["tilt"])
    code, text = run("--quick")
    assert code == 1
    assert f"MARKS    {Study.objects.get().study_instance_uid}" in text
    assert run("--quick", "--repair")[0] == 0
    assert Study.objects.get().passport_badges == []
    Series.objects.update(instance_count=2)
    assert run("--quick")[0] == 1
    assert run("--quick", "--repair")[0] == 0
    assert run("--quick")[0] == 0
