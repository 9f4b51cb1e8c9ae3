from __future__ import annotations

import struct
import tracemalloc
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels.processing import convert_color_space

from imaging.codestream import read_codestream
from imaging.errors import UndecodableError, UnsupportedError
from imaging.palette import Palette, expand_segments
from imaging.pixels import PixelDescription, decode_frame
from tests.unit.imaging.build import BIG, EXPLICIT, encapsulated, image, read_image, written
from tests.unit.imaging.real_files import all_files, read

JPEG, JPEG_LS, J2K, HTJ2K = (f"1.2.840.10008.1.2.4.{n}" for n in (50, 80, 90, 201))
RLE = "1.2.840.10008.1.2.5"
HTJ2K_FILES = {name: path for name, path in all_files().items() if "HTJ2K" in name}


def coded(codec: str, pixels: np.ndarray, **options: Any) -> bytes:
    return bytes(getattr(imagecodecs, f"{codec}_encode")(pixels, **options))


def describe(**changes: Any) -> PixelDescription:
    plain = PixelDescription(
        rows=2, columns=3, samples_per_pixel=1, photometric_interpretation="MONOCHROME2",
        bits_allocated=16, bits_stored=16, high_bit=15, pixel_representation=0,
        planar_configuration=0, transfer_syntax_uid=EXPLICIT,
    )  # fmt: skip
    return replace(plain, **changes)


def decode_file(made: Dataset, syntax: str = EXPLICIT, frame: int = 0) -> np.ndarray:
    content = written(made, syntax)
    header, index = read_image(content)
    offset, length = index.span(frame)
    data = index.payload(content[offset : offset + length])
    description = PixelDescription.from_header(header)
    return decode_frame(data, description, first_bit=index.first_bit(frame))


def test_bits_above_the_stored_ones_are_removed_and_the_sign_extended() -> None:
    # Twelve bits stored below four of overlay: 0x800 is -2048, 0x7FF is 2047.
    raw = np.array([0xF800, 0x07FF, 0xA000, 0xFFFF, 0x0801, 0x1001], np.uint16).tobytes()
    unsigned = decode_frame(raw, describe(bits_stored=12, high_bit=11))
    assert unsigned.tolist() == [[0x800, 0x7FF, 0], [0xFFF, 0x801, 1]]
    signed = decode_frame(raw, describe(bits_stored=12, high_bit=11, pixel_representation=1))
    assert signed.tolist() == [[-2048, 2047, 0], [-1, -2047, 1]]
    assert signed.dtype == np.int16


def test_stored_bits_may_lie_high() -> None:
    raw = (np.array([0x800, 0x7FF, 0, 0xFFF, 1, 2], np.uint16) << 4 | 0xA).tobytes()
    description = describe(bits_stored=12, high_bit=15, pixel_representation=1)
    assert decode_frame(raw, description).tolist() == [[-2048, 2047, 0], [-1, 1, 2]]


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32])
@pytest.mark.parametrize("syntax", [EXPLICIT, BIG])
def test_native_integers_of_every_width_and_order(dtype: type, syntax: str) -> None:
    info = np.iinfo(dtype)
    pixels: np.ndarray = np.array([[info.min, info.max, 1], [0, 2, 3]], dtype)
    made = image(pixels)
    if syntax == BIG:
        made.PixelData = pixels.astype(pixels.dtype.newbyteorder(">")).tobytes()
        made["PixelData"].VR = "OB" if pixels.itemsize == 1 else "OW"
    # OW and OB are written as they are, whatever the order.
    decoded = decode_file(made, syntax)
    assert (decoded == pixels).all()
    assert decoded.dtype == dtype


def test_odd_frames_of_bytes_swapped_in_words() -> None:
    flat = np.arange(18, dtype=np.uint8)
    made = image(flat.reshape(2, 3, 3))
    made.PixelData = flat.view("<u2").byteswap().tobytes()
    made["PixelData"].VR = "OW"
    for frame in range(2):
        expected = flat.reshape(2, 3, 3)[frame]
        assert (decode_file(made, BIG, frame) == expected).all()


@pytest.mark.parametrize(
    ("keyword", "dtype"), [("FloatPixelData", np.float32), ("DoubleFloatPixelData", np.float64)]
)
def test_float_pixels(keyword: str, dtype: type) -> None:
    pixels: np.ndarray = np.array([[1.5, -2.25, 1e30]], dtype)
    made = image(np.zeros((1, 3), np.uint16))
    del made.PixelData
    setattr(made, keyword, pixels.tobytes())
    content = written(made)
    header, index = read_image(content)
    offset, length = index.span(0)
    description = PixelDescription.from_header(header)
    decoded = decode_frame(content[offset : offset + length], description)
    assert (decoded == pixels).all()
    assert decoded.dtype == dtype


def test_planes_are_interleaved() -> None:
    rgb = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    color = describe(
        samples_per_pixel=3, photometric_interpretation="RGB", bits_allocated=8, bits_stored=8,
        high_bit=7,
    )  # fmt: skip
    assert (decode_frame(rgb.tobytes(), color) == rgb).all()
    planes = rgb.transpose(2, 0, 1).tobytes()
    assert (decode_frame(planes, replace(color, planar_configuration=1)) == rgb).all()


def test_full_range_ybr_becomes_rgb_as_elsewhere() -> None:
    ybr = np.random.default_rng(3).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    color = describe(
        rows=16, columns=16, samples_per_pixel=3, photometric_interpretation="YBR_FULL",
        bits_allocated=8, bits_stored=8, high_bit=7,
    )  # fmt: skip
    theirs = convert_color_space(ybr, "YBR_FULL", "RGB").astype(int)
    assert abs(decode_frame(ybr.tobytes(), color).astype(int) - theirs).max() <= 1


def test_native_422_shares_chrominance_and_full_storage_is_noticed() -> None:
    color = describe(
        rows=1, columns=2, samples_per_pixel=3, photometric_interpretation="YBR_FULL_422",
        bits_allocated=8, bits_stored=8, high_bit=7,
    )  # fmt: skip
    assert decode_frame(bytes([10, 200, 128, 128]), color).tolist() == [[[10] * 3, [200] * 3]]
    full = bytes([10, 128, 128, 200, 128, 128])
    assert decode_frame(full, color).tolist() == [[[10] * 3, [200] * 3]]


def palette_image(values: list[int], first: int, bits: int, entries: list[int]) -> Dataset:
    made = image(np.array([values], np.uint8), PhotometricInterpretation="PALETTE COLOR")
    raw = np.array(entries, np.uint16).tobytes() if bits == 16 else bytes(entries)
    for color in ("Red", "Green", "Blue"):
        setattr(made, f"{color}PaletteColorLookupTableDescriptor", [len(entries), first, bits])
        made[f"{color}PaletteColorLookupTableDescriptor"].VR = "US"
        setattr(made, f"{color}PaletteColorLookupTableData", raw)
    return made


def test_palette_indices_beyond_the_table_take_its_ends() -> None:
    made = palette_image([0, 5, 6, 255], 5, 16, [0x1000, 0x8000])
    assert decode_file(made)[0, :, 0].tolist() == [0x10, 0x10, 0x80, 0x80]
    made = palette_image([0, 1, 2, 3], 0, 8, [7, 8, 9, 10])
    assert decode_file(made)[0, :, 1].tolist() == [7, 8, 9, 10]
    made = palette_image([0, 1, 2, 3], 0, 16, [7, 8, 9, 10])
    assert decode_file(made)[0, :, 2].tolist() == [7, 8, 9, 10]


def test_segments_of_a_palette_are_expanded() -> None:
    # PS3.3 C.7.9.2: discrete 3 values, linear of 4 to 40, then both again by reference.
    words = np.array([0, 3, 1, 5, 0, 1, 4, 40, 2, 2, 0, 0], np.uint16)
    once = [1, 5, 0, 10, 20, 30, 40]
    assert expand_segments(words, 14).tolist() == once * 2


@pytest.mark.parametrize(
    "words", [[0, 9, 1], [1, 4, 40], [2, 1, 0, 0], [0, 1, 5, 2, 1, 9, 9], [7, 1, 1], [0, 3, 1, 2, 3]]
)  # fmt: skip
def test_broken_segments_are_undecodable(words: list[int]) -> None:
    with pytest.raises(UndecodableError):
        expand_segments(np.array(words, np.uint16), 2)


def test_a_palette_from_the_header_completes_the_facts_of_the_index() -> None:
    content = written(palette_image([0, 1], 0, 8, [7, 8]))
    header, index = read_image(content)
    facts = {
        "rows": 1, "columns": 2, "samples_per_pixel": 1, "bits_allocated": 8,
        "photometric_interpretation": "PALETTE COLOR",
    }  # fmt: skip
    offset, length = index.span(0)
    data = content[offset : offset + length]
    bare = PixelDescription.from_image_facts(facts, EXPLICIT)
    assert bare.needs_palette
    with pytest.raises(UndecodableError, match="palette is missing"):
        decode_frame(data, bare)
    palette = Palette.from_header(header)
    full = PixelDescription.from_image_facts(facts, EXPLICIT, palette=palette)
    assert decode_frame(data, full)[0, :, 0].tolist() == [7, 8]


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_jpeg_ls_and_jpeg_2000_lose_nothing(bits: int) -> None:
    dtype = np.uint8 if bits == 8 else np.uint16
    pixels = np.random.default_rng(5).integers(0, 1 << bits, (16, 24)).astype(dtype)
    description = describe(
        rows=16, columns=24, bits_allocated=pixels.itemsize * 8, bits_stored=bits, high_bit=bits - 1
    )
    for syntax, data in (
        (JPEG_LS, coded("jpegls", pixels)),
        (J2K, coded("jpeg2k", pixels, level=0, reversible=True, codecformat="j2k")),
        (HTJ2K, coded("htj2k", pixels, reversible=True)),
    ):
        decoded = decode_frame(data, replace(description, transfer_syntax_uid=syntax))
        assert (decoded == pixels).all()
        assert decoded.dtype == dtype


def test_signed_pixels_in_unsigned_codestreams_get_their_sign_back() -> None:
    pixels = np.array([[-2048, -1, 0], [1, 2047, 5]], np.int16)
    description = describe(
        bits_stored=12, high_bit=11, pixel_representation=1, transfer_syntax_uid=JPEG_LS
    )
    data = coded("jpegls", (pixels & 0xFFF).astype(np.uint16))
    assert (decode_frame(data, description) == pixels).all()


def test_signed_jpeg_2000_keeps_its_sign() -> None:
    pixels = np.array([[-2048, -1, 0], [1, 2047, 5]], np.int16)
    data = coded("jpeg2k", pixels, level=0, reversible=True, codecformat="j2k")
    description = describe(pixel_representation=1, transfer_syntax_uid=J2K)
    assert (decode_frame(data, description) == pixels).all()


@pytest.mark.parametrize("path", HTJ2K_FILES.values(), ids=HTJ2K_FILES.keys())
def test_htj2k_of_real_files_is_decoded_alike_by_another_codec(path: Path) -> None:
    header, index = read(path)
    offset, length = index.span(0)
    data = index.payload(path.read_bytes()[offset : offset + length])
    ours = decode_frame(data, PixelDescription.from_header(header)).astype(int)
    assert abs(ours - imagecodecs.jpeg2k_decode(data)).max() <= 2


def test_lossy_htj2k_does_not_turn_white_into_black() -> None:
    # Hard edges between extremes overshoot, and what overshoots must be clipped.
    pixels = np.where(np.indices((64, 64)).sum(axis=0) // 8 % 2, 255, 0).astype(np.uint8)
    data = coded("htj2k", pixels, reversible=False, level=0.05)
    assert not read_codestream(data).is_reversible
    description = describe(
        rows=64, columns=64, bits_allocated=8, bits_stored=8, high_bit=7,
        transfer_syntax_uid="1.2.840.10008.1.2.4.203",
    )  # fmt: skip
    decoded = decode_frame(data, description).astype(int)
    assert abs(decoded - pixels).max() < 100


def test_jpeg_color_follows_the_codestream_then_the_data_set() -> None:
    rgb = np.zeros((16, 16, 3), np.uint8)
    rgb[...] = (200, 40, 90)
    color = describe(
        rows=16, columns=16, samples_per_pixel=3, bits_allocated=8, bits_stored=8, high_bit=7,
        transfer_syntax_uid=JPEG,
    )  # fmt: skip
    jfif = coded("jpeg8", rgb, level=98)
    assert read_codestream(jfif).color_space == "YBR"
    bare = jfif[:2] + jfif[4 + int.from_bytes(jfif[4:6], "big") :]
    assert read_codestream(bare).color_space == ""
    for data, photometric in (
        (jfif, "RGB"), (jfif, "YBR_FULL_422"), (bare, "YBR_FULL_422"),
    ):  # fmt: skip
        decoded = decode_frame(data, replace(color, photometric_interpretation=photometric))
        assert abs(decoded.astype(int) - rgb).max() <= 2
    untouched = coded("jpeg8", rgb, level=98, colorspace="RGB", outcolorspace="RGB")
    for photometric in ("RGB", "YBR_FULL"):
        decoded = decode_frame(untouched, replace(color, photometric_interpretation=photometric))
        assert abs(decoded.astype(int) - rgb).max() <= 2


def rle(segments: list[bytes]) -> bytes:
    offsets, position = [], 64
    for segment in segments:
        offsets.append(position)
        position += len(segment)
    head = struct.pack("<16L", len(segments), *offsets, *[0] * (15 - len(offsets)))
    return head + b"".join(segments)


def test_rle_by_the_standard_example() -> None:
    # PS3.5 G.3.1: 1-n literal bytes, 257-n repeats; most significant byte first.
    high, low = b"\xfb\x01" + b"\x80\x80", b"\x05\x00\x01\x02\x03\x04\x05"
    decoded = decode_frame(rle([high, low]), describe(transfer_syntax_uid=RLE))
    assert decoded.tolist() == [[256, 257, 258], [259, 260, 261]]


def test_rle_that_does_not_fill_the_image_is_undecodable() -> None:
    for data in (rle([b"\xfb\x01"]), b"", b"\0" * 64, rle([b"\x05ab", b"\x05ab"])):
        with pytest.raises(UndecodableError):
            decode_frame(data, describe(transfer_syntax_uid=RLE))


def test_a_small_codestream_cannot_claim_a_large_picture() -> None:
    pixels = np.zeros((8, 8), np.uint16)
    huge = describe(rows=60_000, columns=8_000, bits_allocated=16)
    tracemalloc.start()
    try:
        for syntax, data in (
            (JPEG_LS, coded("jpegls", pixels)),
            (J2K, coded("jpeg2k", pixels, codecformat="j2k")),
            (JPEG, coded("jpeg8", pixels.astype(np.uint8))),
            (RLE, rle([b"\xfb\x01", b"\xfb\x01"])),
            (EXPLICIT, b"\0" * 128),
        ):
            with pytest.raises(UndecodableError):
                decode_frame(data, replace(huge, transfer_syntax_uid=syntax))
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


def test_absurd_frames_are_refused_by_their_description() -> None:
    facts = {"rows": 65535, "columns": 65535, "samples_per_pixel": 3, "bits_allocated": 32}
    with pytest.raises(UndecodableError, match="more than"):
        PixelDescription.from_image_facts(facts, EXPLICIT)
    for missing in ("rows", "columns", "bits_allocated"):
        with pytest.raises(UndecodableError, match=missing):
            PixelDescription.from_image_facts({**facts, missing: None}, EXPLICIT)


def test_deflated_frames_and_a_bomb_among_them() -> None:
    pixels = np.arange(6, dtype=np.uint16)
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = engine.compress(pixels.tobytes()) + engine.flush()
    description = describe(transfer_syntax_uid="1.2.840.10008.1.2.8.1")
    assert decode_frame(packed, description).ravel().tolist() == pixels.tolist()
    with pytest.raises(UndecodableError):
        decode_frame(b"\xff\xff\xff", description)


@pytest.mark.parametrize(
    ("syntax", "what"),
    [("1.2.840.10008.1.2.4.102", "MPEG"), ("1.2.840.10008.1.2.4.94", "JPIP"),
     ("1.2.840.10008.1.2.4.110", "JPEG XL"), ("1.2.3", "1.2.3")],
)  # fmt: skip
def test_what_cannot_be_shown_says_why(syntax: str, what: str) -> None:
    with pytest.raises(UnsupportedError, match=f"cannot show .*{what}"):
        decode_frame(b"", describe(transfer_syntax_uid=syntax))


def test_multi_fragment_frames_are_joined_before_decoding() -> None:
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    data = coded("jpegls", pixels)
    data += b"\0" * (len(data) % 2)
    made = image(pixels)
    made.PixelData = encapsulated([data[:30], data[30:]])
    made["PixelData"].is_undefined_length = True
    assert (decode_file(made, JPEG_LS) == pixels).all()
