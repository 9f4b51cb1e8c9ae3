"""Statements for the one path that every received instance takes.

The ORM compiles a query anew each time it is asked, which for an instance
that is stored alone costs more than the database's own work. Here the same
rows and updates go through prepared text; everything else uses the ORM.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from django.db import connection
from django.db.models import AutoField, Model
from django.utils import timezone


def adapt(value: object) -> Any:
    """Return a value as the database's driver takes it."""
    adapter = _ADAPTERS.get(type(value))
    return value if adapter is None else adapter(value)


def _adapt_uuid(value: Any) -> Any:
    return value if connection.vendor == "postgresql" else value.hex


def _adapt_moment(value: Any) -> Any:
    return connection.ops.adapt_datetimefield_value(value)


def _adapt_json(value: Any) -> Any:
    return connection.ops.adapt_json_value(value, None)


_ADAPTERS: dict[type, Callable[[Any], Any]] = {
    uuid.UUID: _adapt_uuid,
    datetime: _adapt_moment,
    dict: _adapt_json,
    list: _adapt_json,
}


def execute(statement: str, *values: object) -> int:
    """Run a statement with `%s` for each value; returns the number of touched rows."""
    with connection.cursor() as cursor:
        cursor.execute(statement, [adapt(value) for value in values])
        return int(cursor.rowcount)


def fetch(statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Return the rows of a query, as the driver gives them."""
    with connection.cursor() as cursor:
        cursor.execute(statement, [adapt(value) for value in values])
        return list(cursor.fetchall())


def insert_rows(rows: Sequence[Model], *, unique: str = "", update: Sequence[str] = ()) -> None:
    """Insert model objects in one statement; automatic keys are not read back.

    For models whose values are plain, moments, keys or JSON, as all of ingest are.
    With `unique`, the column of a unique constraint, a row that is there
    already takes the new values of the columns in `update` instead.
    """
    if not rows:
        return
    names, stamped, statement = _insertion(type(rows[0]))
    now = timezone.now() if stamped else None
    values = []
    for row in rows:
        facts = row.__dict__
        if now is not None:
            facts.update(dict.fromkeys(stamped, now))
        values += [adapt(facts[name]) for name in names]
    one = f"({', '.join(['%s'] * len(names))})"
    conflict = ""
    if unique:
        changes = ", ".join(f'"{column}" = EXCLUDED."{column}"' for column in update)
        conflict = f' ON CONFLICT ("{unique}") DO UPDATE SET {changes}'
    with connection.cursor() as cursor:
        cursor.execute(f"{statement} {', '.join([one] * len(rows))}{conflict}", values)


@cache
def _insertion(model: type[Model]) -> tuple[list[str], list[str], str]:
    """Return a model's attributes, those that are stamped with now, and its INSERT's beginning."""
    fields = [field for field in model._meta.concrete_fields if not isinstance(field, AutoField)]
    stamped = [field.attname for field in fields if getattr(field, "auto_now_add", False)]
    columns = ", ".join(f'"{field.column}"' for field in fields)
    names = [field.attname for field in fields]
    return names, stamped, f'INSERT INTO "{model._meta.db_table}" ({columns}) VALUES'
