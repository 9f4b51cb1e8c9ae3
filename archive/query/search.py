"""One question: its keys, turned into conditions, and its answers, page by page.

No statement stays open while a slow peer takes the answers: few rows are read at once; of more
the keys are fetched first, then the rows, some hundred at a time. What a condition could not
decide is decided here, on the values that the answer shows.
"""

from __future__ import annotations

import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from pydicom import Dataset

from archive.models import Instance, Study
from archive.query.attributes import (
    COLUMNS,
    SOP_CLASSES_IN_STUDY,
    Column,
    Kind,
    Level,
    is_in_file,
    is_supported,
    way_up,
)
from archive.query.narrowing import UNKNOWN, Narrowed, narrow
from archive.query.rows import Answer, Row, RowReader, dataset_of_answer, values_of_column
from archive.query.scope import Scope
from archive.query.stopping import StoppedError, stoppable
from imaging.errors import TooBroadError
from imaging.match_values import Matcher, Period, Uids
from imaging.matching import PLAIN, KeySet, Rules

PAGE = 250
FIRST_PAGE = 25
# So many keys are sorted here; more than that, and the database walks them in order.
MOST_KEYS = 20_000
# Rows above, found first: their keys make a better question than a join.
MOST_PARENTS = 1_000
# Files that are opened to decide whether they match.
MOST_FILES = 2_000
MOST_VALUES = 5_000
# For one statement, not for the peer that takes the answers.
SECONDS = 20.0

_STUDIES_OF_PATIENT = Study.objects.filter(patient=OuterRef("pk"))


def _never() -> bool:
    return False


class Search:
    """A question at one level, asked within a scope.

    `keys` holds what is asked: attributes with values narrow the answers, those without are
    wanted in them. Answers have every supported attribute that was asked for; the tags that
    are not supported are `unsupported`, and their values narrow nothing.

    Raises QueryError for keys that break the rules of matching.
    """

    def __init__(
        self,
        scope: Scope,
        level: Level,
        keys: Dataset,
        *,
        rules: Rules = PLAIN,
        should_stop: Callable[[], bool] = _never,
    ) -> None:
        self._scope = scope
        self._level = level
        self._should_stop = should_stop
        asked = [int(element.tag) for element in keys]
        wanted = [tag for tag in asked if is_supported(level, tag)]
        self.unsupported = frozenset(asked) - frozenset(wanted)
        supported = Dataset()
        for tag in wanted:
            supported.add(keys[tag])
        self._keys = KeySet.from_dataset(supported, rules)
        self._files_left = MOST_FILES
        self._needs_files = False
        self._has_parents = False
        self._conditions: list[Q] = []
        self._undecided = KeySet({}, {})
        self._sieve = Sieve()
        self._reader = RowReader(scope, level, wanted)

    # --- answers -----------------------------------------------------------------------------
    def answers(self, *, offset: int = 0, limit: int | None = None) -> Generator[Dataset]:
        """Yield what matches as data sets, see `matches`."""
        for match in self.matches(offset=offset, limit=limit):
            yield dataset_of_answer(match)

    def matches(self, *, offset: int = 0, limit: int | None = None) -> Generator[Answer]:
        """Yield what matches, newest arrivals first, each once.

        Raises
        ------
        StoppedError
            `should_stop` said so.
        TooBroadError
            A statement takes too long, or too many files would have to be opened.
        """
        with self._in_database():
            self._conditions, self._undecided = self._compile()
        stop = None if limit is None else offset + limit
        if self._undecided.is_universal:
            for rows in self._row_pages(offset, stop):
                yield from map(self._reader.answer, rows)
            return
        found = (answer for rows in self._row_pages(0, None) for answer in self._fitting(rows))
        yield from islice(found, offset, stop)

    def _row_pages(self, offset: int, stop: int | None) -> Iterator[list[Row]]:
        """Yield rows; few are read with one statement, more by their keys, page by page."""
        few = self._read_few()
        if few is not None:
            yield few[offset:stop]
            return
        for page in self._pages(offset, stop):
            with self._in_database():
                rows = self._reader.read(page)
            yield rows

    def _read_few(self) -> list[Row] | None:
        """Return all rows that the conditions let through, whole; None when they are many."""
        if not self._conditions:
            return None
        places = [self._reader.place(column.field) for column, _ in self._sieve.columns]
        rows = self._rows(is_checked=not self._has_parents).order_by()
        found = self._fetch(rows.values_list(*self._reader.fields)[: PAGE + 1])
        if len(found) > PAGE:
            return None
        fitting = [row for row in found if self._sieve.fits([row[place] for place in places])]
        key = self._reader.place("pk")
        with self._in_database():
            return self._reader.take(sorted(fitting, key=lambda row: row[key], reverse=True))

    def _fitting(self, rows: Iterable[Row]) -> Iterator[Answer]:
        """Yield the answers that fit where no condition decided."""
        for row in rows:
            if self._needs_files:
                self._count_file()
            answer = self._reader.answer(row)
            if self._undecided.matches(dataset_of_answer(answer)):
                yield answer

    def _pages(self, offset: int, stop: int | None) -> Iterator[list[uuid.UUID]]:
        """Yield keys of rows; the first page is short, so that the first answer comes soon."""
        keys = islice(self._walk(stop), offset, stop)
        size = FIRST_PAGE
        while page := list(islice(keys, size)):
            yield page
            size = PAGE

    def _walk(self, most: int | None) -> Iterator[uuid.UUID]:
        """Yield the keys of all rows that the conditions let through, newest first."""
        if self._conditions:
            # Unsorted, so that the database takes the index of the conditions.
            rows = self._rows(is_checked=not self._has_parents).order_by()
            found = self._fetch(rows.values_list(*self._sieve.fields)[: MOST_KEYS + 1])
            if len(found) <= MOST_KEYS:
                yield from sorted(self._sieve.keys_of(found, self._scope), reverse=True)
                return
        # Along the primary key, whoever the rows belong to: nothing has to be sorted.
        rows = self._rows(is_checked=False).order_by("-pk")
        last = None
        size = PAGE if most is None else min(most, MOST_KEYS)
        while True:
            part = rows if last is None else rows.filter(pk__lt=last)
            found = self._fetch(part.values_list(*self._sieve.fields)[:size])
            yield from self._sieve.keys_of(found, self._scope)
            if len(found) < size:
                return
            last, size = found[-1][0], min(size * 4, MOST_KEYS)

    def _rows(self, *, is_checked: bool) -> QuerySet[Any]:
        choose = self._scope.rows if is_checked else self._scope.unchecked
        rows = choose(self._level).filter(*self._conditions)
        if self._level is Level.PATIENT:
            # A unique key has a value (C.2.2.1.1), and who has no study is no patient here.
            rows = rows.exclude(patient_id="").filter(Exists(_STUDIES_OF_PATIENT))
        return rows

    def _count_file(self) -> None:
        self._files_left -= 1
        if self._files_left < 0:
            raise TooBroadError("Too many files would have to be read; narrow the query.")
        if self._should_stop():
            raise StoppedError

    def _fetch(self, rows: QuerySet[Any]) -> list[Any]:
        with self._in_database():
            return list(rows)

    def _in_database(self) -> Any:
        return _Timed(self._should_stop, time.monotonic() + SECONDS)

    # --- conditions --------------------------------------------------------------------------
    def _compile(self) -> tuple[list[Q], KeySet]:
        """Return the conditions of the keys, and the keys that they do not decide alone."""
        by_level: dict[Level, list[Q]] = defaultdict(list)
        sieves: dict[Level, dict[int, tuple[Column, Matcher]]] = defaultdict(dict)
        undecided: dict[int, Matcher] = {}
        for tag, key in self._keys.keys.items():
            column = COLUMNS[self._level].get(tag)
            found = self._narrow(tag, column, key)
            if found.condition:
                by_level[column.level if column else self._level].append(found.condition)
            if column is None and not found.is_exact:
                undecided[tag] = key
            elif column is not None and not found.is_exact:
                sieves[column.level][tag] = column, key
        for (day, _clock), period in self._keys.periods.items():
            column = COLUMNS[self._level].get(day)
            if column is not None:
                by_level[column.level].append(self._narrow_period(column, period))
        self._needs_files = any(
            is_in_file(self._level, tag)
            for tag in (*undecided, *(tag for pair in self._keys.periods for tag in pair))
        )
        conditions = by_level.pop(self._level, [])
        self._sieve = Sieve(sieves.pop(self._level, {}).values())
        for level in {*by_level, *sieves}:
            found_above, is_exact = self._from_above(
                level, by_level[level], Sieve(sieves[level].values())
            )
            conditions.append(found_above)
            if not is_exact:
                undecided |= {tag: key for tag, (_column, key) in sieves[level].items()}
        return conditions, KeySet(undecided, self._keys.periods)

    def _narrow(self, tag: int, column: Column | None, key: Matcher) -> Narrowed:
        if column is None:
            if tag == SOP_CLASSES_IN_STUDY and isinstance(key, Uids):
                return self._narrow_classes(key)
            return UNKNOWN
        found = narrow(column.level, column, key)
        if found is UNKNOWN and column.kind in {Kind.NAME, Kind.LIST} and not _has_key(column):
            return self._narrow_by_values(column, key)
        return found

    def _narrow_period(self, column: Column, period: Period) -> Q:
        return narrow(column.level, column, period.days).condition

    def _narrow_classes(self, key: Uids) -> Narrowed:
        way = way_up(self._level, Level.STUDY)
        study = OuterRef("study_id" if way else "pk")
        rows = Instance.objects.filter(study=study, sop_class_uid__in=sorted(key.uids))
        return Narrowed(Q(Exists(rows)), is_exact=True)

    def _narrow_by_values(self, column: Column, key: Matcher) -> Narrowed:
        """Physicians and lists of modalities: there are few of them, so each is looked at."""
        rows = self._scope.rows(column.level).order_by().values_list(column.field, flat=True)
        values = list(rows.distinct()[: MOST_VALUES + 1])
        if len(values) > MOST_VALUES:
            return UNKNOWN
        fitting = [value for value in values if key.matches(values_of_column(value, column.kind))]
        return Narrowed(Q(**{f"{column.field}__in": fitting}), is_exact=True)

    def _from_above(self, level: Level, asked: Sequence[Q], sieve: Sieve) -> tuple[Q, bool]:
        """Return what is asked of the rows of a level above as a condition on those below.

        And whether it says all: a sieve that had too much to sift says nothing.
        """
        rows = self._scope.rows(level).filter(*asked).order_by()
        way = way_up(self._level, level).removesuffix("__")
        most = MOST_KEYS if sieve.columns else MOST_PARENTS
        found = list(rows.values_list(*sieve.fields)[: most + 1])
        if len(found) <= most:
            keys = list(sieve.keys_of(found, self._scope))
            if len(keys) <= MOST_PARENTS:
                self._has_parents = True
                return Q(**{f"{way}__in": keys}), True
        return Q(**{f"{way}__in": rows.values("pk")}), not sieve.columns


def _has_key(column: Column) -> bool:
    """Whether a name has a search key, so that there are as many of them as patients."""
    return column.field == "patient_name"


class Sieve:
    """Looks at the columns of rows, before they are read whole, for what no condition decided."""

    def __init__(self, columns: Iterable[tuple[Column, Matcher]] = ()) -> None:
        self.columns = list(columns)
        self.fields = ["pk", "facility_id", *(column.field for column, _ in self.columns)]

    def keys_of(self, rows: Iterable[Sequence[Any]], scope: Scope) -> Iterator[uuid.UUID]:
        """Yield the keys of the rows that the scope allows and that fit."""
        for key, facility, *values in rows:
            if scope.allows(facility) and self.fits(values):
                yield key

    def fits(self, values: Sequence[Any]) -> bool:
        """Whether the values of the columns fit."""
        return all(
            matcher.matches(values_of_column(value, column.kind))
            for value, (column, matcher) in zip(values, self.columns, strict=True)
        )


class _Timed:
    """A block in the database that ends when it is stopped or takes too long."""

    def __init__(self, should_stop: Callable[[], bool], until: float) -> None:
        self._should_stop = should_stop
        self._until = until
        self._is_late = False
        self._block = stoppable(self._look)

    def _look(self) -> bool:
        self._is_late = time.monotonic() > self._until
        return self._is_late or self._should_stop()

    def __enter__(self) -> None:
        try:
            self._block.__enter__()
        except StoppedError:
            self._raise()

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool | None:
        try:
            return self._block.__exit__(kind, error, trace)
        except StoppedError:
            self._raise()
        return None

    def _raise(self) -> None:
        if self._is_late:
            raise TooBroadError("The query takes too long; narrow it.") from None
        raise StoppedError from None
