"""Search keys of names that are not plain ASCII, by the rules of `imaging.search`."""

from typing import Any

from django.db import migrations

from imaging.search import name_key

BATCH = 1000


def write_keys(apps: Any, schema_editor: Any) -> None:
    """Write the keys that change, some rows at a time in the order of their keys."""
    patients = apps.get_model("archive", "Patient").objects.using(schema_editor.connection.alias)
    last = None
    while True:
        rows = (
            patients.order_by("pk") if last is None else patients.filter(pk__gt=last).order_by("pk")
        )
        batch = list(rows.only("pk", "patient_name", "search_key")[:BATCH])
        if not batch:
            return
        last = batch[-1].pk
        changed = []
        for patient in batch:
            key = name_key(patient.patient_name)
            if key != patient.search_key:
                patient.search_key = key
                changed.append(patient)
        patients.bulk_update(changed, ["search_key"])


class Migration(migrations.Migration):
    dependencies = [("archive", "0002_search_by_identifier")]

    operations = [migrations.RunPython(write_keys, migrations.RunPython.noop, elidable=True)]
