"""Attribute matching, case by case as PS3.4 C.2.2.2 has it."""

from __future__ import annotations

from datetime import date, time
from typing import Any

import pytest
from pydicom import Dataset

from imaging.errors import QueryError
from imaging.matching import KeySet, Rules, compile_key


def _matches(vr: str, key: str | list[Any], values: Any, **rules: bool) -> bool:
    matcher = compile_key(vr, key if isinstance(key, list) else [key], Rules(**rules))
    listed = values if isinstance(values, list) else [values]
    return matcher is None or matcher.matches(listed)


@pytest.mark.parametrize(
    ("vr", "key", "value", "expected"),
    [
        # C.2.2.2.1 single value: case counts, padding does not.
        ("LO", "ABC", "ABC", True),
        ("LO", "ABC", "abc", False),
        ("LO", "ABC ", " ABC", True),
        ("LO", "ABC", "ABCD", False),
        ("SH", "A1", [], False),
        ("CS", "CT", ["MR", "CT"], True),
        ("IS", "3", "03", True),
        ("US", [512], 512, True),
        ("US", [512], 511, False),
        ("AS", "040Y", "040Y", True),
        # C.2.2.2.2 UIDs are compared whole; nothing is wild in them.
        ("UI", ["1.2", "1.3"], "1.3", True),
        ("UI", "1.2", "1.2.3", False),
        ("UI", "1.2*", "1.2.3", False),
        # C.2.2.2.3 universal.
        ("LO", "", "ABC", True),
        ("LO", [], [], True),
        ("DA", "", date(2024, 3, 5), True),
        ("LO", "*", [], True),
        ("PN", "**", "Doe^Jane", True),
        # C.2.2.2.4 wild cards, where the VR has them.
        ("LO", "A*C", "ABBBC", True),
        ("LO", "A*C", "AC", True),
        ("LO", "A?C", "ABC", True),
        ("LO", "A?C", "AC", False),
        ("LO", "a*", "ABC", False),
        ("LO", "*B*", "ABC", True),
        ("LO", "?", "", False),
        ("SH", "[A]*", "A1", False),
        ("LO", "100%_*", "100%_sure", True),
        ("LO", "A*B*A", "ABA", True),
        ("LO", "AB*BA", "ABA", False),
        ("IS", "1*", "12", False),
        ("DS", "1?", "12", False),
        # C.2.2.2.5 ranges; ends are included, and a value stands for all it leaves open.
        ("DA", "20240305", date(2024, 3, 5), True),
        ("DA", "2024.03.05", "20240305", True),
        ("DA", "20240301-20240305", date(2024, 3, 5), True),
        ("DA", "20240301-20240304", date(2024, 3, 5), False),
        ("DA", "20240305-", date(2024, 3, 5), True),
        ("DA", "-20240305", date(2024, 3, 5), True),
        ("DA", "-20240304", date(2024, 3, 5), False),
        ("DA", "20240306-20240301", date(2024, 3, 5), False),
        ("DA", "20240305-", [], False),
        ("TM", "10", time(10, 59, 59), True),
        ("TM", "1030", time(10, 30, 15), True),
        ("TM", "103000", time(10, 30, 15), False),
        ("TM", "10:30", "103059.9", True),
        ("TM", "-10", time(10, 30), True),
        ("TM", "1000-1200", time(12, 0, 59), True),
        ("TM", "1000-1200", time(12, 1), False),
        ("TM", "103000.25", time(10, 30, 0, 250_000), True),
        ("DT", "20240305", "20240305235959", True),
        ("DT", "202403", "20240331120000", True),
        ("DT", "2024-2025", "20251231", True),
        ("DT", "20240305100000-0500", "20240305150000+0000", True),
        ("DT", "20240305100000-0500-20240306", "20240305120000+0000", False),
        ("DT", "-20240305", "20240304", True),
    ],
)
def test_key_matches_as_the_standard_says(
    vr: str, key: str | list[Any], value: Any, expected: bool
) -> None:
    assert _matches(vr, key, value) is expected


@pytest.mark.parametrize(
    ("key", "name", "expected"),
    [
        ("Doe^Jane", "Doe^Jane", True),
        ("DOE^JANE", "Doe^Jane", True),
        ("Doe^Jane^^^", "Doe^Jane", True),
        ("Doe", "Doe^Jane", False),
        ("Doe*", "Doe^Jane", True),
        ("Doe^J*", "Doe^Jane", True),
        ("Doe^*", "Doe", True),
        ("*^Jane", "Doe^Jane", True),
        ("*Jane", "Doe^Jane", True),
        ("D?e^Jane", "Doe^Jane", True),
        ("Müller^*", "MULLER^Jörg", True),
        ("Muller*", "Müller^Jörg", True),
        ("Mueller*", "Müller^Jörg", True),
        ("Müller*", "Mueller^Jörg", True),
        ("Moller*", "Müller^Jörg", False),
        ("山田*", "Yamada^Tarou=山田^太郎=やまだ^たろう", True),
        ("やまだ^たろう", "Yamada^Tarou=山田^太郎=やまだ^たろう", True),
        ("Yamada*=山田*", "Yamada^Tarou=山田^太郎", True),
        ("Yamada*=山口*", "Yamada^Tarou=山田^太郎", False),
        ("=山田*", "Yamada^Tarou=山田^太郎", True),
        ("Иванов*", "ИВАНОВ^Иван", True),
        ("Doe^Jane", [], False),
    ],
)
def test_name_matches_however_it_is_written(key: str, name: Any, expected: bool) -> None:
    assert _matches("PN", key, name) is expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("jane doe", True),
        ("Doe^Ja*", True),
        ("mary", True),
        ("Doe^John", False),
        ("oe", False),
    ],
)
def test_fuzzy_name_is_the_beginning_of_words_in_any_order(key: str, expected: bool) -> None:
    assert _matches("PN", key, "Doe^Jane^Mary", fuzzy_names=True) is expected


@pytest.mark.parametrize(
    ("values", "expected"), [([], True), ([""], True), (["X"], False), ([date(2024, 3, 5)], False)]
)
def test_two_quotation_marks_ask_for_no_value_when_agreed(
    values: list[Any], expected: bool
) -> None:
    assert _matches("LO", '""', values, empty_values=True) is expected
    assert _matches("LO", '""', '""') is True


@pytest.mark.parametrize("key", ["yesterday", "20241301", "20240101-20240102-20240103", "-", "*"])
def test_date_that_is_none_is_refused(key: str) -> None:
    with pytest.raises(QueryError):
        compile_key("DA", [key])


def test_pattern_that_is_endless_is_refused_or_quick() -> None:
    with pytest.raises(QueryError):
        compile_key("LO", ["*a" * 5000])
    assert not _matches("LO", "*a" * 500 + "b", "a" * 10_000)


def _step(station: str, day: str) -> Dataset:
    step = Dataset()
    step.ScheduledStationAETitle = station
    step.ScheduledProcedureStepStartDate = day
    return step


def test_sequence_matches_when_one_item_fits_all_its_keys() -> None:
    order, query = Dataset(), Dataset()
    order.ScheduledProcedureStepSequence = [_step("CT1", "20240305"), _step("CT2", "20240306")]
    query.ScheduledProcedureStepSequence = [_step("CT2", "20240306-")]
    assert KeySet.from_dataset(query).matches(order)

    query.ScheduledProcedureStepSequence = [_step("CT1", "20240306-")]
    assert not KeySet.from_dataset(query).matches(order)

    query.ScheduledProcedureStepSequence = [_step("", "")]
    assert KeySet.from_dataset(query).is_universal

    query.ScheduledProcedureStepSequence = []
    assert KeySet.from_dataset(query).matches(order)

    query.ScheduledProcedureStepSequence = [_step("", ""), _step("", "")]
    with pytest.raises(QueryError):
        KeySet.from_dataset(query)


@pytest.mark.parametrize(
    ("day", "clock", "together", "apart"),
    [
        # C.2.2.2.5.4: from the 5th, 18:00, to the 7th, 10:00.
        ("20240306", "120000", True, False),
        ("20240305", "170000", False, False),
        ("20240307", "100000", True, False),
        ("20240307", "110000", False, False),
        ("20240308", "090000", False, False),
    ],
)
def test_ranges_of_date_and_time_are_one_when_agreed(
    day: str, clock: str, together: bool, apart: bool
) -> None:
    query, study = Dataset(), Dataset()
    query.StudyDate, query.StudyTime = "20240305-20240307", "1800-100000"
    study.StudyDate, study.StudyTime = day, clock

    assert KeySet.from_dataset(query, Rules(combined_times=True)).matches(study) is together
    assert KeySet.from_dataset(query).matches(study) is apart


def test_character_set_is_never_matched() -> None:
    query = Dataset()
    query.SpecificCharacterSet = "ISO_IR 192"
    assert KeySet.from_dataset(query).is_universal
