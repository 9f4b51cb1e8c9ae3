"""Requests for pictures are read strictly, and refused with words."""

from __future__ import annotations

import pytest

from imaging.lut import Window
from viewer.parameters import (
    ParameterError,
    parse_images,
    parse_switch,
    parse_width,
    parse_window,
)


@pytest.mark.parametrize(
    ("text", "indices"),
    [
        ("0", [0]),
        ("0-3", [0, 1, 2, 3]),
        ("7,3,5-6", [7, 3, 5, 6]),
        ("9,9", [9, 9]),
        ("0-63", list(range(64))),
    ],
)
def test_images_keep_the_asked_order(text: str, indices: list[int]) -> None:
    assert parse_images(text, count=100) == indices


@pytest.mark.parametrize(
    "text",
    ["", "-1", "3-", "a", "1,,2", "5-3", "0-64", "100", "99-100", "1.5", "1 2", "٣", "0-999999999"],
)
def test_images_that_cannot_be_understood_are_refused(text: str) -> None:
    with pytest.raises(ParameterError):
        parse_images(text, count=100)


def test_an_empty_stack_has_no_image_to_ask_for() -> None:
    with pytest.raises(ParameterError):
        parse_images("0", count=0)


def test_a_window_is_centre_and_width() -> None:
    assert parse_window("40,400") == Window(40, 400)
    assert parse_window("-600.5,1e3") == Window(-600.5, 1000)
    assert parse_window(None) is None


@pytest.mark.parametrize(
    "text", ["", "40", "40,400,1", "nan,1", "1,inf", "0,0", "0,0.5", "x,y", "1;2"]
)
def test_a_window_that_cannot_be_understood_is_refused(text: str) -> None:
    with pytest.raises(ParameterError):
        parse_window(text)


@pytest.mark.parametrize("text", ["0", "-5", "4097", "99999999", "12.5", "wide", ""])
def test_a_width_that_cannot_be_understood_is_refused(text: str) -> None:
    with pytest.raises(ParameterError):
        parse_width(text)


def test_a_width_is_a_number_of_pixels() -> None:
    assert parse_width("128") == 128
    assert parse_width(None) is None


def test_a_layer_of_the_file_is_on_unless_it_is_switched_off() -> None:
    assert [parse_switch(text, name="overlays") for text in (None, "1", "0")] == [True, True, False]
    with pytest.raises(ParameterError):
        parse_switch("yes", name="overlays")
