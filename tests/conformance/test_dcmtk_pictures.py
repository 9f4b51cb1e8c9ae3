"""Pictures of real files against DCMTK's: windows, rescale, inversion and overlays."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imaging.display import Grayscale
from imaging.frames import ENCAPSULATED
from imaging.image_facts import image_facts
from imaging.overlays import Plane, bits_of_plane, compose
from imaging.pixels import PixelDescription, decode_frame
from tests.unit.imaging.real_files import all_files, read

PROGRAM = "dcmj2pnm"
pytestmark = pytest.mark.skipif(shutil.which(PROGRAM) is None, reason="DCMTK is not installed")

NAMES = (
    "CT_small.dcm", "MR_small.dcm", "MR_small_bigendian.dcm", "dx_image.dcm",
    "OutOfBoundsOverlay.dcm", "examples_overlay.dcm",
)  # fmt: skip
FILES = {name: path for name, path in all_files().items() if path.name in NAMES}


def by_dcmtk(path: Path, to: Path, *options: str) -> np.ndarray:
    """Return DCMTK's 8-bit picture of the first frame."""
    subprocess.run([PROGRAM, "-q", *options, "+op", str(path), str(to)], check=True)
    return np.asarray(Image.open(to)).astype(int)


@pytest.mark.parametrize("name", FILES)
def test_windows_and_overlays_are_those_of_dcmtk(name: str, tmp_path: Path) -> None:
    path = FILES[name]
    header, index = read(path)
    facts = image_facts(header)
    offset, length = index.span(0)
    data = path.read_bytes()[offset : offset + length]
    if index.kind == ENCAPSULATED:
        data = index.payload(data)
    stored = decode_frame(data, PixelDescription.from_header(header))
    window = ("+Wi", "1") if "window_center" in facts else ("+Ww", "600", "1200")
    if "window_center" not in facts:
        facts |= {"window_center": [600], "window_width": [1200]}
    gray = Grayscale.from_image_facts(facts)
    truth = by_dcmtk(path, tmp_path / "plain.pgm", *window, "-O")
    shown = gray.apply(stored).astype(int)
    padded = gray.padding_mask(stored)
    seen = np.ones(stored.shape, bool) if padded is None else ~padded
    assert np.abs(shown - truth)[seen].max() <= 1
    planes = []
    for one in facts.get("overlays", []):
        bits = bits_of_plane(header.raw(int(one["group"], 16) << 16 | 0x3000) or b"", one, 0)
        assert bits is not None
        row, column = one["overlay_origin"]
        planes.append(Plane(0x6000, (row, column), is_region=False, bits=bits))
    if planes:
        over = compose(planes, *stored.shape)
        assert over is not None
        drawn = by_dcmtk(path, tmp_path / "over.pgm", *window, "+O", "0")
        assert (drawn[over > 0] == 255).all()
        assert (drawn == truth)[over == 0].all()
