"""Values under a measurement are what the series' passport lets them be."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.test import Client

from accounts.models import Facility, User
from tests import factories
from tests.unit.viewer.conftest import store

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("modality", "passport", "unit", "factor", "notes"),
    [
        ("PT", {"suv": {"verdict": "ready", "suvbw_factor": 0.002}}, "SUVbw", 0.002, []),
        ("PT", {"suv": {"verdict": "not_ready", "suvbw_factor": 0.002}}, "BQML", 1.0, []),
        ("CT", {"hu": {"verdict": "suspect"}}, "HU", 1.0, ["hu_suspect"]),
        ("CT", {"hu": {"verdict": "calibrated"}}, "HU", 1.0, []),
    ],
)
def test_the_passport_decides_what_a_value_is(
    client_of: Callable[[User], Client],
    rada: User,
    north: Facility,
    modality: str,
    passport: dict[str, Any],
    unit: str,
    factor: float,
    notes: list[str],
) -> None:
    stored = np.arange(128 * 128).reshape(128, 128) % 1000
    facts = {"Modality": modality, "SOPInstanceUID": "1.2.3.9", "RescaleSlope": 2}
    dataset = factories.read_bundled("CT_small.dcm", **facts, RescaleIntercept=0)
    if modality == "PT":
        dataset.Units = "BQML"
    dataset.PixelData = stored.astype("<i2").tobytes()
    series = store(factories.as_part10(dataset), north).series
    series.passport = passport
    series.save(update_fields=["passport"])
    body = {
        "sop_instance_uid": "1.2.3.9",
        "kind": "rectangle",
        "points_px": [[9.5, 4.5], [29.5, 8.5]],
    }
    answer = client_of(rada).post(
        "/api/v1/measurements/", json.dumps(body), content_type="application/json"
    )
    found = answer.json()
    assert found["statistics"]["mean"] == pytest.approx(2 * factor * stored[5:9, 10:30].mean())
    assert (found["statistics"]["unit"], found["notes"]) == (unit, notes)
