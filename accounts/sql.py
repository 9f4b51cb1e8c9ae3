"""Statements for the one path that every received instance takes.

The ORM compiles a query anew each time it is asked, which for an instance
that is stored alone costs more than the database's own work. Here the same
rows and updates go through prepared text; everything else uses the ORM.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from django.db import connection
from django.db.models import AutoField, Field, Model


def adapt(value: object) -> Any:
    """Return a value as the database's driver takes it."""
    if isinstance(value, uuid.UUID):
        return value if connection.features.has_native_uuid_field else value.hex
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return value


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

    With `unique`, the column of a unique constraint, a row that is there
    already takes the new values of the columns in `update` instead.
    """
    if not rows:
        return
    fields, statement = _insertion(type(rows[0]))
    values = [
        field.get_db_prep_save(field.pre_save(row, add=True), connection)
        for row in rows
        for field in fields
    ]
    one = f"({', '.join(['%s'] * len(fields))})"
    conflict = ""
    if unique:
        changes = ", ".join(f'"{column}" = EXCLUDED."{column}"' for column in update)
        conflict = f' ON CONFLICT ("{unique}") DO UPDATE SET {changes}'
    with connection.cursor() as cursor:
        cursor.execute(f"{statement} {', '.join([one] * len(rows))}{conflict}", values)


@cache
def _insertion(model: type[Model]) -> tuple[list[Field[Any, Any]], str]:
    """Return a model's fields and the beginning of its INSERT."""
    fields = [field for field in model._meta.concrete_fields if not isinstance(field, AutoField)]
    columns = ", ".join(f'"{field.column}"' for field in fields)
    return fields, f'INSERT INTO "{model._meta.db_table}" ({columns}) VALUES'
