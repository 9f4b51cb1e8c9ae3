"""Who plays the permission table, and with what."""

from __future__ import annotations

import io
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.test import Client
from django.utils import timezone
from pydicom.uid import generate_uid

from accounts.api_tokens import Wish, make_token
from accounts.audit import record_for_user
from accounts.models import AuditRow, Facility, Role, User
from archive.ingest import Source, ingest_file
from archive.models import Event, Heartbeat, Instance, Job, Study
from archive.stack import build_stack
from dicom_receiver.doctor.models import Call
from dicom_receiver.models import Commitment, Peer, RoutingRule, SenderStatistics, Transfer
from dicom_receiver.remote.models import Exchange, WebPeer
from reconstruction.models import ReconstructionJob
from tests import factories
from tests.permissions.table import LOST, MISSING, OWN, Target
from viewer.centreline_models import Centreline
from viewer.export_models import Export
from viewer.models import Annotation, HangingProtocol, KeyImage, MarkLayer, Measurement
from worklist.models import Order, PerformedStep, ScheduledStep, WorklistEntry

NO_KEY = uuid.UUID("01900000-0000-7000-8000-000000000000")
NO_UID = "2.25.999999999"
LAYOUT = {"rows": 1, "columns": 1, "panes": [{"find": {"modality": "CT"}}]}


@dataclass(frozen=True)
class Player:
    """Somebody with a browser."""

    name: str
    person: User | None
    client: Client
    is_of_north: bool


def gather_players(north: Facility, south: Facility) -> list[Player]:
    """Return nobody, each role of both facilities, somebody without facility, an administrator."""
    players = [Player("anonymous", None, Client(), False)]
    for facility in (north, south):
        for role in (Role.RADIOLOGIST, Role.TECHNOLOGIST, Role.REFERRER, Role.FACILITY_ADMIN):
            name = f"{role}.{facility.code}"
            is_staff = role == Role.FACILITY_ADMIN
            person = factories.make_user(name, role, [facility], is_staff=is_staff)
            players.append(_log_in(name, person, facility == north))
    players.append(_log_in("strange", factories.make_user("strange", Role.REFERRER), False))
    boss = factories.make_user("boss", Role.ADMIN, is_staff=True, is_superuser=True)
    players.append(_log_in("admin", boss, True))
    return players


def _log_in(name: str, person: User, is_of_north: bool) -> Player:
    client = Client()
    client.force_login(person)
    return Player(name, person, client, is_of_north)


def lay_out(north: Facility, boss: User) -> dict[str, Target]:
    """Return what requests may name: an object of north, one in quarantine, and none."""
    elsewhere = factories.make_facility("elsewhere")
    ann = factories.make_user("ann", Role.REFERRER, [north])
    lou = factories.make_user("lou", Role.REFERRER, [elsewhere])
    return {
        OWN: _describe(_store(north), boss, ann, north),
        LOST: _describe(_store(None), boss, lou, elsewhere),
        MISSING: _describe_missing(),
    }


def _store(facility: Facility | None) -> Study:
    """Store a real CT by the one way in, in a study of its own for each place."""
    place = facility.code if facility else "quarantine"
    uids = {f"{level}InstanceUID": generate_uid() for level in ("Study", "Series", "SOP")}
    dataset = factories.read_bundled("CT_small.dcm", PatientID=f"P-{place}", **uids)
    file = io.BytesIO(factories.as_part10(dataset))
    source = Source(door="import", sender="table", facility_id=facility.pk if facility else None)
    outcome = ingest_file(source, file)
    assert outcome.study_id is not None
    return Study.objects.get(pk=outcome.study_id)


def _describe(study: Study, boss: User, person: User, facility: Facility) -> Target:
    instance = Instance.objects.filter(study=study).select_related("series").get()
    marks = _make_marks(study, instance, boss)
    entry = WorklistEntry.objects.get(study=study)
    record_for_user(boss, "study_opened", facility=study.facility)
    trail = AuditRow.objects.latest("id")
    return Target(
        {
            "patient": study.patient_id,
            "study": study.pk,
            "series": instance.series_id,
            "instance": instance.pk,
            "entry": entry.pk,
            "discrepancy": factories.make_discrepancy(study).pk,
            **_make_order(study, facility),
            **marks,
            "call": _make_call(study),
            "hanging": HangingProtocol.objects.create(
                facility=facility, name="CT", rules={"modality": "CT"}, layout=LAYOUT
            ).pk,
            "export": _make_export(study, instance, boss),
            "reconstruction": _make_job(instance, boss),
            **_make_transfer(instance, boss, facility),
            **_make_exchange(study, boss, facility),
            "person": person.pk,
            "apitoken": _make_token(person),
            "facility": facility.pk,
            "auditrow": trail.pk,
            "study_uid": study.study_instance_uid,
            "series_uid": instance.series.series_instance_uid,
            "instance_uid": instance.sop_instance_uid,
            "version": build_stack(instance.series)["version"],
        }
    )


def _make_token(person: User) -> uuid.UUID:
    wish = Wish(name="script", scope="read", days=7)
    token, _word = make_token(person, wish)
    return token.pk


def _make_marks(study: Study, instance: Instance, boss: User) -> dict[str, uuid.UUID]:
    """Return the keys of a mark of each kind, and of one that is deleted."""
    keys: dict[str, uuid.UUID] = {}
    for prefix, deleted_at in (("", None), ("deleted_", factories.ARRIVAL)):
        kept: dict[str, Any] = {
            "study": study,
            "facility": study.facility,
            "created_by": boss,
            "changed_by": boss,
            "deleted_at": deleted_at,
        }
        mark: dict[str, Any] = {**kept, "instance": instance, "points_px": [[0, 0], [3, 4]]}
        made = [
            Measurement.objects.create(
                kind="length", value=5.0, unit="px", provenance="uncalibrated", **mark
            ),
            Annotation.objects.create(kind="text", text="here", **mark),
            MarkLayer.objects.create(name=f"{prefix}lung", colour="#ff0000", **kept),
            # A new one on the first frame is what a row of the table asks for.
            KeyImage.objects.create(instance=instance, frame=7 + len(keys), **kept),
            # A reader has one a series: those who ask have none yet.
            Centreline.objects.create(
                series=instance.series,
                points_lps_mm=[[0, 0, 0]],
                **{**kept, "created_by": User.objects.create(username=f"{study.pk}{prefix}")},
            ),
        ]
        keys |= {f"{prefix}{one._meta.model_name}": one.pk for one in made}
    return keys


def _make_order(study: Study, facility: Facility) -> dict[str, uuid.UUID]:
    """Return the keys of an order, its step, and what a scanner did; none is in quarantine."""
    about: dict[str, Any] = {"facility": facility, "study_instance_uid": study.study_instance_uid}
    order = Order.objects.create(patient_id="P1", patient_name="Doe^Jane", **about)
    step = ScheduledStep.objects.create(
        order=order,
        facility=facility,
        modality="CT",
        scheduled_procedure_step_start_date=factories.ARRIVAL.date(),
        scheduled_procedure_step_start_time=factories.ARRIVAL.time(),
    )
    performed = PerformedStep.objects.create(
        sop_instance_uid=generate_uid(), status="IN PROGRESS", sender="CT1", data_set=b"", **about
    )
    return {"order": order.pk, "step": step.pk, "performed": performed.pk}


def _make_call(study: Study) -> uuid.UUID:
    """Return the key of a call at the DICOM port; in quarantine it is a stranger's."""
    call = Call.objects.create(
        facility=study.facility,
        ae_title="CT1",
        address="192.0.2.1",
        host="h",
        pid=1,
        outcome="released",
        started_at=factories.ARRIVAL,
        seen_at=factories.ARRIVAL,
    )
    return call.pk


def _make_export(study: Study, instance: Instance, boss: User) -> uuid.UUID:
    """Return the key of a page to print, which the administrator has asked for."""
    export = Export.objects.create(
        study=study,
        facility=study.facility,
        created_by=boss,
        expires_at=timezone.now() + timedelta(hours=1),
        form="print",
        wish={"columns": 1, "rows": 1},
        images=[[str(instance.pk), 0]],
        state=Export.State.READY,
    )
    return export.pk


def _make_job(instance: Instance, boss: User) -> uuid.UUID:
    """Return the key of a reconstruction that waits, which the administrator has asked for."""
    job = ReconstructionJob.objects.create(
        study=instance.study,
        facility=instance.facility,
        series=instance.series,
        requested_by=boss,
        kind="mpr",
        wish=str(instance.pk),
        lane="reconstruction",
        created_at=timezone.now(),
        due_at=timezone.now(),
    )
    return job.pk


def _make_transfer(instance: Instance, boss: User, facility: Facility) -> dict[str, uuid.UUID]:
    """Return the keys of a peer, and of a transfer there that waits, which the boss asked for."""
    peer = Peer.objects.create(
        ae_title=f"TO_{facility.code[:8].upper()}", facility=facility, host="192.0.2.9", port=104
    )
    now = timezone.now()
    transfer = Transfer.objects.create(
        study=instance.study, facility=instance.facility, peer=peer, why=Transfer.Why.BY_HAND,
        requested_by=boss, created_at=now, due_at=now, give_up_at=now,
    )  # fmt: skip
    return {"destination": peer.pk, "transfer": transfer.pk}


def _make_exchange(study: Study, boss: User, facility: Facility) -> dict[str, uuid.UUID]:
    """Return the keys of a DICOMweb peer that is not there, and of an import that waits."""
    archive = WebPeer.objects.create(
        name=f"{facility.code} web", facility=facility, base_url="http://127.0.0.1:9/dicom-web"
    )
    now = timezone.now()
    exchange = Exchange.objects.create(
        facility=study.facility, web_peer=archive, peer_name=archive.name, requested_by=boss,
        wish=str(study.pk), study_instance_uid=study.study_instance_uid, created_at=now, due_at=now,
    )  # fmt: skip
    return {"archive": archive.pk, "exchange": exchange.pk}


def _describe_missing() -> Target:
    keys = (
        *("patient", "study", "series", "instance", "entry", "discrepancy", "measurement"),
        *("annotation", "marklayer", "keyimage", "centreline", "hanging", "export"),
        *("reconstruction", "destination", "transfer", "archive", "exchange"),
        *("person", "apitoken", "facility", "call", "order", "step", "performed"),
        *(
            f"deleted_{name}"
            for name in ("measurement", "annotation", "marklayer", "keyimage", "centreline")
        ),
    )
    uids = ("study_uid", "series_uid", "instance_uid", "version")
    numbers = {"auditrow": 999_999_999}
    return Target({**dict.fromkeys(keys, NO_KEY), **dict.fromkeys(uids, NO_UID), **numbers})


def furnish(facility: Facility) -> dict[str, Any]:
    """Return keys of rows that belong to the server, not to a facility: for administrators."""
    now = factories.ARRIVAL
    beat = Heartbeat.objects.create(role="worker", host="h", pid=1, started_at=now, seen_at=now)
    statistics = SenderStatistics.objects.create(
        day=now.date(), ae_title="CT1", address="192.0.2.1", last_seen_at=now
    )
    commitment = Commitment.objects.create(
        transaction_uid="2.25.1", ae_title="CT1", facility=facility, created_at=now, due_at=now,
        give_up_at=now,
    )  # fmt: skip
    return {
        "commitment": commitment.pk,
        "routingrule": RoutingRule.objects.create(name="all", since=now).pk,
        "job": Job.objects.create(kind="thumbnail", key="k", due_at=now).pk,
        "event": Event.objects.create(kind="study_received", facility=facility).pk,
        "heartbeat": beat.pk,
        "peer": Peer.objects.create(ae_title="MODALITY1", facility=facility).pk,
        "webpeer": WebPeer.objects.create(
            name="web", facility=facility, base_url="http://127.0.0.1:9/dicom-web"
        ).pk,
        "senderstatistics": statistics.pk,
    }
