from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone

import pydicom
import pytest
from pydicom.charset import python_encoding

from imaging.charset import decode_text, encoding_of_term
from imaging.text import (
    clean,
    display_name,
    name_groups,
    parse_age_years,
    parse_date,
    parse_datetime,
    parse_decimal,
    parse_integer,
    parse_time,
    search_key,
)
from tests.unit.imaging.real_files import all_files, read

CHARSET_FILES = {name: path for name, path in all_files().items() if "/chr" in name}

# The examples of PS3.5 annexes H, I, J and K, byte for byte.
STANDARD = [
    (rb"\ISO 2022 IR 87", (b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B"
     b"=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B"), "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    (rb"ISO 2022 IR 13\ISO 2022 IR 87", (b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^"
     b"\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J"),
     "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
    (rb"\ISO 2022 IR 149", (b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7="
     b"\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf"), "Hong^Gildong=洪^吉洞=홍^길동"),
    (rb"\ISO 2022 IR 58", b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=",
     "Zhang^XiaoDong=张^小东="),
    (b"ISO_IR 192", "Wang^XiaoDong=王^小東".encode(), "Wang^XiaoDong=王^小東"),
    (b"GB18030", "Wang^XiaoDong=王^小东".encode("gb18030"), "Wang^XiaoDong=王^小东"),
    (b"ISO_IR 100", b"Buc^J\xe9r\xf4me", "Buc^Jérôme"),
    (b"ISO_IR 126", b"\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2", "Διονυσιος"),
    (b"ISO_IR 127", b"\xe2\xc8\xc7\xe6\xea^\xe4\xe6\xd2\xc7\xd1", "قباني^لنزار"),
    (b"ISO_IR 138", b"\xf9\xf8\xe5\xef^\xe3\xe1\xe5\xf8\xe4", "שרון^דבורה"),
]  # fmt: skip


@pytest.mark.parametrize(("charset", "raw", "expected"), STANDARD)
def test_decodes_the_examples_of_the_standard(charset: bytes, raw: bytes, expected: str) -> None:
    assert decode_text(raw, charset, person_name=True) == (expected, True)


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


def test_invalid_bytes_are_replaced_visibly_and_flagged() -> None:
    assert decode_text(b"M\xfcller", b"ISO_IR 192") == ("M�ller", False)


def test_eight_bit_bytes_without_a_set_are_read_and_flagged() -> None:
    assert decode_text("Müller".encode(), b"") == ("Müller", False)
    assert decode_text(b"M\xfcller", b"") == ("Müller", False)
    assert decode_text(b"Mueller", b"") == ("Mueller", True)


def test_an_unknown_set_is_flagged() -> None:
    assert decode_text(b"M\xfcller", b"KOI8")[1] is False


def test_unknown_and_undeclared_escapes_are_flagged() -> None:
    assert decode_text(b"a\x1b%Xb", b"ISO_IR 100") == ("a\ufffdb", False)
    assert decode_text(b"\x1b$B;3ED\x1b(B", b"") == ("山田", False)
    assert decode_text(b"\x1b$B;3ED\x1b(B", rb"\ISO 2022 IR 87") == ("山田", True)


def test_ascii_between_korean_leaves_korean_in_force() -> None:
    raw = b"\x1b$)C\xb1\xe8\x1b(Bx\xb1\xe8"
    assert decode_text(raw, rb"\ISO 2022 IR 149") == ("김x김", True)


def test_a_delimiter_brings_back_the_first_set() -> None:
    raw = b"\x1b-F\xc4^\xc4"
    declared = rb"ISO 2022 IR 100\ISO 2022 IR 126"
    assert decode_text(raw, declared, person_name=True) == ("Δ^Ä", True)
    raw = b"\x1b-F\xc4^A\x1b(B\xc4"
    assert decode_text(raw, declared, person_name=True) == ("Δ^AÄ", True)


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


def test_search_keys_ignore_case_and_accents_in_all_groups() -> None:
    assert search_key("MÜLLER^Renée") == "muller renee"
    assert search_key("Strauß") == search_key("STRAUSS")
    assert search_key("Hong^Gildong=洪^吉洞=홍^길동") == "hong gildong 洪 吉洞 홍 길동"


def test_control_and_reordering_characters_are_removed() -> None:
    assert clean("a\0b\x1b[31m\x7f\u202ec\r\n") == "ab[31mc"


@pytest.mark.parametrize(
    ("text", "value", "conforming"),
    [("20240229", date(2024, 2, 29), True), ("1993.08.22", date(1993, 8, 22), True),
     ("2024-01-02", date(2024, 1, 2), False), ("20240230", None, False), ("", None, True),
     ("20240102123000", date(2024, 1, 2), False), ("xx", None, False), ("00000000", None, False)],
)  # fmt: skip
def test_dates(text: str, value: date | None, conforming: bool) -> None:
    assert parse_date(text) == (value, conforming)


@pytest.mark.parametrize(
    ("text", "value", "conforming"),
    [("070907.0705", time(7, 9, 7, 70500), True), ("10", time(10), True),
     ("10:30:15", time(10, 30, 15), True), ("235960", time(23, 59, 59), False),
     ("2460", None, False), ("", None, True), ("1", None, False)],
)  # fmt: skip
def test_times(text: str, value: time | None, conforming: bool) -> None:
    assert parse_time(text) == (value, conforming)


def test_datetimes() -> None:
    assert parse_datetime("20240102030405.5+0000")[0] == datetime(2024, 1, 2, 3, 4, 5, 500000, UTC)
    west = timezone(-timedelta(hours=5))
    assert parse_datetime("202401020304-0500")[0] == datetime(2024, 1, 2, 3, 4, tzinfo=west)
    assert parse_datetime("2024") == (datetime(2024, 1, 1), True)  # noqa: DTZ001
    assert parse_datetime("20241301") == (None, False)


def test_numbers_and_ages() -> None:
    assert parse_integer(" 12 ") == (12, True)
    assert parse_integer("1.0") == (1, False)
    assert parse_integer("9" * 30) == (None, False)
    assert parse_integer("9" * 5000) == (None, False)
    assert parse_decimal("1,5") == (1.5, False)
    assert parse_decimal("nan") == (None, False)
    assert parse_decimal("-1e999") == (None, False)
    assert parse_age_years("045Y") == (45, True)
    assert parse_age_years("6M") == (0.5, False)
    assert parse_age_years("old") == (None, False)
