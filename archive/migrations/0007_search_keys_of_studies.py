"""Search keys of the studies that are here, by the rules of `imaging.search`."""

from typing import Any

from django.db import migrations

from imaging.search import name_key

BATCH = 1000


def write_keys(apps: Any, schema_editor: Any) -> None:
    """Write the keys, some rows at a time in the order of their primary keys."""
    studies = apps.get_model("archive", "Study").objects.using(schema_editor.connection.alias)
    last = None
    while True:
        rows = (
            studies.order_by("pk") if last is None else studies.filter(pk__gt=last).order_by("pk")
        )
        batch = list(rows.only("pk", "patient_name", "search_key")[:BATCH])
        if not batch:
            return
        last = batch[-1].pk
        for study in batch:
            study.search_key = name_key(study.patient_name)
        studies.bulk_update(batch, ["search_key"])


class Migration(migrations.Migration):
    dependencies = [("archive", "0006_names_of_studies_are_searched")]

    operations = [migrations.RunPython(write_keys, migrations.RunPython.noop, elidable=True)]
