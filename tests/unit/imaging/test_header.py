from __future__ import annotations

import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from pydicom.sequence import Sequence

from imaging.errors import LimitExceededError, UnreadableError
from imaging.header import read_header
from imaging.source import HeaderLimits
from tests.unit.imaging.build import (
    BIG,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    dataset,
    element,
    image,
    part10,
    read_bytes,
    written,
)

UNDEFINED = b"\xff\xff\xff\xff"
ITEM = b"\xfe\xff\x00\xe0"
ITEM_END = b"\xfe\xff\x0d\xe0\0\0\0\0"
SEQUENCE_END = b"\xfe\xff\xdd\xe0\0\0\0\0"


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG, DEFLATED])
@pytest.mark.parametrize("undefined", [True, False])
def test_reads_values_and_nested_items_in_every_native_syntax(syntax: str, undefined: bool) -> None:
    inner = dataset(PixelSpacing=["0.5", "0.25"])
    outer = dataset(PixelMeasuresSequence=Sequence([inner]))
    made = dataset(
        PatientName="Doe^Jane", Rows=7, SmallestImagePixelValue=3,
        SharedFunctionalGroupsSequence=Sequence([outer]),
    )  # fmt: skip
    made["SharedFunctionalGroupsSequence"].is_undefined_length = undefined
    header = read_bytes(written(made, syntax))
    assert header.text("PatientName") == "Doe^Jane"
    assert header.integer("Rows") == 7
    shared = header.items("SharedFunctionalGroupsSequence")
    assert len(shared) == 1
    measures = shared[0].item("PixelMeasuresSequence")
    assert measures is not None
    assert measures.floats("PixelSpacing") == [0.5, 0.25]
    assert not header.flags


def test_values_outlive_the_file() -> None:
    content = written(dataset(PatientID="abc", ImageComments="x" * 100_000))
    file = io.BytesIO(content)
    header = read_header(file, size=len(content))
    file.close()
    assert header.text("PatientID") == "abc"
    assert len(header.text("ImageComments")) == 100_000


def test_long_values_are_located_not_read() -> None:
    content = written(dataset(EncapsulatedDocument=b"%PDF" + b"\0" * 40_000_000))

    class Counting(io.BytesIO):
        taken = 0

        def read(self, count: int | None = -1) -> bytes:
            got = super().read(count)
            self.taken += len(got)
            return got

    file = Counting(content)
    header = read_header(file, size=len(content))
    span = header.span("EncapsulatedDocument")
    assert span is not None
    assert content[span[0] : span[0] + 4] == b"%PDF"
    assert header.raw("EncapsulatedDocument") is None
    assert file.taken < 200_000


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG])
def test_guesses_the_syntax_of_a_data_set_without_meta_information(syntax: str) -> None:
    content = written(image(np.arange(6, dtype=np.uint16).reshape(2, 3)), syntax)
    start = read_bytes(content).dataset_offset
    header = read_bytes(content[start:])
    assert header.transfer_syntax_uid == syntax
    assert header.integer("Columns") == 3
    assert "no_meta" in header.flags


@pytest.mark.parametrize(("said", "written_as"), [(IMPLICIT, EXPLICIT), (EXPLICIT, IMPLICIT)])
def test_believes_the_bytes_when_the_meta_information_lies(said: str, written_as: str) -> None:
    content = written(dataset(PatientID="abc"), written_as)
    body = content[read_bytes(content).dataset_offset :]
    header = read_bytes(part10(body, said))
    assert header.text("PatientID") == "abc"
    assert header.transfer_syntax_uid == written_as
    assert "syntax_mismatch" in header.flags


def test_reads_on_after_a_wrong_meta_group_length() -> None:
    content = bytearray(written(dataset(PatientID="abc")))
    content[140:144] = struct.pack("<L", 3)
    assert read_bytes(bytes(content)).text("PatientID") == "abc"


def test_unknown_of_undefined_length_is_read_as_implicit() -> None:
    inside = struct.pack("<HHL", 0x0010, 0x0020, 4) + b"abcd"
    body = (
        struct.pack("<HH2sHL", 0x0009, 0x1010, b"UN", 0, 0xFFFFFFFF)
        + ITEM + UNDEFINED + inside + ITEM_END + SEQUENCE_END
        + element(0x0010, 0x0020, b"LO", b"outer ")
    )  # fmt: skip
    header = read_bytes(part10(body))
    assert header.text("PatientID") == "outer"
    assert header.items(0x00091010)[0].text("PatientID") == "abcd"


def test_says_how_many_bytes_of_the_pixels_are_missing() -> None:
    content = written(image(np.zeros((16, 16), np.uint16)))
    with pytest.raises(UnreadableError, match="100 of 512 bytes are missing"):
        read_bytes(content[:-100])


def test_padding_and_rubbish_behind_the_pixels_are_flagged() -> None:
    content = written(image(np.zeros((16, 16), np.uint16)))
    assert "trailing_padding" in read_bytes(content + b"\0" * 300).flags
    assert "trailing_garbage" in read_bytes(content + b"rubbish here").flags


def test_odd_lengths_are_read() -> None:
    body = element(0x0008, 0x0060, b"CS", b"CTX") + element(0x0010, 0x0020, b"LO", b"abc")
    header = read_bytes(part10(body))
    assert header.text("Modality") == "CTX"
    assert header.text("PatientID") == "abc"


def nested(depth: int, *, defined: bool) -> bytes:
    body = b""
    for _ in range(depth):
        if defined:
            body = element(0x0008, 0x1140, b"SQ", ITEM + struct.pack("<L", len(body)) + body)
        else:
            body = (
                struct.pack("<HH2sHL", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF)
                + ITEM + UNDEFINED + body + ITEM_END + SEQUENCE_END
            )  # fmt: skip
    return part10(body)


@pytest.mark.parametrize("defined", [True, False])
def test_nesting_is_bounded_and_does_not_recurse(defined: bool) -> None:
    read_bytes(nested(32, defined=defined))
    for depth in (33, 5_000):
        with pytest.raises(LimitExceededError, match="deeper than 32"):
            read_bytes(nested(depth, defined=defined))


def test_number_of_elements_is_bounded() -> None:
    body = b"".join(element(0x0011, number, b"CS", b"") for number in range(0x1000, 0x1200))
    limits = HeaderLimits(elements=400)
    content = part10(body)
    with pytest.raises(LimitExceededError, match="400 elements"):
        read_header(io.BytesIO(content), size=len(content), limits=limits)


def test_bytes_of_a_header_are_bounded() -> None:
    body = b"".join(
        element(0x0011, number, b"OB", b"x" * 60_000) for number in range(0x1000, 0x1040)
    )
    limits = HeaderLimits(header_bytes=1_000_000)
    content = part10(body)
    with pytest.raises(LimitExceededError, match="exceeds 1000000 bytes"):
        read_header(io.BytesIO(content), size=len(content), limits=limits)


def test_a_deflate_bomb_is_refused_within_bounded_memory() -> None:
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = b"".join(engine.compress(b"\0" * 1_000_000) for _ in range(400)) + engine.flush()
    content = part10(packed, DEFLATED)
    tracemalloc.start()
    try:
        with pytest.raises(LimitExceededError, match="inflates to more"):
            read_bytes(content)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 150 * 1024 * 1024


def test_a_length_is_not_allocated_before_it_is_checked() -> None:
    body = struct.pack("<HH2sHL", 0x0009, 0x1010, b"OB", 0, 0xFFFFFFF0) + b"abc"
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableError, match="bytes are missing"):
            read_bytes(part10(body))
        assert tracemalloc.get_traced_memory()[1] < 1024 * 1024
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "content",
    [b"", b"MZ\x90\0" + b"\0" * 500, b"<html><body>no</body></html>" * 10, b"\0" * 500,
     b"PK\x03\x04" * 100, b"\0\0\0\1Bud1" + b"\0" * 300],
)  # fmt: skip
def test_what_is_not_dicom_is_refused(content: bytes) -> None:
    with pytest.raises(UnreadableError):
        read_bytes(content)


def test_bad_numbers_are_left_out_and_flagged() -> None:
    body = (
        element(0x0018, 0x0050, b"DS", b"nan ")
        + element(0x0020, 0x0013, b"IS", b"x1")
        + element(0x0028, 0x1050, b"DS", b"40,5\\1e400 ")
    )
    header = read_bytes(part10(body))
    assert header.number("SliceThickness") is None
    assert header.integer("InstanceNumber") is None
    assert header.floats("WindowCenter") == [40.5]
    assert "bad_number" in header.flags


def in_sequence(tag_value: bytes, count: int) -> bytes:
    """Return a file whose per-frame groups each hold one item with this value."""
    inner = element(0x0020, 0x0032, b"UN", b"")[:8] + struct.pack("<L", len(tag_value)) + tag_value
    item = b"\xfe\xff\x00\xe0" + struct.pack("<L", len(inner)) + inner
    return part10(
        element(0x0008, 0x0060, b"CS", b"CT") + element(0x5200, 0x9230, b"SQ", item * count)
    )


def test_a_value_longer_than_any_text_or_number_is_not_parsed() -> None:
    # An inflated data set is in memory whole: half a million numbers would take seconds a value.
    plain = in_sequence(b"1\\" * 600_000, 1)
    body = plain[plain.index(b"\x08\x00\x60\x00CS") :]
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    header = read_bytes(part10(engine.compress(body) + engine.flush(), DEFLATED))
    (item,) = header.items("PerFrameFunctionalGroupsSequence")
    assert item.floats("ImagePositionPatient") == []
    assert item.texts("ImagePositionPatient") == []
    assert "long_value" in header.flags
    assert item.raw("ImagePositionPatient") is not None


def test_all_that_is_parsed_of_a_header_is_bounded() -> None:
    content = in_sequence(b"1\\2\\3 " * 100, 200)
    limits = HeaderLimits(parsed_bytes=100_000)
    header = read_header(io.BytesIO(content), size=len(content), limits=limits)
    items = header.items("PerFrameFunctionalGroupsSequence")
    with pytest.raises(LimitExceededError, match="100000 bytes of text and numbers"):
        _ = [item.floats("ImagePositionPatient") for item in items]


def test_reading_sequences_again_does_not_use_up_the_number_of_elements() -> None:
    content = in_sequence(b"1", 150)  # an item and an element for each
    limits = HeaderLimits(elements=400, visits=5_000)
    header = read_header(io.BytesIO(content), size=len(content), limits=limits)
    for _ in range(5):
        assert len(header.items("PerFrameFunctionalGroupsSequence")) == 150
    with pytest.raises(LimitExceededError, match="5000 elements"):
        _ = [header.items("PerFrameFunctionalGroupsSequence") for _ in range(50)]
