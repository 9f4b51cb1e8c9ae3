"""Instances that somebody takes out of the archive: a row first, its file after the commit.

Marks of readers, and copies that wait for a person's decision, keep what they belong to.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.db import transaction
from django.db.models import ProtectedError, Sum
from django.utils.translation import gettext as _

from accounts.audit import record_for_user
from accounts.locks import writing_turn
from accounts.models import Role, User
from archive import events, signals, storage
from archive.models import Instance, Series, Study
from archive.passport import invalidate_passports
from imaging.errors import ConflictError, MissingError, NotAllowedError

DELETERS = (Role.FACILITY_ADMIN, Role.ADMIN)


def may_delete(user: User) -> bool:
    """Whether the user's role may take studies out of the archive."""
    return user.is_active and (user.is_archive_admin or user.role in DELETERS)


def delete_instances(
    study_id: uuid.UUID,
    user: User,
    *,
    series_id: uuid.UUID | None = None,
    instance_id: uuid.UUID | None = None,
    address: str = "",
) -> int:
    """Delete a study, one series or one instance of it; return how many instances went.

    What is left empty goes too: the series, the study with its entry in the worklist, the
    patient. Counts, passports and the trail follow in the same transaction.

    Raises
    ------
    NotAllowedError
        The user's role may not delete.
    MissingError
        There is no such thing, or the user does not see it.
    ConflictError
        Marks, key images or open discrepancies belong to it, it is reported, or work on it is
        under way. Nothing was changed.
    """
    if not may_delete(user):
        raise NotAllowedError(_("Your role may not delete."))
    try:
        with writing_turn(), transaction.atomic():
            return _delete(study_id, series_id, instance_id, user, address)
    except ProtectedError as error:
        raise ConflictError(
            _("Marks, key images or open discrepancies belong to it: it cannot be deleted.")
        ) from error


def _delete(
    study_id: uuid.UUID,
    series_id: uuid.UUID | None,
    instance_id: uuid.UUID | None,
    user: User,
    address: str,
) -> int:
    study = _lock(study_id, user)
    signals.study_leaving.send(sender=None, study=study)
    rows = Instance.objects.visible_to(user).filter(study=study)
    if series_id is not None:
        rows = rows.filter(series=series_id)
    if instance_id is not None:
        rows = rows.filter(pk=instance_id)
    found = list(rows.values_list("series_id", "storage_key"))
    if not found:
        raise MissingError(_("Not found."))
    keys = [key for _series, key in found]
    rows.delete()
    keys += _count_series({series for series, _key in found})
    is_gone = not Instance.objects.filter(study=study).exists()
    facts: dict[str, Any] = {
        "address": address,
        "facility_id": study.facility_id,
        "patient_id": study.patient.patient_id,
        "study_instance_uid": study.study_instance_uid,
        "detail": {"instances": len(found), "is_whole_study": is_gone},
    }
    if is_gone:
        _drop_study(study)
    else:
        _count_study(study)
    record_for_user(user, "delete", **facts)
    if is_gone:
        events.publish_for("study_deleted", study.facility_id, study=str(study_id))
    else:
        events.publish("study_updated", [study])
    transaction.on_commit(lambda: _remove_files(keys))
    return len(found)


def _lock(study_id: uuid.UUID, user: User) -> Study:
    """Return the study, locked before its series: the order in which receivers lock."""
    visible = Study.objects.visible_to(user).select_related("patient")
    study = visible.select_for_update(of=("self",)).filter(pk=study_id).first()
    if study is None:
        raise MissingError(_("Not found."))
    list(Series.objects.select_for_update().filter(study=study).order_by("pk"))
    return study


def _count_series(series_ids: set[uuid.UUID]) -> list[str]:
    """Count what is left in each series; return the thumbnails of those that went or changed."""
    thumbnails = []
    for series in Series.objects.filter(pk__in=series_ids).order_by("pk"):
        thumbnails.append(series.thumbnail_key)
        left = Instance.objects.filter(series=series)
        count = left.count()
        if not count:
            series.delete()
            continue
        sums = left.aggregate(frames=Sum("number_of_frames"), size=Sum("size_bytes"))
        Series.objects.filter(pk=series.pk).update(
            instance_count=count,
            frame_count=sums["frames"],
            size_bytes=sums["size"],
            thumbnail_key="",
        )
    return [key for key in thumbnails if key]


def _count_study(study: Study) -> None:
    """Write what is left of the study, tell the rooms above, and have its passports made anew."""
    series = list(Series.objects.filter(study=study))
    study.series_count = len(series)
    study.instance_count = sum(one.instance_count for one in series)
    study.size_bytes = sum(one.size_bytes for one in series)
    study.modalities = _join(one.modality for one in series)
    study.body_parts = _join(one.body_part_examined for one in series)
    study.save(
        update_fields=["series_count", "instance_count", "size_bytes", "modalities", "body_parts"]
    )
    signals.studies_indexed.send(sender=None, studies=[study])
    invalidate_passports([study.pk])


def _join(values: Any) -> str:
    """Return the distinct values, sorted, as far as the column holds them."""
    joined = ""
    for value in sorted({*values} - {""}):
        longer = f"{joined}\\{value}" if joined else value
        if len(longer) > 255:
            break
        joined = longer
    return joined


def _drop_study(study: Study) -> None:
    """Delete the empty study, and its patient when nothing else is theirs."""
    study.discrepancies.filter(resolved_at__isnull=False).update(study=None)
    patient = study.patient
    study.delete()
    if not patient.studies.exists():
        patient.delete()


def _remove_files(keys: list[str]) -> None:
    """Remove the files that no row names any more; `check_archive` finds what a crash leaves."""
    for key in keys:
        storage.remove(key)
