"""Colours of stored frames: sRGB by the file's profile, or untouched when it is damaged."""

from __future__ import annotations

import numpy as np
import pytest

from archive.frames import read_frame
from imaging.icc import srgb_from_profile
from tests.unit.archive.test_frames import store
from tests.unit.imaging.build import written
from tests.unit.imaging.test_icc import by_formula, colour_image, matrix_profile

pytestmark = pytest.mark.django_db(transaction=True)


def test_frames_arrive_in_the_colours_of_a_screen() -> None:
    rgb = np.array([[[255, 0, 0], [10, 200, 30]], [[128, 128, 128], [0, 0, 255]]], np.uint8)
    made = colour_image(matrix_profile(), in_path=True)
    made.PixelData = rgb.tobytes()
    shown = read_frame(store(written(made)), 0).to_array(2, 2)
    assert np.abs(shown.astype(int) - by_formula(rgb)).max() <= 2
    assert (shown == srgb_from_profile(rgb, matrix_profile())).all()


def test_a_damaged_profile_leaves_the_colours_alone() -> None:
    rgb = np.arange(12, dtype=np.uint8)
    made = colour_image(matrix_profile()[:132].ljust(len(matrix_profile()), b"\xff"))
    made.PixelData = rgb.tobytes()
    assert bytes(read_frame(store(written(made)), 0).data) == rgb.tobytes()
