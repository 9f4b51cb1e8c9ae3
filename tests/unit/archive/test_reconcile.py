"""A quarantined study moves to a facility whole, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.test import Client

from accounts.models import AuditRow, Facility, User
from archive import reconcile
from archive.models import Discrepancy, Event, Instance, Job, Patient, Series, Study
from archive.passport import RULES
from imaging.errors import ConflictError, MissingError, NotAllowedError
from tests import factories
from viewer.models import Annotation
from worklist.models import WorklistEntry


@pytest.fixture
def lost(db: None) -> Study:
    patient = factories.make_patient(None, patient_id="L1", patient_name="Lost^Lena")
    return factories.make_whole_study(None, patient=patient, series=2, instances=2)


def facilities_of(study: Study) -> set[Any]:
    """Return the facilities that any row of the study has."""
    found = {Study.objects.get(pk=study.pk).facility}
    found.add(Study.objects.get(pk=study.pk).patient.facility)
    for model in (Series, Instance, Discrepancy, WorklistEntry, Annotation):
        found |= {row.facility for row in model._default_manager.filter(study=study)}
    return found


def test_all_rows_move(lost: Study, admin: User, north: Facility, rada: User) -> None:
    factories.make_discrepancy(lost)
    Annotation.objects.create(
        study=lost,
        instance=lost.instances.all()[0],
        kind="text",
        points_px=[[0, 0]],
        created_by=admin,
        changed_by=admin,
    )
    keys = set(lost.instances.values_list("storage_key", flat=True))
    reconcile.assign_to_facility(lost.pk, north, admin, address="192.0.2.1")

    assert facilities_of(lost) == {north}
    assert set(lost.instances.values_list("storage_key", flat=True)) == keys
    assert list(Study.objects.visible_to(rada)) == [lost]
    row = AuditRow.objects.get(action="study_assigned")
    assert (row.actor, row.facility, row.patient_id) == ("admin", north, "L1")
    assert row.detail == {"from": "quarantine", "instances": 4}
    assert Event.objects.filter(kind="study_received", study=lost, facility=north).exists()


def test_what_was_found_out_about_the_lost_study_is_found_out_anew(
    lost: Study, admin: User, north: Facility
) -> None:
    series = lost.series_set.all()
    series.update(passport={"badges": ["tilt"]}, passport_rules=RULES)
    Study.objects.filter(pk=lost.pk).update(passport_badges=["tilt"])
    reconcile.assign_to_facility(lost.pk, north, admin)

    assert set(series.values_list("passport", "passport_rules")) == {(None, None)}
    lost.refresh_from_db()
    assert lost.passport_badges == []
    queued = Job.objects.filter(kind="passport").values_list("key", flat=True)
    assert set(queued) == {str(one.pk) for one in series}


def test_known_patient_takes_the_study(lost: Study, admin: User, north: Facility) -> None:
    known = factories.make_patient(north, patient_id="L1", patient_name="LOST^LENA")
    reconcile.assign_to_facility(lost.pk, north, admin)

    lost.refresh_from_db()
    assert lost.patient == known
    assert Patient.objects.count() == 1
    assert not lost.has_discrepancy


def test_known_id_with_another_birth_date_is_flagged(
    lost: Study, admin: User, north: Facility
) -> None:
    factories.make_patient(
        north, patient_id="L1", patient_name="Lost^Lena", patient_birth_date=date(1999, 9, 9)
    )
    reconcile.assign_to_facility(lost.pk, north, admin)

    lost.refresh_from_db()
    assert lost.has_discrepancy
    row = lost.discrepancies.get()
    assert (row.kind, row.facility) == ("patient_identity", north)
    assert lost.patient_name == "Lost^Lena"


def test_other_studies_of_the_lost_patient_stay(lost: Study, admin: User, north: Facility) -> None:
    other = factories.make_whole_study(None, patient=lost.patient)
    reconcile.assign_to_facility(lost.pk, north, admin)

    assert facilities_of(lost) == {north}
    assert facilities_of(other) == {None}


def test_nameless_patients_are_not_merged(admin: User, north: Facility) -> None:
    factories.make_patient(north, patient_id="")
    lost = factories.make_whole_study(None, patient=factories.make_patient(None, patient_id=""))
    reconcile.assign_to_facility(lost.pk, north, admin)

    assert Patient.objects.filter(facility=north, patient_id="").count() == 2


def test_same_study_in_the_facility_is_refused_with_words(
    lost: Study, admin: User, north: Facility
) -> None:
    factories.make_whole_study(north, study_instance_uid=lost.study_instance_uid)

    with pytest.raises(ConflictError, match="Hospital North has a study"):
        reconcile.assign_to_facility(lost.pk, north, admin)
    assert facilities_of(lost) == {None}
    assert not AuditRow.objects.exists()


def test_same_instance_in_the_facility_is_refused(
    lost: Study, admin: User, north: Facility
) -> None:
    study = factories.make_study(north)
    twin = lost.instances.first()
    assert twin is not None
    factories.make_instance(factories.make_series(study), sop_instance_uid=twin.sop_instance_uid)

    with pytest.raises(ConflictError, match="instances"):
        reconcile.assign_to_facility(lost.pk, north, admin)
    assert facilities_of(lost) == {None}


def test_study_of_a_facility_is_not_taken_away(
    admin: User, north: Facility, south: Facility
) -> None:
    study = factories.make_whole_study(south)

    with pytest.raises(ConflictError, match="belongs to a facility already"):
        reconcile.assign_to_facility(study.pk, north, admin)


def test_only_administrators_assign(lost: Study, nora: User, north: Facility) -> None:
    with pytest.raises(NotAllowedError):
        reconcile.assign_to_facility(lost.pk, north, nora)
    assert facilities_of(lost) == {None}


def test_missing_study_is_said(admin: User, north: Facility) -> None:
    with pytest.raises(MissingError):
        reconcile.assign_to_facility(north.pk, north, admin)


def test_failure_midway_changes_nothing(
    lost: Study, admin: User, north: Facility, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(reconcile, "record_for_user", fail)
    with pytest.raises(RuntimeError):
        reconcile.assign_to_facility(lost.pk, north, admin)
    assert facilities_of(lost) == {None}


def test_action_on_the_page_moves_and_names_what_stays(
    client_of: Callable[[User], Client], lost: Study, admin: User, north: Facility
) -> None:
    twin = factories.make_whole_study(None)
    factories.make_whole_study(north, study_instance_uid=twin.study_instance_uid)
    action = {
        "action": "assign_to_facility",
        "facility": str(north.pk),
        "_selected_action": [str(lost.pk), str(twin.pk)],
    }
    page = client_of(admin).post("/admin/archive/study/", action, follow=True).content.decode()

    assert "1 study moved." in page
    assert "stays in quarantine" in page
    assert (facilities_of(lost), facilities_of(twin)) == ({north}, {None})


def test_action_without_a_facility_moves_nothing(
    client_of: Callable[[User], Client], lost: Study, admin: User
) -> None:
    action = {"action": "assign_to_facility", "_selected_action": [str(lost.pk)]}
    page = client_of(admin).post("/admin/archive/study/", action, follow=True).content.decode()

    assert "Choose a facility first." in page
    assert facilities_of(lost) == {None}


def test_facility_admin_has_no_such_action(
    client_of: Callable[[User], Client], nora: User, north: Facility
) -> None:
    study = factories.make_whole_study(north)
    assert study.facility == north

    assert "assign_to_facility" not in client_of(nora).get("/admin/archive/study/").content.decode()
