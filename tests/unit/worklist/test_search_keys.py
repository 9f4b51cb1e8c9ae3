"""Keys that were written by older rules are written anew by the migrations."""

from __future__ import annotations

from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection

from accounts.models import Facility
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


def test_old_search_keys_and_their_copies_are_written_anew(
    north: Facility, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = import_module("archive.migrations.0003_names_are_found_however_typed")
    copies = import_module("worklist.migrations.0003_copies_of_search_keys")
    monkeypatch.setattr(keys, "BATCH", 2)
    monkeypatch.setattr(copies, "BATCH", 2)
    entries = []
    for number, name in enumerate(["Müller^Jörg", "Doe^Jane", "Sørensen^Bo", "Ång^Li", "王^小東"]):
        patient = factories.make_patient(
            north, patient_id=f"P{number}", patient_name=name, search_key=name.lower()
        )
        entries.append(factories.make_worklist_entry(factories.make_study(north, patient=patient)))
    with connection.schema_editor() as editor:
        keys.write_keys(apps, editor)
        copies.copy_keys(apps, editor)
    found = []
    for entry in entries:
        entry.refresh_from_db()
        found.append(entry.patient_key)
    assert found == [
        "muller jorg mueller joerg",
        "doe jane",
        "sorensen bo soerensen",
        "ang li aang",
        "王 小東",
    ]
