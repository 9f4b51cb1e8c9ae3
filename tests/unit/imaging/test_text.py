from __future__ import annotations

import json
import unicodedata
from datetime import UTC, date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.charset import python_encoding

from imaging.charset import decode_text, encoding_of_term
from imaging.search import name_key, search_forms, search_key
from imaging.text import (
    clean,
    display_name,
    has_controls,
    name_groups,
    parse_age_years,
    parse_date,
    parse_datetime,
    parse_decimal,
    parse_integer,
    parse_time,
)
from imaging.text_flags import TEXT_FLAGS, find_text_flags, text_level
from tests.unit.imaging.real_files import all_files, read

CHARSET_FILES = {name: path for name, path in all_files().items() if "/chr" in name}

GOLDEN = json.loads(Path("tests/golden/text.json").read_text())


@pytest.mark.parametrize("case", GOLDEN, ids=[case["origin"] for case in GOLDEN])
def test_decodes_what_the_standard_and_archives_hold(case: dict[str, Any]) -> None:
    text, flags = decode_text(
        bytes.fromhex(case["bytes"]),
        case["charset"].encode(),
        person_name=case["vr"] == "PN",
        single_value=case["vr"] == "LT",
    )
    assert (text, flags) == (case["text"], frozenset(case["flags"]))


@pytest.mark.parametrize("path", CHARSET_FILES.values(), ids=CHARSET_FILES.keys())
def test_reads_names_of_real_files_as_pydicom(path) -> None:
    header, _index = read(path)
    dataset = pydicom.dcmread(path, force=True)
    if "PatientName" in dataset:
        # Delimiters of empty groups at the end mean nothing (PS3.5 6.2.1).
        assert header.text("PatientName").rstrip(" =") == str(dataset.PatientName).rstrip(" =")


@pytest.mark.parametrize("term", [term for term in python_encoding if term])
def test_knows_every_defined_term(term: str) -> None:
    assert encoding_of_term(term)
    assert encoding_of_term(term.lower() + " ")


def test_understands_misspelt_terms() -> None:
    assert encoding_of_term("ISO-IR 100") == encoding_of_term("ISO_IR 100")
    assert encoding_of_term("ISO_IR100") == encoding_of_term("ISO_IR 100")
    assert encoding_of_term("ISO 2022 IR100") == encoding_of_term("ISO 2022 IR 100")
    assert encoding_of_term("KOI8") is None


def test_ascii_between_korean_leaves_korean_in_force() -> None:
    raw = b"\x1b$)C\xb1\xe8\x1b(Bx\xb1\xe8"
    assert decode_text(raw, rb"\ISO 2022 IR 149") == ("김x김", frozenset())


def test_an_escape_back_to_ascii_leaves_the_upper_half() -> None:
    raw = b"\x1b-F\xc4^A\x1b(B\xc4"
    declared = rb"ISO 2022 IR 100\ISO 2022 IR 126"
    assert decode_text(raw, declared, person_name=True) == ("Δ^AÄ", frozenset())


def test_a_backslash_byte_within_a_character_splits_nothing() -> None:
    text, _ok = decode_text("乗\\b".encode("gb18030"), b"GB18030")
    assert text.split("\\") == ["乗", "b"]


def test_names_are_shown_as_people_write_them() -> None:
    assert display_name("Doe^Jane^Q^Dr.^MD") == "Doe, Dr. Jane Q, MD"
    assert display_name("Yamada^Tarou=山田^太郎=やまだ^たろう") == "Yamada, Tarou (山田 太郎)"
    assert display_name("=山田^太郎") == "山田 太郎"
    assert display_name("") == ""
    assert display_name("^^^^") == ""
    assert name_groups("A^B=C=D=E") == ("A^B", "C", "D")


# What is written in the file, and what people type to find it.
FOUND = [
    ("MÜLLER^Jörg", ["muller", "Mueller", "müller", "JOERG", "jorg", "Jör"]),
    ("Mueller^Anna", ["Müller", "mueller"]),
    ("Strauß^Æsa", ["STRAUSS", "strauß", "aesa"]),
    ("Sørensen^Bjørn", ["sorensen", "Soerensen", "bjørn"]),
    ("Wałęsa^Đorđe", ["walesa", "Wałęsa", "dorde"]),
    ("IŞIK^İnci", ["isik", "ışık", "inci", "İNCİ"]),
    ("Ἀλέξανδρος^Γιώργος", ["αλεξανδροσ", "ΑΛΈΞΑΝΔΡΟΣ", "γιωργος"]),
    ("Королёв^Андрей", ["королев", "КОРОЛЁВ", "андрей"]),
    ("مُحَمَّد^أحـمد", ["محمد", "احمد", "أحمد"]),
    ("שָׁלוֹם^דבורה", ["שלום", "דבורה"]),
    ("ＹＡＭＡＤＡ^ﾔﾏﾀﾞ=山田^太郎=やまだ^たろう", ["yamada", "ヤマダ", "ﾔﾏﾀﾞ", "山", "太郎", "やまだ", "タロウ"]),
    ("Hong^Gildong=洪^吉洞=홍^길동", ["gildong", "吉洞", "길동", unicodedata.normalize("NFD", "길동")]),
    ("O\u2019Brien^Zoë", ["o'brien", "zoe", "Zoe\u0308"]),
    ("สมชาย^ใจดี", ["สมชาย", "ใจดี"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "asked"), FOUND, ids=[name for name, _ in FOUND])
def test_names_are_found_however_they_are_typed(name: str, asked: list[str]) -> None:
    key = name_key(name)
    assert [word for word in asked if not any(form in key for form in search_forms(word))] == []


@pytest.mark.parametrize(
    ("name", "asked"),
    [("Андрей^И", "андреи"), ("Muller", "Mueller"), ("Samuel", "samul"), ("バカ", "ハカ")],
)
def test_other_names_are_not_found(name: str, asked: str) -> None:
    assert not any(form in name_key(name) for form in search_forms(asked))


def test_a_name_key_begins_with_the_search_key_and_fits() -> None:
    assert search_key("Hong^Gildong=洪^吉洞=홍^길동") == "hong gildong 洪 吉洞 홍 길동"
    assert name_key("MÜLLER^Renée") == "muller renee mueller"
    assert name_key("Doe^Jane") == "doe jane"
    assert len(name_key("\ufdfa" * 200)) == 1024


def test_control_and_reordering_characters_are_removed() -> None:
    assert clean("a\0b\x1b[31m\x7f\u202ec\r\n\u200b\ufeff\u2066\xad") == "ab[31mc"
    assert clean("a\ufffdb") == "a\ufffdb"
    assert clean("می\u200cخواهم") == "می\u200cخواهم"


def test_what_display_leaves_out_is_noticed_but_for_padding() -> None:
    assert has_controls("Doe\u202e^Jane")
    assert has_controls("Doe\0^Jane")
    assert not has_controls("Doe^Jane \0")
    assert not has_controls("line\r\nline\ttab\fpage می\u200cخواهم")


def test_every_flag_of_text_has_words_and_a_level() -> None:
    said = {flag for case in GOLDEN for flag in case["flags"]}
    assert said | {"text_controls", "text_cut", "bad_charset"} == set(TEXT_FLAGS)
    assert find_text_flags(["no_meta", "charset_wrong", "text_replaced"]) == [
        "text_replaced", "charset_wrong",
    ]  # fmt: skip
    assert text_level(["bad_date"]) is None
    assert text_level(["charset_misspelt"]) == "note"


@pytest.mark.parametrize(
    ("text", "value", "conforming"),
    [("20240229", date(2024, 2, 29), True), ("1993.08.22", date(1993, 8, 22), True),
     ("2024-01-02", date(2024, 1, 2), False), ("20240230", None, False), ("", None, True),
     ("20240102123000", date(2024, 1, 2), False), ("19930822 ", date(1993, 8, 22), True),
     ("1993-8-2", date(1993, 8, 2), False), ("22.08.1993", None, False),
     ("03.04.1993", None, False), ("199308", None, False), ("xx", None, False), ("00000000", None, False)],
)  # fmt: skip
def test_dates(text: str, value: date | None, conforming: bool) -> None:
    assert parse_date(text) == (value, conforming)


@pytest.mark.parametrize(
    ("text", "value", "conforming"),
    [("070907.0705", time(7, 9, 7, 70500), True), ("10", time(10), True),
     ("10:30:15", time(10, 30, 15), True), ("235960", time(23, 59, 59), False),
     ("2460", None, False), ("7:09", time(7, 9), False), ("10:30:15 PM", time(22, 30, 15), False),
     ("10:30:15,5", time(10, 30, 15, 500000), False), ("13:00 PM", None, False), ("", None, True), ("1", None, False)],
)  # fmt: skip
def test_times(text: str, value: time | None, conforming: bool) -> None:
    assert parse_time(text) == (value, conforming)


def test_datetimes() -> None:
    assert parse_datetime("20240102030405.5+0000")[0] == datetime(2024, 1, 2, 3, 4, 5, 500000, UTC)
    west = timezone(-timedelta(hours=5))
    assert parse_datetime("202401020304-0500")[0] == datetime(2024, 1, 2, 3, 4, tzinfo=west)
    assert parse_datetime("2024") == (datetime(2024, 1, 1), True)  # noqa: DTZ001
    assert parse_datetime("20241301") == (None, False)
    assert parse_datetime("2024-01-02T03:04:05Z") == (
        datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC),
        False,
    )
    assert parse_datetime("02.01.2024 03:04") == (None, False)


def test_numbers_and_ages() -> None:
    assert parse_integer(" 12 ") == (12, True)
    assert parse_integer("1.0") == (1, False)
    assert parse_integer("9" * 30) == (None, False)
    assert parse_integer("9" * 5000) == (None, False)
    assert parse_decimal("1,5") == (1.5, False)
    assert parse_decimal("1,250") == (None, False)
    assert parse_decimal("0,703") == (0.703, False)
    assert parse_decimal("1.5E-3\0") == (0.0015, True)
    assert parse_decimal("1_000") == (None, False)
    assert parse_decimal("nan") == (None, False)
    assert parse_decimal("-1e999") == (None, False)
    assert parse_age_years("045Y") == (45, True)
    assert parse_age_years("6M") == (0.5, False)
    assert parse_age_years("old") == (None, False)
    assert parse_age_years("045") == (None, False)
    assert parse_age_years("45 Y") == (45, False)
    assert parse_age_years("0045Y") == (45, False)
    assert parse_age_years("45 years") == (45, False)
