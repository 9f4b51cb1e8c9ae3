"""The audit trail: with the change or not at all, and no change of it stays hidden."""

from __future__ import annotations

import io
import threading

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from accounts import audit
from accounts.audit import AuditEntry, record, record_for_user
from accounts.models import AuditRow, Facility, User
from archive.models import Study
from tests.factories import make_study


def verify(expect: str | None = None) -> tuple[int, str]:
    """Run the command; return exit code and words."""
    said = io.StringIO()
    try:
        call_command("verify_audit", expect=expect, stdout=said)
    except SystemExit as end:
        return int(str(end.code)), said.getvalue()
    return 0, said.getvalue()


def write(count: int = 5) -> list[AuditRow]:
    for number in range(count):
        record([AuditEntry(action="study_opened", actor="rada", patient_id=f"P{number}")])
    return list(AuditRow.objects.order_by("id"))


@pytest.mark.django_db
def test_untouched_trail_is_whole() -> None:
    write()
    code, words = verify()

    assert code == 0
    assert "whole: 5 rows" in words


@pytest.mark.django_db
def test_empty_trail_is_whole() -> None:
    assert verify()[0] == 0


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("actor", "mallory"),
        ("action", "login"),
        ("outcome", "failure"),
        ("patient_id", "P9"),
        ("study_instance_uid", "1.2.3"),
        ("address", "192.0.2.9"),
        ("detail", {"a": 1}),
        ("at", "2020-01-01T00:00:00Z"),
        ("previous_hash", "0" * 64),
        ("hash", "f" * 64),
    ],
)
def test_changed_row_is_named(field: str, value: object) -> None:
    rows = write()
    AuditRow.objects.filter(pk=rows[2].pk).update(**{field: value})
    code, words = verify()

    assert code == 1
    assert f"BROKEN at row {rows[2].pk}" in words.splitlines()[0]


@pytest.mark.django_db
def test_removed_row_shows_at_the_next_one() -> None:
    rows = write()
    AuditRow.objects.filter(pk=rows[2].pk).delete()
    code, words = verify()

    assert code == 1
    assert f"BROKEN at row {rows[3].pk}" in words


@pytest.mark.django_db
def test_first_row_cannot_be_removed_unseen() -> None:
    rows = write()
    rows[0].delete()

    assert verify()[0] == 1


@pytest.mark.django_db
def test_cut_off_end_shows_against_a_kept_row() -> None:
    rows = write()
    kept = f"{rows[4].pk}:{rows[4].hash}"
    assert verify(kept)[0] == 0
    rows[4].delete()

    assert verify()[0] == 0
    code, words = verify(kept)
    assert code == 1
    assert "cut off" in words


@pytest.mark.django_db
def test_rewritten_row_with_its_own_hash_made_new_breaks_the_chain_after_it() -> None:
    rows = write()
    forged = rows[1]
    forged.actor = "mallory"
    forged.hash = audit._digest(forged)
    forged.save()
    code, words = verify()

    assert code == 1
    assert f"BROKEN at row {rows[2].pk}" in words


@pytest.mark.django_db
def test_rows_survive_the_way_into_the_database_and_back(rada: User, north: Facility) -> None:
    record_for_user(
        rada,
        "study_opened",
        address="2001:db8::1",
        facility=north,
        patient_id="Ä-1",
        study_instance_uid="1.2.3",
        detail={"name": "Jérôme", "count": 3, "ratio": 0.1, "list": [None, True]},
    )

    assert verify()[0] == 0
    row = AuditRow.objects.get()
    assert (row.user, row.facility, row.patient_id) == (rada, north, "Ä-1")


@pytest.mark.django_db
def test_overlong_text_is_cut_and_still_whole() -> None:
    record([AuditEntry(action="store", actor="A" * 500, patient_id="P" * 100)])

    assert verify()[0] == 0


@pytest.mark.django_db(transaction=True)
def test_audit_row_and_change_stand_or_fall_together(rada: User, north: Facility) -> None:
    @transaction.atomic
    def store_and_fail() -> None:
        make_study(north)
        record_for_user(rada, "study_stored")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store_and_fail()

    assert not AuditRow.objects.exists()
    assert not Study.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_parallel_writers_make_one_chain() -> None:
    def work(name: str) -> None:
        for _ in range(8):
            record([AuditEntry(action="store", actor=name)])
        connection.close()

    threads = [threading.Thread(target=work, args=(f"writer{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert AuditRow.objects.count() == 32
    assert verify()[0] == 0


@pytest.mark.django_db
def test_trail_is_read_by_facility(
    rada: User, nora: User, admin: User, north: Facility, south: Facility
) -> None:
    record_for_user(rada, "study_opened", facility=north)
    record_for_user(rada, "study_opened", facility=south)
    record_for_user(rada, "login")

    def seen(user: User) -> int:
        return AuditRow.objects.visible_to(user).count()

    assert (seen(admin), seen(nora), seen(rada)) == (3, 1, 0)
