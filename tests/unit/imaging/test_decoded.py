"""Every real file, held to the pixels that another program made of it."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imaging.errors import PermanentError
from imaging.frames import DEFLATED
from imaging.pixels import PixelDescription, decode_frame
from imaging.source import inflate
from tests.unit.imaging.real_files import GOLDEN, all_files, read

Row = dict[str, Any]


@lru_cache
def golden() -> dict[str, Row]:
    rows: dict[str, Row] = json.loads((GOLDEN / "decoded.json").read_text())["files"]
    return rows


def decode_frames(path: Path, frames: list[int]) -> list[np.ndarray]:
    header, index = read(path)
    description = PixelDescription.from_header(header)
    decoded = []
    with path.open("rb") as file:
        content = b""
        if index.kind == DEFLATED:
            content = inflate(file, header.dataset_offset, 1 << 26)
        for frame in frames:
            offset, length = index.span(frame)
            file.seek(offset)
            data = content[offset : offset + length] or index.payload(file.read(length))
            decoded.append(decode_frame(data, description, first_bit=index.first_bit(frame)))
    return decoded


def fingerprint(frames: list[np.ndarray]) -> str:
    """SHA-256 over each frame: its little endian type and shape in words, then its pixels."""
    digest = hashlib.sha256()
    for pixels in frames:
        shape = "x".join(map(str, pixels.shape))
        digest.update(f"{pixels.dtype.str} {shape}\n".encode() + pixels.tobytes())
    return digest.hexdigest()


def rows_with(key: str) -> list[Any]:
    files = all_files()
    return [pytest.param(files[n], r, id=n) for n, r in golden().items() if key in r and n in files]


def test_every_real_file_is_in_the_manifest() -> None:
    assert set(all_files()) <= set(golden())


@pytest.mark.parametrize(("path", "row"), rows_with("sha256"))
def test_pixels_are_bit_for_bit_those_of_another_program(path: Path, row: Row) -> None:
    assert fingerprint(decode_frames(path, row["frames"])) == row["sha256"]


@pytest.mark.parametrize(("path", "row"), rows_with("grids"))
def test_lossy_pixels_are_those_of_another_program_within_its_limit(path: Path, row: Row) -> None:
    frames = [int(frame) for frame in row["grids"]]
    decoded = decode_frames(path, frames)
    for pixels, grid in zip(decoded, row["grids"].values(), strict=True):
        assert list(pixels.shape) == row["shape"]
        rows, columns = (np.linspace(0, n - 1, 10).astype(int) for n in pixels.shape[:2])
        ours = pixels[np.ix_(rows, columns)].ravel().astype(int)
        assert np.abs(ours - np.array(grid)).max() <= row["limit"]


@pytest.mark.parametrize(("path", "row"), rows_with("reason"))
def test_what_no_program_decodes_is_refused_in_words(path: Path, row: Row) -> None:
    assert row["reason"]
    with pytest.raises(PermanentError):
        decode_frames(path, [0])


def wg04(name: str) -> list[tuple[Path, Row]]:
    files = all_files()
    return [(files[key], golden()[key]) for key in files if key.split("/")[-1].startswith(name)]


@pytest.mark.parametrize("name", ["RG2_JLSL", "RG3_J2KR", "XA1_JPLL"])
def test_wg04_lossless_pictures_equal_their_reference_bit_for_bit(name: str) -> None:
    found = wg04(name)
    if not found:
        pytest.skip("the WG04 pictures are not here")
    for path, row in found:
        assert fingerprint(decode_frames(path, row["frames"])) == row["sha256"]


def test_the_lossy_wg04_picture_is_close_to_the_lossless_one() -> None:
    lossless, lossy = wg04("RG2_JLSL"), wg04("RG2_JPLY")
    if not lossless or not lossy:
        pytest.skip("the WG04 pictures are not here")
    first, second = (
        decode_frames(path, [0])[0].astype(int) for (path, _row), *_ in (lossless, lossy)
    )
    assert first.shape == second.shape
    assert np.abs(first - second).mean() < 10
