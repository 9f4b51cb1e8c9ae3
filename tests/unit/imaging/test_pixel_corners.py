"""Pictures that no archive at hand holds: made here, so that the phantom is the truth."""

from __future__ import annotations

import shutil
import subprocess
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from imaging.errors import UndecodableError, UnsupportedError
from imaging.palette import Palette
from imaging.pixels import PixelDescription, decode_frame
from tests.unit.imaging.build import BIG, DEFLATED, EXPLICIT, image, read_image, written
from tests.unit.imaging.test_pixels import (
    HTJ2K,
    J2K,
    JPEG,
    JPEG_LS,
    RLE,
    coded,
    decode_file,
    describe,
    rle,
)

DCMCJPEG, DCMCJPLS = shutil.which("dcmcjpeg"), shutil.which("dcmcjpls")
SMOOTH = (np.indices((32, 48)).sum(axis=0) * 3).astype(np.uint8)


def describe_as(pixels: np.ndarray, syntax: str = EXPLICIT, **changes: Any) -> PixelDescription:
    bits = pixels.dtype.itemsize * 8
    color = pixels.ndim == 3
    plain = describe(
        rows=pixels.shape[0], columns=pixels.shape[1], samples_per_pixel=3 if color else 1,
        photometric_interpretation="RGB" if color else "MONOCHROME2", bits_allocated=bits,
        bits_stored=bits, high_bit=bits - 1, pixel_representation=int(pixels.dtype.kind == "i"),
        transfer_syntax_uid=syntax,
    )  # fmt: skip
    return replace(plain, **changes)


def noise(shape: tuple[int, ...], low: int, high: int, dtype: str) -> np.ndarray:
    return np.random.default_rng(11).integers(low, high, shape).astype(dtype)


@pytest.mark.parametrize("stored", [5, 10, 12, 15])
@pytest.mark.parametrize("syntax", [EXPLICIT, BIG, RLE, JPEG_LS, J2K])
def test_signed_pixels_of_odd_depth_keep_their_values(stored: int, syntax: str) -> None:
    pixels = noise((6, 8), -(1 << stored - 1), 1 << stored - 1, "i2")
    cut = (pixels & (1 << stored) - 1).astype(np.uint16)
    # Above the stored bits of native pixels lies something else, which must not show.
    junk = cut | np.uint16(0xFFFF << stored & 0xFFFF) * (cut & 1)
    description = describe_as(pixels, syntax, bits_stored=stored, high_bit=stored - 1)
    data = {
        EXPLICIT: junk.tobytes, BIG: junk.astype(">u2").tobytes,
        RLE: lambda: rle_of(junk, planes=1), JPEG_LS: lambda: coded("jpegls", cut),
        J2K: lambda: j2k(cut, bitspersample=stored),
    }[syntax]()  # fmt: skip
    decoded = decode_frame(data, description)
    assert decoded.dtype == np.int16
    assert (decoded == pixels).all()


def rle_of(pixels: np.ndarray, planes: int) -> bytes:
    """Encode each byte of each sample as literal runs, most significant first (PS3.5 G.2)."""
    size = pixels.dtype.itemsize
    flat = np.ascontiguousarray(pixels).reshape(-1, planes)
    segments = []
    for plane in range(planes):
        bytes_of = flat[:, plane].astype(f">u{size}").view(np.uint8).reshape(-1, size)
        for at in range(size):
            raw = bytes_of[:, at].tobytes()
            runs = [raw[start : start + 128] for start in range(0, len(raw), 128)]
            segment = b"".join(bytes([len(run) - 1]) + run for run in runs)
            segments.append(segment + b"\x80" * (len(segment) % 2))
    return rle(segments)


def j2k(pixels: np.ndarray, **options: Any) -> bytes:
    return coded("jpeg2k", pixels, level=0, reversible=True, codecformat="j2k", **options)


def test_one_bit_frames_are_cut_out_of_shared_bytes() -> None:
    bits = noise((5, 3, 5), 0, 2, "u1")
    made = image(bits, BitsAllocated=1, BitsStored=1, HighBit=0)
    made.PixelData = np.packbits(bits.ravel(), bitorder="little").tobytes()
    for frame in range(5):
        assert (decode_file(made, EXPLICIT, frame) == bits[frame]).all()


@pytest.mark.parametrize("syntax", [EXPLICIT, DEFLATED])
def test_odd_frames_of_bytes_follow_each_other_without_padding(syntax: str) -> None:
    pixels = noise((3, 3, 5), 0, 256, "u1")
    content = written(image(pixels), syntax)
    header, index = read_image(content)
    if syntax == DEFLATED:
        content = content[: header.dataset_offset] + zlib.decompressobj(-15).decompress(
            content[header.dataset_offset :]
        )
    description = PixelDescription.from_header(header)
    for frame in range(3):
        offset, length = index.span(frame)
        if syntax == DEFLATED:
            offset += content.index(pixels.tobytes()) - index.span(0)[0]
        assert (decode_frame(content[offset : offset + length], description) == pixels[frame]).all()


@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_planes_of_colour_native_and_rle(dtype: str) -> None:
    rgb = noise((4, 6, 3), 0, np.iinfo(dtype).max, dtype)
    planes = rgb.transpose(2, 0, 1).tobytes()
    assert (decode_frame(planes, describe_as(rgb, planar_configuration=1)) == rgb).all()
    for planar in (0, 1):  # RLE is always in planes, whatever the header says (G.2)
        description = describe_as(rgb, RLE, planar_configuration=planar)
        assert (decode_frame(rle_of(rgb, planes=3), description) == rgb).all()


def test_palette_of_sixteen_bits_and_signed_indices() -> None:
    indices = np.array([[-7, -5, -4, 9]], np.int16)
    made = image(indices, PhotometricInterpretation="PALETTE COLOR")
    for color, top in (("Red", 0), ("Green", 1), ("Blue", 2)):
        name = f"{color}PaletteColorLookupTable"
        setattr(made, f"{name}Descriptor", [3, -5, 16])
        made[f"{name}Descriptor"].VR = "SS"
        # Discrete 1, then linear over 2 to the end (C.7.9.2).
        words = np.array([0, 1, 0x100 * top, 1, 2, 0xF000], np.uint16)
        setattr(made, f"Segmented{name}Data", words.tobytes())
    decoded = decode_file(made)
    assert decoded[0, :, 0].tolist() == [0, 0, 0x78, 0xF0]
    assert decoded[0, :, 2].tolist() == [2, 2, 0x79, 0xF0]


def test_a_palette_of_65536_entries_is_addressed_to_its_end() -> None:
    table = np.stack([np.arange(65536) // 256] * 3, axis=1).astype(np.uint8)
    indices = np.array([[0, 255, 256, 65535]], np.uint16)
    description = describe_as(
        indices, photometric_interpretation="PALETTE COLOR", palette=Palette(table, 0)
    )
    assert decode_frame(indices.tobytes(), description)[0, :, 0].tolist() == [0, 0, 1, 255]


def rgb_phantom() -> np.ndarray:
    rows, columns = np.indices((32, 32))
    return np.stack([rows * 7, columns * 7, 255 - rows * 4], axis=2).astype(np.uint8)


@pytest.mark.parametrize("subsampling", ["444", "422", "420"])
@pytest.mark.parametrize("declared", ["YBR_FULL_422", "YBR_PARTIAL_420", "RGB"])
def test_lossy_colour_jpeg_is_what_its_jfif_segment_says(subsampling: str, declared: str) -> None:
    rgb = rgb_phantom()
    data = coded("jpeg8", rgb, level=99, subsampling=subsampling)
    description = describe_as(rgb, JPEG, photometric_interpretation=declared)
    difference = abs(decode_frame(data, description).astype(int) - rgb)
    assert difference.mean() < 2
    assert difference.max() <= (4 if subsampling == "444" else 16)


def test_the_middle_of_chrominance_is_that_of_the_codestream() -> None:
    # 8 bits of YBR in an object that speaks of 16: grey must stay grey.
    grey = np.full((16, 16, 3), 128, np.uint8)
    grey[..., 0] = np.arange(16) * 16
    description = describe(
        rows=16, columns=16, samples_per_pixel=3, photometric_interpretation="YBR_FULL",
        transfer_syntax_uid=J2K,
    )  # fmt: skip
    decoded = decode_frame(j2k(grey, mct=False), description)
    assert (decoded == grey[..., :1]).all()


@pytest.mark.parametrize("near", [0, 2])
def test_jpeg_ls_stays_within_near(near: int) -> None:
    pixels = noise((24, 40), 0, 4096, "u2")
    decoded = decode_frame(
        coded("jpegls", pixels, level=near), describe_as(pixels, JPEG_LS, bits_stored=12)
    )
    assert abs(decoded.astype(int) - pixels).max() <= near


def packed_by(command: list[str], made: Dataset, folder: Path) -> np.ndarray:
    """Return what is decoded of a file that another program compressed."""
    plain, packed = folder / "plain.dcm", folder / "packed.dcm"
    plain.write_bytes(written(made))
    subprocess.run([*command, str(plain), str(packed)], check=True, capture_output=True, timeout=20)
    content = packed.read_bytes()
    header, index = read_image(content)
    assert header.pixel is not None
    assert header.pixel.encapsulated
    offset, length = index.span(0)
    data = index.payload(content[offset : offset + length])
    return decode_frame(data, PixelDescription.from_header(header))


@pytest.mark.skipif(DCMCJPLS is None, reason="dcmcjpls of DCMTK is not installed")
@pytest.mark.parametrize("interleave", ["+in", "+il", "+is"])
def test_jpeg_ls_of_colour_in_every_interleave(interleave: str, tmp_path: Path) -> None:
    rgb = noise((8, 12, 3), 0, 256, "u1")
    made = image(
        rgb, Rows=8, Columns=12, SamplesPerPixel=3, PhotometricInterpretation="RGB",
        PlanarConfiguration=0,
    )  # fmt: skip
    del made.NumberOfFrames
    assert (packed_by([str(DCMCJPLS), interleave], made, tmp_path) == rgb).all()


@pytest.mark.parametrize("mct", [True, False])
@pytest.mark.parametrize("reversible", [True, False])
def test_jpeg_2000_colour_with_and_without_its_transform(mct: bool, reversible: bool) -> None:
    rgb = rgb_phantom()
    level = 0 if reversible else 60
    data = coded("jpeg2k", rgb, level=level, reversible=reversible, mct=mct, codecformat="j2k")
    photometric = ("YBR_RCT" if reversible else "YBR_ICT") if mct else "RGB"
    description = describe_as(rgb, J2K, photometric_interpretation=photometric)
    decoded = decode_frame(data, description).astype(int)
    assert abs(decoded - rgb).max() <= (0 if reversible else 2)


def test_htj2k_of_colour_and_of_signed_pixels() -> None:
    rgb = rgb_phantom()
    assert (
        decode_frame(coded("htj2k", rgb, reversible=True), describe_as(rgb, HTJ2K)) == rgb
    ).all()
    signed = noise((16, 16), -2048, 2048, "i2")
    decoded = decode_frame(coded("htj2k", signed, reversible=True), describe_as(signed, HTJ2K))
    assert (decoded == signed).all()


def test_four_samples_are_refused_in_words() -> None:
    four = noise((8, 8, 4), 0, 256, "u1")
    for syntax, data in (
        (EXPLICIT, four.tobytes()), (RLE, rle_of(four, planes=4)), (J2K, j2k(four)),
    ):  # fmt: skip
        for photometric in ("ARGB", "CMYK"):
            description = describe_as(
                four, syntax, samples_per_pixel=4, photometric_interpretation=photometric
            )
            with pytest.raises(UnsupportedError, match="cannot show 4 samples a pixel"):
                decode_frame(data, description)


def test_subsampled_components_of_jpeg_2000_are_refused_in_words() -> None:
    data = bytearray(j2k(rgb_phantom()))
    data[42 + 3 + 1 : 42 + 3 + 3] = b"\2\2"  # XRsiz, YRsiz of the second component
    with pytest.raises(UnsupportedError, match="subsampled"):
        decode_frame(bytes(data), describe_as(rgb_phantom(), J2K))


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"rows": 31}, "32 x 48"), ({"columns": 24}, "32 x 48"), ({"samples_per_pixel": 3}, "of 1")],
)
@pytest.mark.parametrize("codec", ["jpeg8", "jpegls", "jpeg2k", "htj2k"])
def test_another_size_than_the_header_says_is_named(
    codec: str, changes: dict[str, Any], words: str
) -> None:
    description = replace(describe_as(SMOOTH, JPEG), **changes)
    with pytest.raises(UndecodableError, match=words):
        decode_frame(coded(codec, SMOOTH), description)


def test_the_depth_of_the_codestream_counts_as_far_as_it_is_allocated() -> None:
    pixels = noise((8, 8), 0, 1 << 16, "u2")
    kept = describe_as(pixels, J2K, bits_stored=12, high_bit=11)
    assert (decode_frame(j2k(pixels), kept) == pixels).all()
    fewer = noise((8, 8), 0, 256, "u1")
    assert (decode_frame(j2k(fewer), describe_as(pixels, J2K)) == fewer).all()
    with pytest.raises(UndecodableError, match="16 bits, allocated are 8"):
        decode_frame(j2k(pixels), describe_as(fewer, J2K))


def test_signs_that_differ_give_the_right_values_or_none() -> None:
    signed = noise((8, 8), -2048, 2048, "i2")
    twelve = describe_as(signed, J2K, bits_stored=12, high_bit=11)
    # Twelve bits of two's complement, and sixteen, in an unsigned codestream of sixteen.
    for stored in (signed.view("u2") & 0xFFF, signed.view("u2")):
        assert (decode_frame(j2k(stored), twelve) == signed).all()
    unsigned = replace(twelve, pixel_representation=0)
    with pytest.raises(UndecodableError, match="negative values"):
        decode_frame(j2k(signed), unsigned)
    assert (decode_frame(j2k(abs(signed)), unsigned) == abs(signed)).all()


@pytest.mark.parametrize(
    ("codec", "options"),
    [("jpeg8", {}), ("jpeg8", {"lossless": True}), ("jpegls", {}),
     ("jpeg2k", {"codecformat": "j2k"}), ("htj2k", {"reversible": True})],
)  # fmt: skip
def test_a_codestream_cut_short_is_never_filled_up(codec: str, options: dict[str, Any]) -> None:
    pixels = noise((48, 48), 0, 256, "u1")
    data = coded(codec, pixels, **options)
    whole = decode_frame(data, describe_as(pixels, JPEG))
    for part in (0.3, 0.6, 0.97):
        with pytest.raises(UndecodableError):
            decode_frame(data[: int(len(data) * part)], describe_as(pixels, JPEG))
    if codec in ("jpeg8", "htj2k"):  # only the end marker is missing: nothing is lost
        assert (decode_frame(data[:-2], describe_as(pixels, JPEG)) == whole).all()
    assert (decode_frame(data + b"\0" * 300, describe_as(pixels, JPEG)) == whole).all()


@pytest.mark.skipif(DCMCJPEG is None, reason="dcmcjpeg of DCMTK is not installed")
@pytest.mark.parametrize("predictor", range(1, 8))
def test_jpeg_lossless_of_every_predictor(predictor: int, tmp_path: Path) -> None:
    pixels = noise((17, 23), 0, 4096, "u2")
    made = image(pixels, BitsStored=12, HighBit=11)
    assert (
        packed_by([str(DCMCJPEG), "+el", "+sv", str(predictor)], made, tmp_path) == pixels
    ).all()


def test_a_damaged_htj2k_codestream_is_refused_not_filled_with_other_memory() -> None:
    # Its engine only reports aside what fails after the first line was copied.
    pixels = noise((64, 64), 0, 4096, "u2")
    data = coded("htj2k", pixels, reversible=True)
    chance = np.random.default_rng(4)
    words = []
    for _ in range(40):
        damaged = bytearray(data)
        for at in chance.integers(len(data) // 4, len(data) - 2, 8):
            damaged[at] ^= 0x5A
        try:
            decode_frame(bytes(damaged), describe_as(pixels, HTJ2K, bits_stored=12, high_bit=11))
        except UndecodableError as error:
            words.append(str(error))
    assert sum("damaged" in each for each in words) > 10
