"""Which names are found only by a look at their whole search key."""

from __future__ import annotations

from typing import Any

from django.db.models import BooleanField, Func
from django.utils.deconstruct import deconstructible


@deconstructible(path="archive.name_forms.HasOtherForms")
class HasOtherForms(Func):
    """Whether a name may be asked for by words that its search key does not begin with.

    So it is when it has several groups, or letters that can be spelt otherwise. A plain name's
    search key is the name itself. What is true is the same in indexes and in queries, to the
    letter, for only then does a database use the index.
    """

    arity = 1
    output_field = BooleanField()

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        """Write it with GLOB, which knows classes of letters."""
        template = "%(expressions)s GLOB '*[^ -<>-~]*'"
        return self.as_sql(compiler, connection, template=template, **extra)

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        """Write it as a regular expression, by code points."""
        template = "%(expressions)s COLLATE \"C\" ~ '[^ -<>-~]'"
        return self.as_sql(compiler, connection, template=template, **extra)
