"""Rendered pictures: presets, automatic windows, filters with their marks, colours."""

from __future__ import annotations

import io
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from django.test import Client
from PIL import Image

from accounts.models import Facility, User
from archive.models import Instance
from archive.rendering import Rendering
from imaging.enhance import Filter
from tests import factories
from tests.unit.viewer.conftest import store
from viewer.looks import parse_filters
from viewer.parameters import ParameterError

Ask = Callable[[str], "tuple[int, np.ndarray, dict[str, str]]"]


@pytest.fixture
def ramp(north: Facility) -> Instance:
    """A CT of 512 by 512 whose values run from -1024 to 1023 HU along each row, with noise."""
    dataset = factories.read_bundled("CT_small.dcm", Rows=512, Columns=512)
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
    values = np.tile(np.arange(0, 2048, 4), (512, 1))
    values = values + np.random.default_rng(1).integers(0, 80, values.shape)
    dataset.PixelData = values.astype("<i2").tobytes()
    return store(factories.as_part10(dataset), north)


@pytest.fixture
def ask(ramp: Instance, rada: User, client_of: Callable[[User], Client]) -> Ask:
    """Ask for the ramp's picture."""

    def get(query: str) -> tuple[int, np.ndarray, dict[str, str]]:
        answer = client_of(rada).get(f"/api/v1/instances/{ramp.pk}/frames/0/rendered.png?{query}")
        if answer.status_code != 200:
            return answer.status_code, np.array(0), {"detail": answer.json()["detail"]}
        picture = np.asarray(Image.open(io.BytesIO(answer.content)))
        return 200, picture.astype(int), dict(answer.headers)

    return get


def test_the_window_that_the_pixels_decide_is_told(ask: Ask) -> None:
    _status, whole, headers = ask("window=auto")
    center, width = map(float, headers["X-Window"].split(","))
    _status, by_window, others = ask(f"window={center},{width}")
    assert "X-Window" not in others
    assert len(np.unique(whole)) > 200
    assert np.abs(whole - by_window).max() <= 1  # the one by LINEAR_EXACT, the other by LINEAR


def test_a_preset_is_its_window_and_invert_turns_it(ask: Ask) -> None:
    _status, by_preset, headers = ask("preset=lung")
    _status, by_window, _headers = ask("window=-600,1500")
    assert (by_preset == by_window).all()
    assert len(np.unique(by_preset)) > 100
    assert "X-Enhanced" not in headers
    _status, inverted, _headers = ask("preset=lung&invert=1")
    assert (inverted == 255 - by_preset).all()


def test_an_automatic_window_and_one_by_percentiles_come_from_the_pixels(ask: Ask) -> None:
    _status, picture, _headers = ask("window=auto")
    assert 0.002 < (picture == 0).mean() < 0.02
    assert 0.002 < (picture == 255).mean() < 0.02


def test_filtered_and_painted_pictures_say_so_on_themselves_and_in_a_header(ask: Ask) -> None:
    _status, plain, _headers = ask("preset=bone")
    _status, sharp, headers = ask("preset=bone&enhance=sharpen:2,denoise")
    assert headers["X-Enhanced"] == "denoise:1,sharpen:2"
    assert sharp.shape == (512, 512, 3)
    corner = sharp[-60:, :200]
    assert ((corner[..., 0] > 200) & (corner[..., 2] < 140)).sum() > 100, "amber words"
    denoised = cv2.bilateralFilter(plain.astype(np.uint8), 7, 15, 2).astype(np.float32)
    truth = np.clip(denoised + 2 * (denoised - cv2.GaussianBlur(denoised, (7, 7), 1)), 0, 255)
    assert np.abs(sharp[:400, :, 0] - truth[:400]).max() <= 1
    _status, painted, headers = ask("preset=bone&colormap=hot_iron")
    assert headers["X-Enhanced"] == "colormap:hot_iron"
    assert (
        painted[:100, :400, 0] == np.clip(plain[:100, :400] * 255 / 128 + 0.5, 0, 255) // 1
    ).all()


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("preset=suv5", "no such preset"),
        ("preset=nose", "use one of"),
        ("preset=lung&window=40,400", "one of the two"),
        ("enhance=", "use denoise"),
        ("enhance=sharpen:9", "between 0.1 and 3"),
        ("enhance=sharpen:-1", "is a number"),
        ("enhance=sharpen,sharpen", "each filter once"),
        ("enhance=original", "use denoise"),
        ("colormap=grey", "use hot_iron"),
        ("invert=yes", "invert"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_its_name(
    ask: Ask, query: str, words: str
) -> None:
    status, _picture, answer = ask(query)
    assert status == 400
    assert words in answer["detail"]


def test_a_ct_without_rescale_has_no_lung_window(
    north: Facility, rada: User, client_of: Callable[[User], Client]
) -> None:
    dataset = factories.read_bundled("CT_small.dcm")
    del dataset.RescaleSlope, dataset.RescaleIntercept
    instance = store(factories.as_part10(dataset), north)
    base = f"/api/v1/instances/{instance.pk}/frames/0/rendered.png"
    answer = client_of(rada).get(f"{base}?preset=lung")
    assert answer.status_code == 400
    assert "not HU" in answer.json()["detail"]
    stack = client_of(rada).get(f"/api/v1/series/{instance.series_id}/stack/").json()
    assert "not HU" in stack["windows"]["why_not"]
    assert "lung" not in {one["code"] for one in stack["windows"]["presets"]}


def test_equal_looks_have_equal_keys_and_others_differ() -> None:
    asked = parse_filters("sharpen:1.0,denoise")
    assert asked == parse_filters("denoise:1,sharpen")
    keys = {
        look.key
        for look in (
            Rendering(), Rendering(filters=asked), Rendering(filters=(Filter("sharpen", 1.1),)),
            Rendering(invert=True), Rendering(colour_map="pet"), Rendering(percentiles=(0, 100)),
            Rendering(width_px=9), Rendering(longest_px=9), Rendering(overlays=False),
        )
    }  # fmt: skip
    assert len(keys) == 9
    assert all(set(key) <= set(map(chr, range(0x21, 0x7F))) - {'"'} for key in keys)
    with pytest.raises(ParameterError):
        parse_filters("sharpen:1:2")
