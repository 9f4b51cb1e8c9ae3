"""Overlays and shutters of stored files: in rendered pictures and at their own address."""

from __future__ import annotations

import numpy as np
import pytest

from archive.overlays import HEAD, pack_overlays, read_overlays
from archive.rendering import Rendering, render_picture
from imaging.overlays import OVERLAY_COLOUR
from tests.unit.archive.test_frames import store
from tests.unit.imaging.build import BIG, EXPLICIT, image, written

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("syntax", [EXPLICIT, BIG])
def test_overlays_in_unused_bits_of_the_pixels_are_drawn(syntax: str) -> None:
    stored = np.array([[0, 4095], [100, 0]], np.uint16)
    words = stored | np.array([[0x8000, 0], [0, 0x8000]], np.uint16)
    made = image(words, BitsStored=12, HighBit=11, WindowCenter=2048, WindowWidth=4096)
    if syntax == BIG:
        made.PixelData = words.astype(">u2").tobytes()
    for element, vr, value in (
        (0x10, "US", 2), (0x11, "US", 2), (0x40, "CS", "G"), (0x50, "SS", [1, 1]),
        (0x100, "US", 16), (0x102, "US", 15),
    ):  # fmt: skip
        made.add_new(0x60000000 | element, vr, value)
    made.ShutterShape = "RECTANGULAR"
    made.ShutterLeftVerticalEdge, made.ShutterRightVerticalEdge = 1, 1
    made.ShutterUpperHorizontalEdge, made.ShutterLowerHorizontalEdge = 1, 2
    instance = store(written(made, syntax))
    planes = read_overlays(instance, 0)
    assert [plane.bits.tolist() for plane in planes] == [[[True, False], [False, True]]]
    packed = pack_overlays(planes)
    assert HEAD.unpack_from(packed) == (0x6000, 2, 2, 0, 1, 1, 1)
    assert packed[HEAD.size :] == bytes([0b1001])
    picture = render_picture(instance, 0)
    assert picture.tolist() == [
        [list(OVERLAY_COLOUR), [0] * 3],
        [[6] * 3, list(OVERLAY_COLOUR)],
    ]
    plain = render_picture(instance, 0, Rendering(overlays=False, shutter=False))
    assert plain.tolist() == [[0, 255], [6, 0]]
