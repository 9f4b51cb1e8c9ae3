"""Planes of a small volume are those of other programs; the viewer is held to the same file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imaging.plane import PlaneGeometry, Slab
from imaging.volume import VolumeGeometry
from reconstruction.assembly import Scale
from reconstruction.planes import cut_plane
from reconstruction.volume_files import Volume

GOLDEN: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "golden" / "planes.json").read_text()
)


def volume_of(stack: dict[str, Any]) -> Volume:
    k, j, i = np.indices(GOLDEN["shape"])
    values = (37 * i + 101 * j + 53 * k + 7 * i * j + 11 * j * k) % 1999 - 1000
    geometry = VolumeGeometry.from_json(
        {**stack, "shape": GOLDEN["shape"], "spacing_mm": GOLDEN["spacing_mm"]}
    )
    return Volume("", values.astype(np.int16), geometry, Scale(), int(values.min()), {})


@pytest.mark.parametrize(
    "case", GOLDEN["cases"], ids=lambda case: "-".join((case["stack"], case["mode"]))
)
def test_planes_and_slabs_are_those_of_other_programs(case: dict[str, Any]) -> None:
    plane = PlaneGeometry(
        origin=np.array(case["origin"]),
        row_direction=np.array(case["right"]),
        column_direction=np.array(case["down"]),
        normal=np.array(case["unit_normal"]),
        spacing_mm=(case["spacing_mm"], case["spacing_mm"]),
        rows=case["rows"],
        columns=case["columns"],
    )

    made = cut_plane(
        volume_of(GOLDEN["stacks"][case["stack"]]), plane, Slab(case["mode"], case["thickness_mm"])
    )

    expected = np.array(case["values"], float)
    assert np.array_equal(np.isnan(made), np.isnan(expected))
    assert np.nanmax(np.abs(made - expected)) < 0.002
