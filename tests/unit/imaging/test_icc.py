"""Colour profiles: the colours of a screen, against the profile's own formula."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import ImageCms
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from imaging.errors import UndecodableError
from imaging.icc import find_profile, srgb_from_profile
from imaging.image_facts import image_facts
from tests.unit.imaging.build import image, read_image, written

# Adobe RGB (1998), adapted to D50, as its specification lists it; rows X, Y, Z.
WIDE = np.array(
    [[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]]
)
# IEC 61966-2-1, adapted to D50.
SRGB = np.array(
    [[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]]
)
GAMMA = 563 / 256


def matrix_profile() -> bytes:
    """Return a profile of three primaries and a gamma, written byte by byte (ICC.1:2010)."""

    def xyz(values: np.ndarray) -> bytes:
        fixed = [round(float(value) * 65536) for value in values]
        return b"XYZ \0\0\0\0" + struct.pack(">3l", *fixed)

    curve = b"curv\0\0\0\0" + struct.pack(">LH", 1, round(GAMMA * 256)) + b"\0\0"
    text = b"desc\0\0\0\0" + struct.pack(">L", 5) + b"wide\0" + b"\0" * 78 + b"\0"
    text += b"\0" * (-len(text) % 4)
    tags = {
        b"desc": text, b"cprt": b"text\0\0\0\0none", b"wtpt": xyz(np.array([0.9642, 1, 0.8249])),
        b"rXYZ": xyz(WIDE[:, 0]), b"gXYZ": xyz(WIDE[:, 1]), b"bXYZ": xyz(WIDE[:, 2]),
        b"rTRC": curve, b"gTRC": curve, b"bTRC": curve,
    }  # fmt: skip
    at = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">L", len(tags)), b""
    for name, value in tags.items():
        padded = value + b"\0" * (-len(value) % 4)
        table += name + struct.pack(">LL", at + len(body), len(value))
        body += padded
    head = struct.pack(">L", at + len(body)) + b"\0\0\0\0" + b"\x02\x10\0\0" + b"mntrRGB XYZ "
    head += b"\0" * 12 + b"acsp" + b"\0" * 28 + struct.pack(">3l", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + table + body


def by_formula(rgb: np.ndarray) -> np.ndarray:
    linear = (rgb / 255.0) ** GAMMA @ WIDE.T @ np.linalg.inv(SRGB).T
    linear = np.clip(linear, 0, 1)
    shown = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(shown * 255))


def test_colours_become_those_that_the_profile_means() -> None:
    steps = np.arange(0, 256, 17, dtype=np.uint8)
    rgb = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(64, 64, 3)
    shown = srgb_from_profile(rgb, matrix_profile()).astype(int)
    expected = by_formula(rgb)
    assert np.abs(shown - expected).max() <= 2
    assert np.abs(shown - expected).mean() < 0.3
    assert np.abs(shown - rgb).max() > 20, "a profile that changes nothing would prove nothing"


def test_colours_that_are_srgb_already_are_not_touched() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    rgb = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    assert srgb_from_profile(rgb, profile) is rgb


def colour_image(profile: bytes, *, in_path: bool = False) -> Dataset:
    made = image(np.zeros((2, 2), np.uint8), SamplesPerPixel=3, PhotometricInterpretation="RGB")
    made.PlanarConfiguration = 0
    made.PixelData = bytes(12)
    place = Dataset() if in_path else made
    place.ICCProfile = profile
    if in_path:
        made.OpticalPathSequence = Sequence([place])
    return made


@pytest.mark.parametrize("in_path", [False, True])
def test_profiles_are_found_in_the_image_and_in_its_optical_path(in_path: bool) -> None:
    profile = matrix_profile()
    header, _ = read_image(written(colour_image(profile, in_path=in_path)))
    assert find_profile(header) == profile
    assert image_facts(header)["has_icc_profile"] is True


@pytest.mark.parametrize(
    "profile",
    [b"", b"x" * 200, matrix_profile()[:300], matrix_profile().replace(b"RGB ", b"CMYK", 1)],
    ids=["empty", "no profile", "cut short", "not of RGB"],
)
def test_a_profile_that_is_none_is_flagged_and_not_used(profile: bytes) -> None:
    header, _ = read_image(written(colour_image(profile)))
    assert "has_icc_profile" not in image_facts(header)
    assert "bad_icc_profile" in header.flags


def test_a_profile_that_only_looks_like_one_is_refused() -> None:
    broken = matrix_profile()[:128] + struct.pack(">L", 0xFFFFFF) + b"\xff" * 200
    with pytest.raises(UndecodableError):
        srgb_from_profile(np.zeros((1, 1, 3), np.uint8), broken)
