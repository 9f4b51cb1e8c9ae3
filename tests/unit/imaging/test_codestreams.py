"""Codestreams that other programs wrote, held to the pixels that other programs make of them."""

from __future__ import annotations

import base64
import json
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from imaging.pixels import PixelDescription, decode_frame
from tests.unit.imaging.real_files import GOLDEN

Case = dict[str, Any]


@lru_cache
def cases() -> dict[str, Case]:
    read: dict[str, Case] = json.loads((GOLDEN / "codestreams.json").read_text())
    return read


def decoded(case: Case) -> np.ndarray:
    rows, columns, *samples = case["shape"]
    description = PixelDescription(
        rows=rows, columns=columns, samples_per_pixel=samples[0] if samples else 1,
        photometric_interpretation=case["photometric_interpretation"],
        bits_allocated=8 if case["bits"] == 8 else 16, bits_stored=case["bits"],
        high_bit=case["bits"] - 1, pixel_representation=0, planar_configuration=0,
        transfer_syntax_uid=case["transfer_syntax_uid"],
    )  # fmt: skip
    return decode_frame(base64.b64decode(case["codestream"]), description)


@pytest.mark.parametrize("name", cases())
def test_pixels_are_those_of_another_program(name: str) -> None:
    case = cases()[name]
    pixels = decoded(case)
    assert list(pixels.shape) == case["shape"]
    rows, columns = (np.linspace(0, n - 1, 12).astype(int) for n in pixels.shape[:2])
    ours = pixels[np.ix_(rows, columns)].ravel().astype(int)
    assert np.abs(ours - np.array(case["grid"])).max() <= case["limit"]


def test_the_codestreams_are_what_they_are_called() -> None:
    markers = {
        name: base64.b64decode(case["codestream"]) for name, case in cases().items()
    }  # fmt: skip
    for name, data in markers.items():
        if "restart" in name:
            assert b"\xff\xdd\x00\x04" in data
            assert b"\xff\xd0" in data
        if "Adobe" in name:
            assert data[data.index(b"Adobe") + 11] == (1 if "YCbCr" in name else 0)
        if "RPCL" in name or name == "HTJ2K lossy, grey":
            assert data[data.index(b"\xff\x52") + 5] == 2  # the progression order RPCL
        if "HTJ2K" in name:
            assert b"\xff\x50" in data[:100]  # CAP: capabilities of part 15
    sampling = {"4:1:1": 0x41, "4:4:0": 0x12, "4:2:0": 0x22}
    for name, factors in sampling.items():
        data = markers[f"JPEG {name}"]
        assert data[data.index(b"\xff\xc0") + 11] == factors
