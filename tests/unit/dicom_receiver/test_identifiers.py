"""Identifiers are read by their own character set and written in one that holds them."""

from __future__ import annotations

import struct

import pytest
from pydicom import Dataset
from pydicom.sequence import Sequence

from dicom_receiver.identifiers import (
    Attribute,
    decode_identifier,
    encode_attributes,
    encode_identifier,
)
from imaging.errors import LimitExceededError, UnreadableError
from tests.conformance.dimse import EXPLICIT_LITTLE, IMPLICIT_LITTLE, encode

SYNTAXES = [IMPLICIT_LITTLE, EXPLICIT_LITTLE]


def _query() -> Dataset:
    step = Dataset()
    step.ScheduledStationAETitle = "CT1"
    query = Dataset()
    query.SpecificCharacterSet = "ISO_IR 100"
    query.PatientName = "Müller*"
    query.StudyInstanceUID = ["1.2", "1.3"]
    query.Rows = 512
    query.StudyDescription = ""
    query.ScheduledProcedureStepSequence = Sequence([step])
    return query


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_identifier_of_another_writer_is_read(syntax: str) -> None:
    found = decode_identifier(encode(_query(), syntax), syntax)

    assert found.PatientName == "Müller*"
    assert list(found.StudyInstanceUID) == ["1.2", "1.3"]
    assert found.Rows == 512
    assert found.StudyDescription == ""
    assert found.ScheduledProcedureStepSequence[0].ScheduledStationAETitle == "CT1"


def test_values_stay_as_they_came_where_the_vr_would_not_allow_them() -> None:
    raw = b"".join(
        struct.pack("<HHL", 0x20, element, len(value)) + value
        for element, value in ((0x11, b"1*"), (0x12, b"?3"))
    )
    date = struct.pack("<HHL", 8, 0x20, 18) + b"20200101-20200131 "

    found = decode_identifier(date + raw, IMPLICIT_LITTLE)

    assert found[0x00200011].value == "1*"
    assert found.StudyDate == "20200101-20200131"


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize(
    ("name", "asked", "written"),
    [
        ("DOE^JOHN", ["ISO_IR 144"], None),
        ("Müller^Jörg", [], "ISO_IR 100"),
        ("Müller^Jörg", ["ISO_IR 192"], "ISO_IR 192"),
        ("Иванов^Иван", ["ISO_IR 144"], "ISO_IR 144"),
        ("Иванов^Иван", ["ISO_IR 100"], "ISO_IR 192"),
        ("Иванов^Иван", [], "ISO_IR 192"),
        ("Yamada^Tarou=山田^太郎", ["", "ISO 2022 IR 87"], ["", "ISO 2022 IR 87"]),
        ("홍^길동", ["NO SUCH SET"], "ISO_IR 192"),
    ],
)
def test_answer_comes_in_a_set_that_holds_it(
    name: str, asked: list[str], written: str | list[str] | None, syntax: str
) -> None:
    answer = Dataset()
    answer.PatientName = name
    answer.NumberOfStudyRelatedSeries = 3
    answer.ReferencedStudySequence = []

    encoded = encode_identifier(answer, syntax, asked)

    found = decode_identifier(encoded, syntax)
    assert found.PatientName == name
    assert found.get("SpecificCharacterSet") == written
    assert found.NumberOfStudyRelatedSeries == "3"
    assert len(found.ReferencedStudySequence) == 0


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_attributes_are_written_as_another_writer_does(syntax: str) -> None:
    """pydicom is the judge, byte by byte."""
    inner = Dataset()
    inner.CodeValue, inner.FailureReason = "odd", 0x0110
    expected = Dataset()
    expected.StudyInstanceUID = "1.2.3"
    expected.ModalitiesInStudy = ["CT", "SR"]
    expected.NumberOfStudyRelatedInstances = 17
    expected.RetrieveURL = "http://archive/1"
    expected.Rows, expected.OffendingElement = 512, [0x00100010, 0x0020000D]
    expected.PatientName, expected.StudyDescription = "Doe^Jane", ""
    expected.ProcedureCodeSequence = Sequence([inner, Dataset()])
    items: list[list[Attribute]] = [
        [(0x00081197, b"US", 0x0110), (0x00080100, b"SH", "odd")],
        [],
    ]

    written = encode_attributes(
        [
            (0x0020000D, b"UI", ["1.2.3"]),
            (0x00081190, b"UR", "http://archive/1"),
            (0x00080061, b"CS", ["CT", "SR"]),
            (0x00100010, b"PN", ["Doe^Jane"]),
            (0x00201208, b"IS", [17]),
            (0x00081030, b"LO", []),
            (0x00081032, b"SQ", items),
            (0x00280010, b"US", [512]),
            (0x00000901, b"AT", [0x00100010, 0x0020000D]),
        ],
        syntax,
    )

    assert written == encode(expected, syntax)


def test_element_length_beyond_the_end_is_refused() -> None:
    with pytest.raises(UnreadableError):
        decode_identifier(struct.pack("<HHL", 0x10, 0x10, 4_000_000_000) + b"A*", IMPLICIT_LITTLE)


def test_nesting_without_end_is_refused() -> None:
    item = b""
    for _ in range(40):
        item = struct.pack("<HHL", 0xFFFE, 0xE000, len(item)) + item
        item = struct.pack("<HHL", 0x0040, 0x0100, len(item)) + item

    with pytest.raises(LimitExceededError):
        decode_identifier(item, IMPLICIT_LITTLE)
