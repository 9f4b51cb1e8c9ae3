"""The list's copies of patients' search keys, which were written anew."""

from typing import Any

from django.db import migrations
from django.db.models import F, OuterRef, Subquery

BATCH = 1000


def copy_keys(apps: Any, schema_editor: Any) -> None:
    """Copy the keys that differ, some rows at a time in the order of their keys."""
    alias = schema_editor.connection.alias
    entries = apps.get_model("worklist", "WorklistEntry").objects.using(alias)
    patients = apps.get_model("archive", "Patient").objects.using(alias)
    true = patients.filter(studies=OuterRef("study")).values("search_key")[:1]
    last = None
    while True:
        rows = entries.exclude(patient_key=F("study__patient__search_key")).order_by("pk")
        keys = list(
            (rows if last is None else rows.filter(pk__gt=last)).values_list("pk", flat=True)[
                :BATCH
            ]
        )
        if not keys:
            return
        last = keys[-1]
        entries.filter(pk__in=keys).update(patient_key=Subquery(true))


class Migration(migrations.Migration):
    dependencies = [
        ("archive", "0003_names_are_found_however_typed"),
        ("worklist", "0002_facility_orders"),
    ]

    operations = [migrations.RunPython(copy_keys, migrations.RunPython.noop, elidable=True)]
