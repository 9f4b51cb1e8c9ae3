"""Commitments asked over HTTP (PS3.18 13): the same rows and check, fetched by who asked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.locks import writing_turn
from accounts.models import User
from archive.promises import Promise
from dicom_receiver.commitment.asking import INSTANCES_LIMIT, describe
from dicom_receiver.commitment.checking import check_now
from dicom_receiver.commitment.models import Commitment
from dicom_receiver.tasks import COMMITMENTS, wake
from imaging.errors import ConflictError, LimitExceededError, MissingError


class HttpPromiser:
    """What `archive.promises` asks of the room that keeps promises."""

    def ask(
        self, user: User, transaction_uid: str, references: Sequence[Sequence[str]], address: str
    ) -> Promise:
        """Write the transaction down and check what a moment allows; a worker does the rest."""
        if len(references) > INSTANCES_LIMIT:
            raise LimitExceededError(f"More than {INSTANCES_LIMIT} instances in one transaction.")
        now = timezone.now()
        with writing_turn(), transaction.atomic():
            if _rows(user, transaction_uid).exists():
                raise ConflictError(_("This transaction UID is in use."))
            row = Commitment.objects.create(
                transaction_uid=transaction_uid,
                user=user,
                facility_id=user.grant.facility_id,
                references=[list(one) for one in references],
                instance_count=len(references),
                created_at=now,
                due_at=now,
                give_up_at=now + timedelta(hours=settings.NOCTIS_COMMITMENT_HOURS),
            )
            audit.record([describe(row, "commitment_requested", address=address)])
        check_now(row.pk)
        row.refresh_from_db()
        if row.status in Commitment.OPEN:
            wake(COMMITMENTS)
        return _promise(row)

    def read(self, user: User, transaction_uid: str) -> Promise:
        """Return what became of the person's transaction."""
        row = _rows(user, transaction_uid).order_by("-created_at").first()
        if row is None:
            raise MissingError(_("Not found."))
        return _promise(row)


def _rows(user: User, transaction_uid: str) -> QuerySet[Commitment]:
    return Commitment.objects.filter(user=user, transaction_uid=transaction_uid)


def _promise(row: Commitment) -> Promise:
    return Promise(row.references, row.failures, row.status not in Commitment.OPEN)
