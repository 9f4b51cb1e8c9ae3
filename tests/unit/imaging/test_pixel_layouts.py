"""Native pixels in layouts of old archives and odd widths, unpacked by the words of the standard."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from imaging.errors import UndecodableError, UnsupportedError
from imaging.pixels import decode_frame
from tests.unit.imaging.build import BIG, EXPLICIT, IMPLICIT, image
from tests.unit.imaging.test_pixels import J2K, JPEG, coded, decode_file, describe


def packed_twelve(values: list[int]) -> bytes:
    """Write 12-bit cells one after the other from the lowest bit of a long number up."""
    number = sum(value << 12 * place for place, value in enumerate(values))
    size = -(-len(values) * 12 // 8)
    return number.to_bytes(size + size % 2, "little")


def test_twelve_bits_packed_are_two_pixels_in_three_bytes() -> None:
    # 0x123, 0x456: the lowest byte first, the middle byte shared (PS3.5-1998 8.1.1, figure).
    plain = {"rows": 1, "columns": 2, "bits_allocated": 12, "bits_stored": 12, "high_bit": 11}
    assert decode_frame(b"\x23\x61\x45", describe(**plain)).tolist() == [[0x123, 0x456]]
    signed = describe(**plain, pixel_representation=1)
    assert decode_frame(b"\x00\xf8\xff", signed).tolist() == [[-2048, -1]]
    with pytest.raises(UndecodableError, match="cut short"):
        decode_frame(b"\x23\x61", describe(**plain))


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
def test_odd_frames_of_twelve_bits_share_a_byte(syntax: str) -> None:
    pixels = np.random.default_rng(3).integers(0, 4096, (4, 3, 5)).astype(np.uint16)
    made = image(pixels, BitsAllocated=12, BitsStored=12, HighBit=11)
    raw = packed_twelve(pixels.ravel().tolist())
    words = np.frombuffer(raw, "<u2").astype(">u2" if syntax == BIG else "<u2")
    made.PixelData = words.tobytes()
    for frame in range(4):
        assert (decode_file(made, syntax, frame) == pixels[frame]).all()


def test_twelve_bits_allocated_are_not_cut_to_eight_when_compressed() -> None:
    pixels = np.random.default_rng(3).integers(0, 4096, (8, 8)).astype(np.uint16)
    twelve = describe(
        rows=8, columns=8, bits_allocated=12, bits_stored=12, high_bit=11,
        transfer_syntax_uid=J2K,
    )  # fmt: skip
    packed = coded("jpeg2k", pixels, level=0, codecformat="j2k", bitspersample=12)
    assert (decode_frame(packed, twelve) == pixels).all()


@pytest.mark.parametrize("bits", [2, 10, 24, 48])
def test_other_packed_layouts_are_refused_in_words(bits: int) -> None:
    with pytest.raises(UnsupportedError, match=f"pixels of {bits} bits allocated"):
        decode_frame(b"\0" * 36, describe(bits_allocated=bits, bits_stored=bits, high_bit=bits - 1))


@pytest.mark.parametrize("syntax", [EXPLICIT, BIG])
@pytest.mark.parametrize(
    ("dtype", "stored"), [("u4", 24), ("i4", 24), ("u4", 32), ("i4", 17), ("u8", 40), ("i8", 64)]
)
def test_wide_integers_keep_every_stored_bit(dtype: str, stored: int, syntax: str) -> None:
    signed = dtype[0] == "i"
    low, high = (-(1 << stored - 1), (1 << stored - 1) - 1) if signed else (0, (1 << stored) - 1)
    values = np.array([[low, low + 1, 0], [1, high - 1, high]], dtype)
    made = image(values, BitsStored=stored, HighBit=stored - 1)
    raw = values.view(f"u{values.itemsize}") & np.array((1 << stored) - 1, f"u{values.itemsize}")
    raw = raw.astype(f"{'>' if syntax == BIG else '<'}u{values.itemsize}")
    made.PixelData = raw.tobytes()
    decoded = decode_file(made, syntax)
    assert decoded.dtype == values.dtype
    assert (decoded == values).all()


# --- subsampled colour -------------------------------------------------------------
# PS3.3 C.7.6.3.1.2: the rows of R, G, B to Y, CB, CR.
FULL = [["0.2990", "0.5870", "0.1140"], ["-0.1687", "-0.3313", "0.5000"],
        ["0.5000", "-0.4187", "-0.0813"]]  # fmt: skip
PARTIAL = [["0.2568", "0.5041", "0.0979"], ["-0.1482", "-0.2910", "0.4392"],
           ["0.4392", "-0.3678", "-0.0714"]]  # fmt: skip


def ybr_of(rgb: list[int], matrix: list[list[str]], black: int) -> list[int]:
    """Return Y, CB and CR of a colour in exact fractions, rounded once."""
    added = (black, 128, 128)
    return [
        round(sum(Fraction(each) * value for each, value in zip(row, rgb, strict=True)) + plus)
        for row, plus in zip(matrix, added, strict=True)
    ]


@pytest.mark.parametrize(
    ("photometric", "matrix", "black"),
    [("YBR_FULL_422", FULL, 0), ("YBR_PARTIAL_422", PARTIAL, 16)],
)
def test_native_422_of_several_frames_is_the_colour_it_was(
    photometric: str, matrix: list[list[str]], black: int
) -> None:
    colours = [[200, 40, 90], [0, 0, 0], [255, 255, 255], [10, 250, 30], [128, 128, 128]]
    frames = []
    for rgb in colours:  # each frame is of one colour: Y Y CB CR for every two pixels
        y, cb, cr = ybr_of(rgb, matrix, black)
        frames.append(bytes([y, y, cb, cr]) * 6)
    made = image(
        np.zeros((5, 3, 4), np.uint8), SamplesPerPixel=3, PlanarConfiguration=0,
        PhotometricInterpretation=photometric,
    )  # fmt: skip
    made.PixelData = b"".join(frames)
    for frame, rgb in enumerate(colours):
        decoded = decode_file(made, frame=frame).astype(int)
        assert decoded.shape == (3, 4, 3)
        assert abs(decoded - rgb).max() <= 2


@pytest.mark.parametrize("photometric", ["YBR_FULL_422", "YBR_PARTIAL_422"])
def test_each_pair_of_pixels_has_its_own_chrominance(photometric: str) -> None:
    # Only luminance differs within a pair: red less blue stays what the pair's chrominance says.
    raw = np.array([[100, 180, 100, 150], [90, 120, 140, 110]], np.uint8)
    made = image(
        np.zeros((1, 4), np.uint8), SamplesPerPixel=3, PlanarConfiguration=0,
        PhotometricInterpretation=photometric,
    )  # fmt: skip
    made.PixelData = raw.tobytes()
    decoded = decode_file(made)[0].astype(int)
    scale = 1.0 if photometric == "YBR_FULL_422" else 255 / 224
    for pair, (_y1, _y2, cb, cr) in enumerate(raw.astype(int)):
        wanted = scale * (1.402 * (cr - 128) - 1.772 * (cb - 128))
        for pixel in decoded[2 * pair : 2 * pair + 2]:
            assert abs(pixel[0] - pixel[2] - wanted) <= 1.5


def test_partial_range_of_few_bits_is_scaled_to_them() -> None:
    # Five bits: black is 16/8 of 32 levels, white 235/8; a float keeps what shifts cannot.
    raw = bytes([2, 16, 16, 29, 16, 16])
    five: dict[str, Any] = {"bits_allocated": 8, "bits_stored": 5, "high_bit": 4}
    decoded = decode_frame(
        raw, describe(rows=1, columns=2, samples_per_pixel=3,
                      photometric_interpretation="YBR_PARTIAL_422", **five),
    )  # fmt: skip
    assert decoded.tolist() == [[[0, 0, 0], [31, 31, 31]]]


def test_colour_said_to_be_signed_is_colour_all_the_same() -> None:
    rgb = np.random.default_rng(5).integers(0, 256, (4, 4, 3)).astype(np.uint8)
    colour = describe(
        rows=4, columns=4, samples_per_pixel=3, photometric_interpretation="RGB",
        bits_allocated=8, bits_stored=8, high_bit=7, pixel_representation=1,
    )  # fmt: skip
    assert (decode_frame(rgb.tobytes(), colour) == rgb).all()
    packed = coded("jpegls", rgb)
    signed = describe(
        rows=4, columns=4, samples_per_pixel=3, photometric_interpretation="RGB",
        bits_allocated=8, bits_stored=8, high_bit=7, pixel_representation=1,
        transfer_syntax_uid=JPEG,
    )  # fmt: skip
    assert (decode_frame(packed, signed) == rgb).all()
