"""What becomes of orders: made, changed, cancelled; their steps move by hand or by scanners.

Every verb writes its audit row and its news in one transaction with the
change. HL7 messages and pages call these verbs too; nothing else writes orders.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import Facility, Role, User
from archive import events
from imaging.errors import ConflictError, MissingError
from imaging.search import name_key
from worklist.linking import link_studies, lock_studies
from worklist.order_models import Order, ScheduledStep

AUTHORS = (Role.TECHNOLOGIST, Role.RADIOLOGIST, Role.FACILITY_ADMIN, Role.ADMIN)
MOST_STEPS = 32

# Digits and letters that are not taken for each other on the telephone.
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RANDOM_LETTERS = 7

_S = ScheduledStep.Status
_WAITING = frozenset({_S.SCHEDULED, _S.ARRIVED, _S.READY})
_ENDED = frozenset({_S.COMPLETED, _S.DISCONTINUED, _S.CANCELLED})
# What people may make of a step; scanners move it by what they perform.
_NEXT: dict[str, frozenset[str]] = {
    **dict.fromkeys(_WAITING, frozenset({*_WAITING, _S.STARTED, *_ENDED})),
    _S.STARTED: frozenset({_S.SCHEDULED, _S.COMPLETED, _S.DISCONTINUED}),
    _S.COMPLETED: frozenset(),
    _S.DISCONTINUED: frozenset({_S.SCHEDULED}),
    _S.CANCELLED: frozenset({_S.SCHEDULED}),
}


@dataclass(frozen=True)
class Author:
    """Who orders: a person, or another system by its name."""

    name: str
    user_id: uuid.UUID | None = None
    address: str = ""

    @classmethod
    def from_user(cls, user: User, address: str = "") -> Author:
        """Return a person as an author."""
        return cls(user.get_username(), user.pk, address)


def may_order(user: User) -> bool:
    """Whether the user's role may make and change orders."""
    return user.is_active and (user.is_archive_admin or user.role in AUTHORS)


def new_study_instance_uid() -> str:
    """Return a new UID made of a random UUID (PS3.5 B.2)."""
    return f"2.25.{uuid.uuid4().int}"


def new_number(prefix: str) -> str:
    """Return a new number of at most 16 characters that people can read out: day and chance."""
    chance = "".join(secrets.choice(_LETTERS) for _ in range(_RANDOM_LETTERS))
    return f"{prefix}{timezone.localdate():%y%m%d}{chance}"


def fill_blanks(row: Order | ScheduledStep) -> None:
    """Give an order or a step, not saved, the identifiers that nobody has chosen."""
    if isinstance(row, Order):
        row.study_instance_uid = row.study_instance_uid or new_study_instance_uid()
        row.accession_number = row.accession_number or new_number("A")
        row.requested_procedure_id = row.requested_procedure_id or new_number("P")
        row.patient_key = name_key(row.patient_name)
    else:
        row.scheduled_procedure_step_id = row.scheduled_procedure_step_id or new_number("S")


# --- verbs -----------------------------------------------------------------------------
def create_order(
    facility: Facility,
    values: Mapping[str, Any],
    steps: Sequence[Mapping[str, Any]],
    author: Author,
) -> Order:
    """Make an order with its steps; a study that is here already and carries it is linked.

    Raises django's ValidationError, by field, for values that cannot be, and
    ConflictError when another order took an identifier at the same moment.
    """
    if not 1 <= len(steps) <= MOST_STEPS:
        raise ValidationError({"steps": _("Give 1 to %(count)d steps.") % {"count": MOST_STEPS}})
    with _guarded():
        order = Order(facility=facility, created_by_id=author.user_id, **values)
        fill_blanks(order)
        order.full_clean()
        studies = _lock_studies_of(order)
        order.save(force_insert=True)
        for one in steps:
            _add_step(order, one)
        refresh_status(order)
        link_studies(studies)
        _tell(order, "order_created", author, steps=len(steps))
    return order


def change_order(
    order_id: uuid.UUID, values: Mapping[str, Any], author: Author, *, has_new_steps: bool = False
) -> Order:
    """Change an order's values; Study Instance UID and facility stay.

    Raises ValidationError by field, ConflictError, MissingError.
    """
    fixed = {"facility", "study_instance_uid", "status"} & set(values)
    if fixed:
        raise ValidationError({name: _("This never changes.") for name in fixed})
    with _guarded():
        number = str(values.get("accession_number", ""))
        order = _lock_with_studies(order_id, number)
        changed = [name for name, value in values.items() if getattr(order, name) != value]
        for name in changed:
            setattr(order, name, values[name])
        fill_blanks(order)
        order.full_clean()
        order.save()
        link_studies(_lock_studies_of(order))
        if changed or has_new_steps:
            _tell(order, "order_changed", author, fields=sorted(changed))
    return order


def cancel_order(order_id: uuid.UUID, author: Author, *, reason: str = "") -> Order:
    """Cancel an order and its steps; safe to repeat.

    Raises ConflictError when a step has begun or the order has ended.
    """
    with _guarded():
        order = _lock(order_id)
        if order.status == Order.Status.CANCELLED:
            return order
        steps = list(order.steps.select_for_update().order_by("pk"))
        if any(step.status == _S.STARTED for step in steps):
            raise ConflictError(_("The examination has begun: complete or discontinue it."))
        if order.status in {Order.Status.COMPLETED, Order.Status.DISCONTINUED}:
            raise ConflictError(_("The examination has ended; it cannot be cancelled any more."))
        order.cancellation_reason = reason
        order.full_clean()
        order.steps.filter(status__in=_WAITING).update(status=_S.CANCELLED)
        order.status = Order.Status.CANCELLED
        order.save()
        _tell(order, "order_cancelled", author)
    return order


def add_step(order_id: uuid.UUID, values: Mapping[str, Any], author: Author) -> ScheduledStep:
    """Add a step to an order, which is scheduled again if it had ended."""
    with _guarded():
        order = _lock(order_id)
        if order.steps.count() >= MOST_STEPS:
            raise ConflictError(_("The order has %(count)d steps already.") % {"count": MOST_STEPS})
        step = _add_step(order, values)
        refresh_status(order)
        _tell(order, "order_changed", author, step=step.scheduled_procedure_step_id)
    return step


def change_step(
    order_id: uuid.UUID, step_id: uuid.UUID, values: Mapping[str, Any], author: Author
) -> ScheduledStep:
    """Change a step's values or move it on; ConflictError when it cannot move so."""
    with _guarded():
        order = _lock(order_id)
        step = order.steps.select_for_update().filter(pk=step_id).first()
        if step is None:
            raise MissingError(_("There is no such step."))
        status = values.get("status", step.status)
        check_move(step.status, status)
        for name, value in values.items():
            setattr(step, name, value)
        fill_blanks(step)
        step.full_clean()
        step.save()
        refresh_status(order)
        detail = {"step": step.scheduled_procedure_step_id, "status": str(step.status)}
        _tell(order, "order_changed", author, **detail)
    return step


def check_move(old: str, new: str) -> None:
    """Refuse what people may not make of a step; raises ConflictError."""
    if new != old and new not in _NEXT[old]:
        raise ConflictError(
            _("A step that is %(old)s cannot become %(new)s.")
            % {"old": _S(old).label.lower(), "new": _S(new).label.lower()}
        )


def refresh_status(order: Order) -> None:
    """Give the order the status that its steps add up to; the order must be locked."""
    found = set(order.steps.values_list("status", flat=True))
    status = add_up(found)
    if status != order.status:
        order.status = status
        order.save(update_fields=["status", "changed_at"])


def add_up(found: set[str]) -> str:
    """Return the order's status when its steps have these."""
    if not found:
        return Order.Status.SCHEDULED
    if found <= {_S.CANCELLED}:
        return Order.Status.CANCELLED
    if found <= _ENDED:
        is_done = _S.COMPLETED in found
        return Order.Status.COMPLETED if is_done else Order.Status.DISCONTINUED
    has_begun = found & {_S.STARTED, _S.COMPLETED}
    return Order.Status.IN_PROGRESS if has_begun else Order.Status.SCHEDULED


# --- parts -----------------------------------------------------------------------------
@contextmanager
def _guarded() -> Iterator[None]:
    """Open a transaction in which a lost race for an identifier reads as a conflict."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        raise ConflictError(_("Another order has just taken this identifier.")) from error


def _lock(order_id: uuid.UUID) -> Order:
    order = Order.objects.select_for_update().filter(pk=order_id).first()
    if order is None:
        raise MissingError(_("There is no such order."))
    return order


def _lock_with_studies(order_id: uuid.UUID, accession_number: str) -> Order:
    """Return the order, locked after the studies that it may be about."""
    seen = Order.objects.filter(pk=order_id).first()
    if seen is not None and seen.facility_id is not None:
        numbers = {seen.accession_number, accession_number}
        lock_studies(seen.facility_id, [seen.study_instance_uid], numbers)
    return _lock(order_id)


def _lock_studies_of(order: Order) -> list[Any]:
    assert order.facility_id is not None
    return lock_studies(order.facility_id, [order.study_instance_uid], [order.accession_number])


def _add_step(order: Order, values: Mapping[str, Any]) -> ScheduledStep:
    step = ScheduledStep(order=order, facility_id=order.facility_id, **values)
    fill_blanks(step)
    step.full_clean()
    step.save(force_insert=True)
    return step


def _tell(order: Order, action: str, author: Author, **detail: Any) -> None:
    """Write the audit row and the news of a change; the last writing of its transaction."""
    audit.record([describe_change(order, action, author, **detail)])
    events.publish_for("order_changed", order.facility_id, order=str(order.pk))


def describe_change(order: Order, action: str, author: Author, **detail: Any) -> audit.AuditEntry:
    """Return the audit row of what was done with an order."""
    return audit.AuditEntry(
        action=action,
        actor=author.name,
        user_id=author.user_id,
        address=author.address,
        facility_id=order.facility_id,
        patient_id=order.patient_id,
        study_instance_uid=order.study_instance_uid,
        detail={"order": str(order.pk), **detail},
    )
