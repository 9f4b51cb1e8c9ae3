"""DELETE over DICOMweb: who may, what goes, and what holds it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import AuditRow, Facility, User
from archive import storage
from archive.models import Instance, Patient, Series, Study
from dicom_receiver.models import Peer
from dicom_receiver.outgoing.models import Transfer
from reconstruction.models import ReconstructionJob
from tests.unit.dicomweb.bodies import STUDY, body, file, part, store
from worklist.models import WorklistEntry

SERIES = f"studies/{STUDY}/series/{STUDY}.1"


def _delete(client: Client, path: str) -> int:
    status: int = client.delete(f"/dicomweb/{path}").status_code
    return status


@pytest.fixture
def stored(north: Facility, admin: User, client: Client) -> Study:
    """Three instances in two series of one study of north, and whoever looks after north."""
    client.force_login(admin)
    others = {"SeriesInstanceUID": f"{STUDY}.2"}
    content = body(part(file(1)), part(file(2)), part(file(3, **others)))
    assert store(client, content, facility="north").status_code == 200
    return Study.objects.get()


@pytest.mark.django_db(transaction=True)
def test_instances_series_and_studies_go_with_their_files(
    stored: Study, nora: User, client: Client
) -> None:
    client.force_login(nora)
    paths = {
        row.sop_instance_uid[-1]: storage.path_of(row.storage_key) for row in Instance.objects.all()
    }

    assert _delete(client, f"{SERIES}/instances/{STUDY}.1.1") == 204
    assert [paths[number].exists() for number in "123"] == [False, True, True]
    stored.refresh_from_db()
    assert (stored.series_count, stored.instance_count) == (2, 2)
    assert _delete(client, SERIES) == 204
    assert [one.series_instance_uid for one in Series.objects.all()] == [f"{STUDY}.2"]
    assert _delete(client, f"studies/{STUDY}") == 204
    assert (Study.objects.count(), Patient.objects.count(), WorklistEntry.objects.count()) == (
        0,
        0,
        0,
    )
    assert not paths["3"].exists()
    trail = AuditRow.objects.filter(action="delete").order_by("id")
    assert [row.detail["instances"] for row in trail] == [1, 1, 1]
    assert {row.user for row in trail} == {nora}
    assert _delete(client, f"studies/{STUDY}") == 404


def test_who_may_not_delete_learns_nothing_and_others_find_nothing(
    stored: Study, rada: User, fiona: User, client: Client
) -> None:
    client.force_login(rada)
    assert _delete(client, f"studies/{STUDY}") == _delete(client, "studies/1.2.3") == 403
    fiona.role = "facility_admin"
    fiona.save()
    client.force_login(fiona)
    assert _delete(client, f"studies/{STUDY}") == _delete(client, "studies/1.2.3") == 404
    assert Instance.objects.count() == 3


def _report(study: Study, _user: User) -> None:
    WorklistEntry.objects.filter(study=study).update(status=WorklistEntry.Status.FINAL)


def _reconstruct(study: Study, user: User) -> None:
    series = study.series_set.first()
    assert series is not None
    now = timezone.now()
    facts: dict[str, Any] = {"facility": study.facility, "study": study, "series": series}
    facts |= {"requested_by": user, "kind": "mpr", "lane": "reconstruction", "wish": "1"}
    ReconstructionJob.objects.create(created_at=now, due_at=now, **facts)


def _send(study: Study, _user: User) -> None:
    here: dict[str, Any] = {"facility": study.facility}
    peer = Peer.objects.create(ae_title="FAR", host="192.0.2.1", port=104, **here)
    now = timezone.now()
    times = {"created_at": now, "due_at": now, "give_up_at": now}
    Transfer.objects.create(study=study, peer=peer, why=Transfer.Why.BY_HAND, **here, **times)


@pytest.mark.parametrize("hold", [_report, _reconstruct, _send])
def test_what_is_reported_or_at_work_stays(
    hold: Callable[[Study, User], None], stored: Study, admin: User, client: Client
) -> None:
    hold(stored, admin)

    response = client.delete(f"/dicomweb/studies/{STUDY}")

    assert response.status_code == 409
    assert response["Content-Type"] == "application/problem+json"
    assert Instance.objects.count() == 3
