"""Outlines of masks: the edges of pixels, holes among them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imaging.errors import LimitExceededError
from imaging.outlines import trace_outlines


def fill(outlines: list[list[tuple[float, float]]], rows: int, columns: int) -> np.ndarray:
    """Fill by the even-odd rule: count the upright sides to the left of each pixel's centre."""
    crossings = np.zeros((rows, columns), int)
    for outline in outlines:
        for (x0, y0), (x1, y1) in zip(outline, [*outline[1:], outline[0]], strict=True):
            assert (x0 == x1) != (y0 == y1), "a side runs along the grid"
            if x0 == x1:
                top, bottom = sorted((y0, y1))
                crossings[int(top + 0.5) : int(bottom + 0.5), int(x0 + 0.5) :] += 1
    filled: np.ndarray = crossings % 2 == 1
    return filled


def test_one_pixel_reaches_half_a_pixel_to_each_side() -> None:
    mask = np.zeros((3, 4), bool)
    mask[1, 2] = True
    (outline,) = trace_outlines(mask)
    assert sorted(outline) == [(1.5, 0.5), (1.5, 1.5), (2.5, 0.5), (2.5, 1.5)]


def test_pixels_that_touch_at_a_corner_are_apart_and_a_hole_has_its_own_way() -> None:
    mask = np.zeros((8, 8), bool)
    mask[1:4, 1:4] = True
    mask[2, 2] = False
    mask[4, 4] = True
    assert sorted(len(outline) for outline in trace_outlines(mask)) == [4, 4, 4]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.booleans(), min_size=63, max_size=63))
def test_filled_again_outlines_are_the_mask(bits: list[bool]) -> None:
    mask = np.array(bits).reshape(7, 9)
    assert (fill(trace_outlines(mask), 7, 9) == mask).all()


def test_a_mask_of_noise_without_end_is_refused() -> None:
    rows, columns = np.mgrid[0:1000, 0:1000]
    with pytest.raises(LimitExceededError):
        trace_outlines((rows + columns) % 2 == 0)
