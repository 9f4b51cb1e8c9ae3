"""What a person decides about stored studies: where a lost one belongs, what is settled."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from django.apps import apps
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.audit import record_for_user
from accounts.models import Facility, User
from archive import events, signals
from archive.identity import flag
from archive.models import Discrepancy, FacilityRow, Instance, Patient, Series, Study
from archive.passport import invalidate_passports
from imaging.errors import ConflictError, MissingError, NotAllowedError
from imaging.search import search_key


def assign_to_facility(
    study_id: uuid.UUID, facility: Facility, user: User, *, address: str = ""
) -> None:
    """Move a quarantined study with all its rows to a facility, in one transaction.

    Files stay where they are. The patient is the one whom the facility knows
    under this ID; where name or birth date differ the study is flagged.

    Raises
    ------
    NotAllowedError
        The user is no administrator.
    MissingError
        There is no such study.
    ConflictError
        The study belongs to a facility already, or the facility has a study
        or an instance with the same UID. Nothing was changed.
    """
    if not user.is_archive_admin:
        raise NotAllowedError(_("Only administrators give studies to a facility."))
    try:
        with transaction.atomic():
            study = _lock(study_id)
            _check_conflicts(study, facility)
            patient_id = study.patient.patient_id
            _move_patient(study, facility)
            instances = _move_rows(study, facility)
            invalidate_passports([study.pk])
            study.refresh_from_db()
            signals.studies_indexed.send(sender=None, studies=[study])
            record_for_user(
                user,
                "study_assigned",
                address=address,
                facility=facility,
                patient_id=patient_id,
                study_instance_uid=study.study_instance_uid,
                detail={"from": "quarantine", "instances": instances},
            )
            events.publish("study_received", [study])
    except IntegrityError as error:
        # Another arrival took the UID between the check and the move.
        raise ConflictError(_("The facility has just received the same study.")) from error


def settle(discrepancy_ids: Iterable[uuid.UUID], user: User, *, address: str = "") -> int:
    """Note that the user settled these discrepancies; return how many were still open.

    Those that the user may not see are left alone. A study whose last one
    is settled needs no reconciliation any more.
    """
    with transaction.atomic():
        visible = Discrepancy.objects.visible_to(user).select_for_update()
        rows = list(visible.filter(pk__in=list(discrepancy_ids), resolved_at=None))
        for row in rows:
            row.resolved_at = timezone.now()
            row.resolved_by = user
        Discrepancy.objects.bulk_update(rows, ["resolved_at", "resolved_by"])
        still_open = Discrepancy.objects.filter(resolved_at=None, study__isnull=False)
        for study in Study.objects.filter(pk__in={row.study_id for row in rows}):
            settled = [row for row in rows if row.study_id == study.pk]
            if not still_open.filter(study=study).exists():
                Study.objects.filter(pk=study.pk).update(has_discrepancy=False)
            record_for_user(
                user,
                "discrepancy_settled",
                address=address,
                facility_id=study.facility_id,
                patient_id=study.patient.patient_id,
                study_instance_uid=study.study_instance_uid,
                detail={"discrepancies": [str(row.pk) for row in settled]},
            )
    return len(rows)


def _lock(study_id: uuid.UUID) -> Study:
    """Return the study, locked before its series: the order in which receivers lock."""
    locked = Study.objects.select_for_update(of=("self",)).select_related("patient")
    study = locked.filter(pk=study_id).first()
    list(Series.objects.select_for_update().filter(study=study_id).order_by("pk"))
    if study is None:
        raise MissingError(_("There is no such study."))
    if study.facility_id is not None:
        raise ConflictError(
            _("Study %(uid)s belongs to a facility already.") % {"uid": study.study_instance_uid}
        )
    return study


def _check_conflicts(study: Study, facility: Facility) -> None:
    uid = study.study_instance_uid
    if Study.objects.filter(facility=facility, study_instance_uid=uid).exists():
        raise ConflictError(
            _("%(facility)s has a study %(uid)s already; it stays in quarantine.")
            % {"facility": facility.name, "uid": uid}
        )
    uids = Instance.objects.filter(study=study).values("sop_instance_uid")
    if Instance.objects.filter(facility=facility, sop_instance_uid__in=uids).exists():
        raise ConflictError(
            _("%(facility)s has instances of %(uid)s in another study; it stays in quarantine.")
            % {"facility": facility.name, "uid": uid}
        )


def _move_patient(study: Study, facility: Facility) -> None:
    """Give the study the facility's patient of that ID, its own moved patient, or a copy."""
    lost = study.patient
    known = None
    if lost.patient_id:
        known = Patient.objects.filter(
            facility=facility,
            patient_id=lost.patient_id,
            issuer_of_patient_id=lost.issuer_of_patient_id,
        ).first()
    if known is not None:
        Study.objects.filter(pk=study.pk).update(patient=known)
        if not lost.studies.exists():
            lost.delete()
        if _is_other_person(known, study):
            reason = _("The patient ID is known with another name or birth date.")
            flag(study, Discrepancy.Kind.PATIENT_IDENTITY, reason, study.sender)
        return
    if lost.studies.exclude(pk=study.pk).exists():
        copy = Patient.objects.get(pk=lost.pk)
        copy.pk = Patient._meta.pk.get_default()
        copy.facility = facility
        copy.save(force_insert=True)
        Study.objects.filter(pk=study.pk).update(patient=copy)
        return
    Patient.objects.filter(pk=lost.pk).update(facility=facility)


def _is_other_person(known: Patient, study: Study) -> bool:
    """Whether name or birth date, where both sides give them, are different."""
    names = {search_key(known.patient_name), search_key(study.patient_name)} - {""}
    births = {known.patient_birth_date, study.patient_birth_date} - {None}
    return len(names) > 1 or len(births) > 1


def _move_rows(study: Study, facility: Facility) -> int:
    """Give the facility to the study and to whatever any room keeps of it; count instances."""
    Study.objects.filter(pk=study.pk).update(facility=facility)
    instances = 0
    for model in apps.get_models():
        if not issubclass(model, FacilityRow) or model is Study:
            continue
        if any(field.name == "study" for field in model._meta.fields):
            rows: int = model._default_manager.filter(study=study).update(facility=facility)  # type: ignore[misc]
            instances += rows if model is Instance else 0
    return instances
