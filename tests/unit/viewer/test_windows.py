"""What a series is offered obeys its passport."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import Facility, User
from archive.passport import make_passport
from archive.phantom import PhantomShape, build_datasets
from tests import factories
from tests.unit.viewer.conftest import store
from viewer.windows import opens_at


def test_values_that_the_pixels_prove_wrong_lose_the_windows_in_hu_and_it_says_why(
    north: Facility, rada: User, client_of: Callable[[User], Client]
) -> None:
    dataset = next(iter(build_datasets(PhantomShape(rows=64, columns=64, slices=1))))
    dataset.RescaleIntercept = 0
    instance = store(factories.as_part10(dataset), north)
    client = client_of(rada)
    stack = f"/api/v1/series/{instance.series_id}/stack/"
    picture = f"/api/v1/instances/{instance.pk}/frames/0/rendered.png?preset="
    before = client.get(stack)
    assert "lung" in [one["code"] for one in before.json()["windows"]["presets"]]
    assert client.get(f"{picture}lung").status_code == 200

    assert make_passport(instance.series_id)["hu"]["verdict"] == "suspect"

    after = client.get(stack, headers={"If-None-Match": before["ETag"]})
    assert after.status_code == 200
    windows = after.json()["windows"]
    assert [one["code"] for one in windows["presets"]] == ["full", "wide", "soft", "contrast"]
    assert "do not look like Hounsfield units" in windows["why_not"]
    refusal = client.get(f"{picture}lung")
    assert refusal.status_code == 400
    assert "do not look like Hounsfield units" in refusal.json()["detail"]
    assert client.get(f"{picture}wide").status_code == 200


@pytest.mark.parametrize(
    ("kind", "sides", "at"),
    [
        (("DERIVED", "SECONDARY", "MPR"), 1, 5),
        (("DERIVED", "SECONDARY", "MPR", "MIP"), 1, 5),
        (("DERIVED", "SECONDARY", "MPR", "MIP"), 11, 0),
        (("DERIVED", "SECONDARY", "MPR", "CURVED"), 1, 0),
        (("ORIGINAL", "PRIMARY", "AXIAL"), 1, 0),
        ((), 1, 0),
    ],
)
def test_planes_that_were_cut_open_at_their_middle_and_nothing_else_does(
    kind: tuple[str, ...], sides: int, at: int
) -> None:
    images = [
        {"image_type": list(kind), "image_orientation_patient": [1, number % sides, 0, 0, 0, -1]}
        for number in range(11)
    ]
    assert opens_at(images) == at
