"""Interlaced H.264, written down bit by bit from ITU-T H.264, 7.3 and annexes D and E."""

from __future__ import annotations

from imaging.h264 import FieldPairs, ShownAsFrames, begins_with_intra

# Main profile, level 3: ids and logarithms 0, one reference, 4 x 1 macroblocks.
BEFORE_FIELDS = "01001101010000000001111011110100001001"
FIELDS_ALLOWED = "01"  # not frames alone; adaptive in macroblocks
BEFORE_VUI = "10"  # direct inference; no cropping
START = b"\0\0\1"


def packed(bits: str) -> bytes:
    """Close bits with a one and zeros to whole bytes."""
    bits += "1"
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def sequence(*, vui: str = "0") -> bytes:
    return START + b"\x67" + packed(BEFORE_FIELDS + FIELDS_ALLOWED + BEFORE_VUI + vui)


def slice_of(number: int, field: str, *, kind: str = "00110") -> bytes:
    """A slice: macroblock 0, kind (P, as all of the picture), set 0, frame number, field bits."""
    return START + b"\x41" + packed("1" + kind + "1" + f"{number:04b}" + field + "10101")


FRAME, TOP, BOTTOM = "0", "10", "11"


def test_two_fields_of_one_number_are_one_frame() -> None:
    pairs = FieldPairs()
    packets = [
        sequence() + slice_of(0, TOP), slice_of(0, BOTTOM),
        slice_of(1, FRAME),
        slice_of(2, BOTTOM), slice_of(2, TOP),
        slice_of(3, TOP), slice_of(4, BOTTOM), slice_of(4, TOP),
        slice_of(5, TOP), slice_of(5, TOP),
    ]  # fmt: skip
    assert [pairs.is_second(packet) for packet in packets] == [
        False, True,
        False,
        False, True,
        False, False, True,
        False, False,
    ]  # fmt: skip


def test_what_is_cut_short_is_no_field() -> None:
    pairs = FieldPairs()
    assert not pairs.is_second(START + b"\x67\x4d")
    assert not pairs.is_second(START + b"\x41")
    assert not pairs.is_second(b"")


def test_every_picture_says_that_it_is_shown_as_a_frame() -> None:
    """Without VUI one is added that has nothing but the flag; each picture gets its message."""
    shown = ShownAsFrames()
    picture = slice_of(0, FRAME)
    rewritten = shown.rewrite(sequence() + picture + slice_of(0, FRAME))
    # Nothing told of shape, overscan, signal, chroma, time and both buffers; messages; no limits.
    told = packed(BEFORE_FIELDS + FIELDS_ALLOWED + BEFORE_VUI + "1" + "0000000" + "1" + "0")
    # Message 1 of one byte: shown as a frame (0000), no clock (0), filled up.
    message = START + b"\x06\x01\x01" + bytes([0b00000100]) + b"\x80"
    assert rewritten == START + b"\x67" + told + message + picture + slice_of(0, FRAME)
    assert shown.rewrite(picture) == message + picture


def test_delays_come_before_the_word_of_a_message() -> None:
    # One buffer: scales 0, one size, then lengths: 24, 4 + 1, 2 + 1 and 24 bits.
    buffer = "1" + "00000000" + "1" + "1" + "0" + "10111001000001011000"
    vui = "1" + "00000" + "1" + buffer + "0" + "0"
    shown = ShownAsFrames()
    picture = slice_of(0, FRAME)
    rewritten = shown.rewrite(sequence(vui=vui + "0" + "0") + picture)
    told = packed(BEFORE_FIELDS + FIELDS_ALLOWED + BEFORE_VUI + vui + "1" + "0")
    message = START + b"\x06\x01\x02" + bytes([0b11111111, 0b00000100]) + b"\x80"
    assert rewritten == START + b"\x67" + told + message + picture


def test_progressive_streams_are_left_as_they_are() -> None:
    frames_only = START + b"\x67" + packed(BEFORE_FIELDS + "1" + BEFORE_VUI + "0")
    packet = frames_only + slice_of(0, "")
    assert ShownAsFrames().rewrite(packet) == packet


def test_decoding_begins_where_the_first_slice_leans_on_nothing() -> None:
    intra = "0001000"  # 7: all slices are I
    assert begins_with_intra(slice_of(0, FRAME, kind=intra))
    assert not begins_with_intra(slice_of(0, FRAME))
    assert not begins_with_intra(START + b"\x67\0")
