"""The factories make what they say: other tests lean on it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from pydicom import dcmread

from accounts.models import Facility, User
from archive.models import Instance, Study
from tests import factories


def test_whole_study_has_exact_counts(north: Facility) -> None:
    study = factories.make_whole_study(north, series=2, instances=3)

    study.refresh_from_db()
    assert (study.series_count, study.instance_count) == (2, 6)
    assert Instance.objects.filter(study=study).count() == 6
    assert [series.instance_count for series in study.series_set.all()] == [3, 3]
    assert study.worklist_entry.facility == north


def test_cast_sees_its_own_facility_alone(
    north: Facility, rada: User, fiona: User, strange: User, admin: User
) -> None:
    study = factories.make_whole_study(north)
    lost = factories.make_whole_study(None)

    assert list(Study.objects.visible_to(rada)) == [study]
    assert not Study.objects.visible_to(fiona).exists()
    assert not Study.objects.visible_to(strange).exists()
    assert set(Study.objects.visible_to(admin)) == {study, lost}


def test_home_is_the_tests_own(home: Path, tmp_path: Path) -> None:
    assert home.is_relative_to(tmp_path)
    assert settings.NOCTIS_STORAGE == f"file:{home}/media"


def test_bundled_file_survives_being_written_again(tmp_path: Path) -> None:
    dataset = factories.read_bundled("CT_small.dcm", PatientName="Doe^Jane")
    path = tmp_path / "copy.dcm"
    path.write_bytes(factories.as_part10(dataset))

    again = dcmread(path)
    assert again.PatientName == "Doe^Jane"
    digest = hashlib.sha256(again.PixelData).hexdigest()
    assert digest == hashlib.sha256(dataset.PixelData).hexdigest()


def test_absent_test_data_skips_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NOCTIS_TEST_DATA", str(tmp_path))

    with pytest.raises(pytest.skip.Exception, match="NOCTIS_TEST_DATA"):
        factories.real_folder("ct-volume")


def test_client_of_is_logged_in(client_of: Callable[[User], Client], rada: User) -> None:
    assert client_of(rada).session["_auth_user_id"] == str(rada.pk)
