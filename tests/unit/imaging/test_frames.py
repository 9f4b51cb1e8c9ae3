from __future__ import annotations

import struct
import time
from io import BytesIO

import numpy as np
import pytest
from pydicom.dataset import Dataset

from imaging.errors import UndecodableError, UnreadableError
from imaging.frames import FrameIndex, index_frames, join_fragments
from tests.unit.imaging.build import BIG, DEFLATED, encapsulated, image, read_image, written

JPEG = "1.2.840.10008.1.2.4.50"
RLE = "1.2.840.10008.1.2.5"
J2K = "1.2.840.10008.1.2.4.90"
MPEG4 = "1.2.840.10008.1.2.4.102"


def jpeg(number: int, size: int = 20) -> bytes:
    return b"\xff\xd8\xff" + bytes([number % 256]) * (size - 3)


def made(
    fragments: list[bytes], frames: int, syntax: str = JPEG, table: list[int] | None = None
) -> bytes:
    dataset: Dataset = image(np.zeros((4, 4), np.uint8))
    dataset.NumberOfFrames = frames
    dataset.PixelData = encapsulated(fragments, table=table)
    dataset["PixelData"].is_undefined_length = True
    return written(dataset, syntax)


def frame_of(content: bytes, index: FrameIndex, frame: int) -> bytes:
    offset, length = index.span(frame)
    return index.payload(content[offset : offset + length])


def test_native_frames_are_computed() -> None:
    pixels = np.arange(3 * 4 * 5, dtype=np.uint16).reshape(3, 4, 5)
    content = written(image(pixels))
    _header, index = read_image(content)
    assert (index.kind, index.count) == ("native", 3)
    for frame in range(3):
        assert frame_of(content, index, frame) == pixels[frame].tobytes()
    with pytest.raises(IndexError):
        index.span(3)


def test_frames_that_disagree_with_the_header_are_flagged_never_invented() -> None:
    pixels = np.zeros((3, 4, 5), np.uint16)
    _header, index = read_image(written(image(pixels, frames=7)))
    assert index.count == 3
    assert "frames_disagree" in index.flags
    _header, index = read_image(written(image(pixels, frames=2)))
    assert index.count == 2
    assert "frames_disagree" in index.flags


def test_huge_claims_do_not_overflow() -> None:
    claim = image(np.zeros((4, 4), np.uint16), Rows=65535, Columns=65535)
    claim.NumberOfFrames = 999_999
    _header, index = read_image(written(claim))
    assert index.count == 0
    assert "frames_disagree" in index.flags


def test_one_bit_frames_may_begin_within_a_byte() -> None:
    bits = np.random.default_rng(1).integers(0, 2, (3, 3, 3)).astype(np.uint8)
    packed = np.packbits(bits.ravel(), bitorder="little").tobytes()
    dataset = image(bits, BitsAllocated=1, BitsStored=1, HighBit=0)
    dataset.PixelData = packed
    content = written(dataset)
    _header, index = read_image(content)
    assert [index.first_bit(frame) for frame in range(3)] == [0, 1, 2]
    offset, length = index.span(2)
    raw = np.frombuffer(content[offset : offset + length], np.uint8)
    found = np.unpackbits(raw, bitorder="little")[index.first_bit(2) :][:9]
    assert (found.reshape(3, 3) == bits[2]).all()


def test_words_in_big_endian_are_cut_whole() -> None:
    dataset = image(np.zeros((2, 3, 3), np.uint8))
    dataset.PixelData = bytes(range(18))
    dataset["PixelData"].VR = "OW"
    _header, index = read_image(written(dataset, BIG))
    assert index.span(0)[1] == 10
    assert (index.span(1)[1], index.first_bit(1)) == (10, 8)


@pytest.mark.parametrize("with_table", [True, False])
@pytest.mark.parametrize("pieces", [1, 3])
def test_fragments_are_grouped_by_table_or_by_start_marker(with_table: bool, pieces: int) -> None:
    frames = [jpeg(number, 30) for number in range(4)]
    fragments = [
        frame[start : start + 30 // pieces]
        for frame in frames
        for start in range(0, 30, 30 // pieces)
    ]
    table = [number * (30 + 8 * pieces) for number in range(4)] if with_table else None
    content = made(fragments, 4, table=table)
    _header, index = read_image(content)
    assert index.flags == frozenset()
    assert [frame_of(content, index, frame) for frame in range(4)] == frames


@pytest.mark.parametrize("table", [[0, 999, 28], [0, 56, 28], [28, 56, 84], [0, 0, 28], [0, 28]])
def test_a_wrong_table_is_flagged_and_not_followed(table: list[int]) -> None:
    frames = [jpeg(number) for number in range(3)]
    content = made(frames, 3, table=table)
    _header, index = read_image(content)
    assert "bad_offset_table" in index.flags
    assert [frame_of(content, index, frame) for frame in range(3)] == frames


def test_one_frame_takes_all_fragments() -> None:
    content = made([jpeg(1), b"more", b"last"], 1)
    _header, index = read_image(content)
    assert frame_of(content, index, 0) == jpeg(1) + b"morelast"


@pytest.mark.parametrize("second", [24, 12])
def test_the_extended_table_groups_fragments_if_it_is_right(second: int) -> None:
    dataset = image(np.zeros((4, 4), np.uint8))
    dataset.NumberOfFrames = 2
    dataset.ExtendedOffsetTable = struct.pack("<2Q", 0, second)
    frames = [b"\xff\x4f\xff\x51bbbb", b"\xff\x4f\xff\x51dddd"]
    dataset.PixelData = encapsulated([frame[at : at + 4] for frame in frames for at in (0, 4)])
    dataset["PixelData"].is_undefined_length = True
    content = written(dataset, J2K)
    _header, index = read_image(content)
    assert [frame_of(content, index, frame) for frame in range(2)] == frames
    assert ("bad_offset_table" in index.flags) == (second == 12)


def test_a_table_that_points_into_frames_is_not_followed() -> None:
    # Rising, and on starts of fragments, but not where frames begin.
    frames = [jpeg(number, 30) for number in range(4)]
    fragments = [frame[at : at + 10] for frame in frames for at in (0, 10, 20)]
    content = made(fragments, 4, table=[0, 18, 3 * 18, 9 * 18])
    _header, index = read_image(content)
    assert [frame_of(content, index, frame) for frame in range(4)] == frames
    assert index.flags == frozenset({"bad_offset_table"})


def test_as_many_fragments_as_frames_need_not_be_frames() -> None:
    content = made([jpeg(1)[:10], jpeg(1)[10:], jpeg(2)], 3)
    _header, index = read_image(content)
    assert [frame_of(content, index, frame) for frame in range(index.count)] == [jpeg(1), jpeg(2)]
    assert "frames_disagree" in index.flags


def test_a_frame_damaged_at_its_start_does_not_shift_the_others() -> None:
    frames = [jpeg(number) + b"\xff\xd9" for number in range(3)]
    frames[1] = b"gone" + frames[1][4:]
    for pieces, table in ((1, None), (2, None), (2, [0, 38, 76])):
        size = 22 // pieces
        fragments = [frame[at : at + size] for frame in frames for at in range(0, 22, size)]
        _header, index = read_image(content := made(fragments, 3, table=table))
        assert [frame_of(content, index, frame) for frame in range(3)] == frames


def test_rle_in_several_fragments_is_grouped_by_its_header() -> None:
    frames = [struct.pack("<16L", 1, 64, *[0] * 14) + bytes([number]) * 16 for number in range(3)]
    fragments = [piece for frame in frames for piece in (frame[:70], frame[70:])]
    for table in (None, [0, 78, 96], [0, 96, 192]):
        _header, index = read_image(content := made(fragments, 3, RLE, table))
        assert [frame_of(content, index, frame) for frame in range(3)] == frames


def test_a_table_is_believed_by_a_few_places_of_the_file() -> None:
    content = made([jpeg(number, 20_000) for number in range(500)], 500)
    header = read_image(content)[0]

    class Counted(BytesIO):
        reads = 0

        def read(self, size: int | None = -1) -> bytes:
            self.reads += 1
            return super().read(size)

    file = Counted(content)
    assert index_frames(file, header).count == 500
    assert file.reads <= 502 + 64


def test_rle_has_one_fragment_a_frame_and_missing_ones_are_flagged() -> None:
    content = made([b"\x01\0\0\0" + bytes([number]) * 60 for number in range(3)], 5, RLE)
    _header, index = read_image(content)
    assert index.count == 3
    assert "frames_disagree" in index.flags


def test_video_is_one_stream() -> None:
    content = made([b"abcd", b"efgh"], 50, MPEG4)
    _header, index = read_image(content)
    assert (index.kind, index.count, index.is_addressable) == ("video", 1, False)
    assert frame_of(content, index, 0) == b"abcdefgh"


def test_deflated_pixels_are_not_addressable() -> None:
    _header, index = read_image(written(image(np.zeros((2, 4, 4), np.uint16)), DEFLATED))
    assert (index.kind, index.is_addressable, index.count) == ("deflated", False, 2)


def test_a_fragment_cut_short_is_unreadable() -> None:
    content = made([jpeg(1, 500)], 1)
    with pytest.raises(UnreadableError, match="bytes are missing"):
        read_image(content[:-60])


def test_a_missing_end_mark_loses_nothing() -> None:
    content = made([jpeg(1)], 1)[:-8]
    _header, index = read_image(content)
    assert frame_of(content, index, 0) == jpeg(1)
    assert "missing_delimiter" in index.flags


def test_twenty_thousand_frames_are_indexed_quickly_and_packed_small() -> None:
    frames = [jpeg(number, 20 + number % 50) for number in range(20_000)]
    content = made([frame + b"\0" * (len(frame) % 2) for frame in frames], 20_000)
    started = time.process_time()
    _header, index = read_image(content)
    assert time.process_time() - started < 1
    packed = index.to_bytes()
    assert len(packed) < 100_000
    again = FrameIndex.from_bytes(packed)
    assert (again.kind, again.count) == ("encapsulated", 20_000)
    for frame in (0, 1, 9_999, 19_999):
        assert again.span(frame) == index.span(frame)
        assert frame_of(content, again, frame).startswith(frames[frame])


def test_an_index_survives_packing() -> None:
    for content in (written(image(np.zeros((2, 3, 3), np.uint8))), made([b"ab"], 1)):
        _header, index = read_image(content)
        again = FrameIndex.from_bytes(index.to_bytes())
        assert again.kind == index.kind
        assert [again.span(f) for f in range(again.count)] == [
            index.span(f) for f in range(index.count)
        ]
    with pytest.raises(UnreadableError):
        FrameIndex.from_bytes(b"nonsense")


def test_a_span_that_is_not_made_of_items_is_undecodable() -> None:
    with pytest.raises(UndecodableError):
        join_fragments(b"not an item at all")
    with pytest.raises(UndecodableError):
        join_fragments(b"\xfe\xff\x00\xe0\xff\0\0\0abc")
    assert BytesIO(join_fragments(b"\xfe\xff\x00\xe0\x02\0\0\0ab")).read() == b"ab"
