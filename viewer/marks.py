"""Changes of what readers keep on a study: made, changed, deleted, brought back.

A change, its audit row and the news of it are one transaction: all or none. Who changes names
the version that was seen; when somebody else was faster nothing happens.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.audit import record_for_user
from accounts.models import Role, User
from archive import events
from archive.models import Study
from imaging.errors import ConflictError, MissingError
from viewer.centreline_models import Centreline
from viewer.models import Drawing, Kept, Mark

WRITERS = frozenset({Role.RADIOLOGIST, Role.TECHNOLOGIST, Role.FACILITY_ADMIN, Role.ADMIN})
EVENT = "marks_changed"

KeptT = TypeVar("KeptT", bound=Kept)
# Writes what follows from a change of a row, in its transaction, and returns those rows.
Follow = Callable[["Author", Kept], Sequence[Kept]]


@dataclass(frozen=True, slots=True)
class Author:
    """Who writes, and from where."""

    user: User
    address: str = ""


def may_mark(user: User | AnonymousUser) -> bool:
    """Whether the user's role may write marks at all."""
    if not user.is_authenticated or not user.is_active:
        return False
    return user.is_archive_admin or user.role in WRITERS


def nothing_follows(_author: Author, _row: Kept) -> Sequence[Kept]:
    """Change nothing else."""
    return ()


def create(
    author: Author,
    model: type[KeptT],
    study_id: uuid.UUID,
    columns: dict[str, Any],
    *,
    follow: Follow = nothing_follows,
) -> KeptT:
    """Store a new row of the study.

    Raises MissingError when the study is gone, ConflictError when there is one already that
    there may be only once.
    """
    with transaction.atomic():
        study = _lock_study(author.user, study_id)
        row = model(
            study=study,
            facility_id=study.facility_id,
            created_by=author.user,
            changed_by=author.user,
            **columns,
        )
        _save(row)
        _tell(author, study, (row, "created"), follow(author, row))
    return row


def change(
    author: Author,
    row: KeptT,
    version: int,
    columns: dict[str, Any],
    *,
    follow: Follow = nothing_follows,
) -> KeptT:
    """Write columns into the version that the author has seen.

    Raises ConflictError when somebody else was faster, MissingError when it is gone.
    """
    with transaction.atomic():
        study = _lock_study(author.user, row.study_id)
        fresh = _lock(type(row), row.pk, version)
        for name, value in columns.items():
            setattr(fresh, name, value)
        fresh.version += 1
        fresh.changed_by = author.user
        _save(fresh)
        _tell(author, study, (fresh, "changed"), follow(author, fresh), fields=sorted(columns))
    return fresh


def delete(
    author: Author, row: Kept, version: int | None, *, follow: Follow = nothing_follows
) -> None:
    """Mark as deleted: by whom and when. Raises as `change`."""
    with transaction.atomic():
        study = _lock_study(author.user, row.study_id)
        fresh = _lock(type(row), row.pk, version)
        fresh.version += 1
        fresh.deleted_by = author.user
        fresh.deleted_at = timezone.now()
        fresh.save(update_fields=["version", "deleted_by", "deleted_at"])
        _tell(author, study, (fresh, "deleted"), follow(author, fresh))


def restore(
    author: Author, row: KeptT, version: int | None, *, follow: Follow = nothing_follows
) -> KeptT:
    """Undo a deletion. Raises as `change` and `create`."""
    with transaction.atomic():
        study = _lock_study(author.user, row.study_id)
        fresh = _lock(type(row), row.pk, version, is_deleted=True)
        fresh.version += 1
        fresh.changed_by = author.user
        fresh.deleted_by = fresh.deleted_at = None
        _save(fresh)
        _tell(author, study, (fresh, "restored"), follow(author, fresh))
    return fresh


def _save(row: Kept) -> None:
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise ConflictError(_("There is one already.")) from error


def _lock_study(user: User, study_id: uuid.UUID) -> Study:
    """Return the study, locked before its marks, so that it does not move meanwhile."""
    locked = Study.objects.visible_to(user).select_for_update(of=("self",))
    study = locked.select_related("patient").filter(pk=study_id).first()
    if study is None:
        raise MissingError(_("Not found."))
    return study


def related_of(model: type[Kept]) -> list[str]:
    """Return what is read along with marks: where they lie."""
    if issubclass(model, Drawing):
        return ["instance__series", "series"]
    if issubclass(model, Centreline):
        return ["series"]
    return ["instance__series"] if issubclass(model, Mark) else []


def _lock(
    model: type[KeptT], row_id: uuid.UUID, version: int | None, *, is_deleted: bool = False
) -> KeptT:
    manager: Any = model._default_manager
    rows = manager.select_for_update(of=("self",)).filter(deleted_at__isnull=not is_deleted)
    related = ["study", "created_by", *related_of(model)]
    row: KeptT | None = rows.select_related(*related).filter(pk=row_id).first()
    if row is None:
        raise MissingError(_("Not found."))
    if version is not None and row.version != version:
        raise ConflictError(
            _("Somebody has changed this: it is at version %(version)d.") % {"version": row.version}
        )
    return row


def _tell(
    author: Author, study: Study, done: tuple[Kept, str], followed: Sequence[Kept], **also: Any
) -> None:
    """Write the trail, then the news: the last writing of the transaction.

    The news names keys and versions alone; who may see the study reads the rest.
    """
    told = [done, *((row, "changed") for row in followed)]
    for row, what in told:
        record_for_user(
            author.user,
            f"{row.word}_{what}",
            address=author.address,
            facility_id=study.facility_id,
            patient_id=study.patient.patient_id,
            study_instance_uid=study.study_instance_uid,
            detail={**_describe(row), "version": row.version, **also},
        )
    for row, what in told:
        events.publish(EVENT, [study], **_news(row, what))


def _news(row: Kept, what: str) -> dict[str, Any]:
    news = {"mark": row.word, "id": str(row.pk), "what": what, "version": row.version}
    if isinstance(row, Mark):
        instance, series = row.find_home()
        news |= {"instance": str(instance.pk) if instance else None, "series": str(series.pk)}
    return news


def _describe(row: Kept) -> dict[str, Any]:
    """Return what the trail says of a row: which, of what kind, where."""
    facts: dict[str, Any] = {row.word: str(row.pk)}
    if isinstance(row, Centreline):
        facts["series_instance_uid"] = row.series.series_instance_uid
    if isinstance(row, Mark):
        instance, series = row.find_home()
        if instance is None:
            facts["series_instance_uid"] = series.series_instance_uid
        else:
            facts["sop_instance_uid"] = instance.sop_instance_uid
            facts["frame"] = row.frame
    return facts | {name: getattr(row, name) for name in ("kind", "name") if hasattr(row, name)}
