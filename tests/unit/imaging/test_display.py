from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from imaging.display import Grayscale, encode_jpeg, encode_png, render_frame, thumbnail
from imaging.lut import Window
from tests.unit.imaging.build import image, read_image, written
from tests.unit.imaging.real_files import GOLDEN

CASES = json.loads((GOLDEN / "display.json").read_text())


@pytest.mark.parametrize("case", CASES["window"], ids=lambda case: f"{case['function']}")
def test_windows_give_the_grey_of_the_standard(case: dict[str, Any]) -> None:
    window = Window(case["center"], case["width"], case["function"])
    grey = np.floor(window.apply(np.array(case["values"], np.float64)) + 0.5)
    assert grey.tolist() == case["grey"]


@pytest.mark.parametrize("case", CASES["pipeline"], ids=lambda case: case["name"])
@pytest.mark.parametrize("repeat", [1, 70_000])
def test_the_pipeline_gives_the_grey_of_the_standard(case: dict[str, Any], repeat: int) -> None:
    stored = np.tile(np.array(case["stored"], np.int16), repeat)
    grayscale = Grayscale(
        slope=case["slope"],
        intercept=case["intercept"],
        window=Window(case["center"], case["width"], case["function"]),
        invert=case["invert"],
    )
    shown = grayscale.apply(stored)
    assert shown[: len(case["stored"])].tolist() == case["grey"]
    assert shown.dtype == np.uint8


def lut(first: int, values: list[int], bits: int) -> Dataset:
    made = Dataset()
    made.add_new(0x00283002, "US", [len(values), first, bits])
    made.add_new(0x00283006, "OW", np.array(values, np.uint16).tobytes())
    return made


def test_lookup_tables_of_the_file_are_applied() -> None:
    made = image(
        np.array([[0, 1, 2, 3]], np.uint16),
        ModalityLUTSequence=Sequence([lut(1, [10, 20], 16)]),
        VOILUTSequence=Sequence([lut(10, [0] + [1] * 9 + [255], 8)]),
    )
    header, _index = read_image(written(made))
    grayscale = Grayscale.from_image_facts({}).with_tables(header)
    stored = np.array([[0, 1, 2, 3]], np.uint16)
    assert grayscale.modality_values(stored).tolist() == [[10, 10, 20, 20]]
    assert grayscale.apply(stored).tolist() == [[0, 0, 255, 255]]


def test_the_first_mapped_value_of_a_signed_table_is_signed() -> None:
    made = image(np.array([[-2, -1]], np.int16), VOILUTSequence=Sequence([lut(65534, [0, 255], 8)]))
    header, _index = read_image(written(made))
    grayscale = Grayscale.from_image_facts({}).with_tables(header)
    assert grayscale.apply(np.array([[-2, -1]], np.int16)).tolist() == [[0, 255]]


@pytest.mark.parametrize("shape", ["", "INVERSE"])
def test_monochrome1_is_inverted_once(shape: str) -> None:
    facts = {
        "photometric_interpretation": "MONOCHROME1", "presentation_lut_shape": shape,
        "window_center": [128], "window_width": [256],
    }  # fmt: skip
    assert Grayscale.from_image_facts(facts).apply(np.array([[0]], np.uint8)).item() == 255


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((4, 4), np.int16), np.full((4, 4), np.nan, np.float32),
     np.full((4, 4), np.inf), np.full((4, 4), 2**31, np.uint32)],
)  # fmt: skip
def test_absurd_pixels_and_rescale_give_a_defined_picture(pixels: np.ndarray) -> None:
    for facts in (
        {},
        {"window_center": [1e300], "window_width": [1e-300]},
        {"rescale_slope": 1e308, "rescale_intercept": -1e308},
        {"voi_lut_function": "SIGMOID", "window_center": [-1e9], "window_width": [1e-9]},
    ):
        with np.errstate(over="ignore", invalid="ignore"):
            shown = Grayscale.from_image_facts(facts).apply(pixels)
        assert shown.shape == (4, 4)
        assert shown.dtype == np.uint8


def test_colour_passes_and_deep_colour_is_reduced() -> None:
    color = np.full((2, 2, 3), 4095, np.uint16)
    assert (render_frame(color, Grayscale(), bits_stored=12) == 255).all()
    eight = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert (render_frame(eight, Grayscale()) == eight).all()


def test_a_thumbnail_keeps_the_proportions_of_the_patient() -> None:
    assert thumbnail(np.zeros((100, 50), np.uint8), 64).shape == (64, 32)
    assert thumbnail(np.zeros((100, 100), np.uint8), 64, row_to_column=2).shape == (64, 32)
    assert thumbnail(np.zeros((1, 60_000), np.uint8), 64).shape == (1, 64)


def test_pictures_are_encoded_as_they_are() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert (np.asarray(Image.open(BytesIO(encode_png(grey)))) == grey).all()
    assert Image.open(BytesIO(encode_jpeg(grey))).size == (16, 16)
