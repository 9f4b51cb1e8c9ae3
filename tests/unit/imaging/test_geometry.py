from __future__ import annotations

import json
from math import cos, radians, sin, sqrt
from typing import Any

import numpy as np
import pytest

from imaging.geometry import (
    direction_cosines,
    direction_letters,
    edge_letters,
    lps_from_ijk,
    plane_name,
    slice_normal,
)
from imaging.ordering import Placement, order_images
from tests.unit.imaging.real_files import GOLDEN

EDGES = json.loads((GOLDEN / "orientation.json").read_text())["edges"]
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)


@pytest.mark.parametrize("case", EDGES, ids=lambda case: str(case["orientation"]))
def test_letters_normal_and_plane(case: dict[str, Any]) -> None:
    sides = ("left", "right", "top", "bottom")
    assert edge_letters(case["orientation"]) == {side: case[side] for side in sides}
    assert slice_normal(case["orientation"]) == pytest.approx(case["normal"])
    assert plane_name(case["orientation"]) == case["plane"]


def test_a_bad_orientation_is_not_repaired() -> None:
    for bad in ([0] * 6, [1, 0, 0, 1, 0, 0], [2, 0, 0, 0, 1, 0], [float("nan")] * 6, [1, 0, 0]):
        assert direction_cosines(bad) is None
        assert slice_normal(bad) is None
        assert edge_letters(bad) is None
    assert direction_letters([0, 0, 0]) == ""


def test_the_affine_maps_voxels_to_the_patient() -> None:
    # PS3.3 C.7.6.2.1.1 equation 1: P = S + X * dx * column + Y * dy * row.
    affine = lps_from_ijk(CORONAL, [-100, 20, 30], [2.0, 0.5], [0, 3, 1])
    assert affine is not None
    assert affine @ [4, 10, 0, 1] == pytest.approx([-98, 20, 10, 1])
    assert affine @ [0, 0, 2, 1] == pytest.approx([-100, 26, 32, 1])
    assert lps_from_ijk(AXIAL, [0, 0, 0], [0, 1]) is None


def placed(key: int, z: float | None, **values: object) -> Placement:
    position = None if z is None else (0.0, 0.0, z)
    values = {"instance_number": key, "orientation": AXIAL, **values}
    return Placement(key=key, position=position, **values)  # type: ignore[arg-type]


def keys(images: list[Placement]) -> list[object]:
    forwards = [image.key for image in order_images(images)]
    assert [image.key for image in order_images(images[::-1])] == forwards
    return forwards


def test_slices_run_along_the_normal_whatever_their_number() -> None:
    assert keys([placed(1, 30.0), placed(2, 10.0), placed(3, 20.0)]) == [2, 3, 1]


def test_orientations_stay_together_and_small_differences_do_not_part_them() -> None:
    tilt = radians(0.01)
    nearly = (1.0, 0.0, 0.0, 0.0, cos(tilt), sin(tilt))
    images = [
        placed(1, 0.0, orientation=CORONAL),
        placed(2, 5.0), placed(3, 1.0, orientation=nearly), placed(4, 3.0),
    ]  # fmt: skip
    assert keys(images) == [1, 3, 4, 2]


def test_passes_over_the_same_positions_follow_each_other() -> None:
    images = [placed(10 * t + z, float(z), time_point=(t,)) for z in range(3) for t in (1, 2)]
    assert keys(images) == [10, 11, 12, 20, 21, 22]


def test_a_missing_slice_in_one_pass_moves_no_other_pass() -> None:
    images = [placed(10 * t + z, float(z), time_point=(t,)) for z in range(3) for t in (1, 2)]
    del images[2]
    assert keys(images) == [10, 12, 20, 21, 22]


def test_a_time_that_grows_with_the_slices_does_not_tear_the_stack_apart() -> None:
    images = [placed(n, 10.0 - n, time_point=(0, 100.0 * n)) for n in range(4)]
    assert keys(images) == [3, 2, 1, 0]
    images += [placed(n + 4, 10.0 - n, time_point=(0, 1000 + 100.0 * n)) for n in range(4)]
    assert keys(images) == [3, 2, 1, 0, 7, 6, 5, 4]


def test_images_without_geometry_run_by_number_after_the_others() -> None:
    images = [
        placed(5, None), placed(4, None), placed(9, 1.0),
        Placement(key=0, uid="1.2"), placed(7, float("nan")),
    ]  # fmt: skip
    assert keys(images) == [9, 4, 5, 7, 0]


def test_frames_of_an_enhanced_object_are_placed_one_by_one() -> None:
    facts = {
        "image_orientation_patient": list(AXIAL),
        "frames": {
            "shared": {"pixel_spacing": [1, 1]},
            "per_frame": [{"image_position_patient": [0, 0, z]} for z in (2.0, 0.0, 1.0)],
        },
    }
    images = [Placement.from_image_facts(f, facts, 1, frame=f) for f in range(3)]
    assert keys(images) == [1, 2, 0]


def test_oblique_stacks_are_measured_along_their_own_normal() -> None:
    half = sqrt(0.5)
    oblique = (1.0, 0.0, 0.0, 0.0, half, half)
    normal = np.array([0, -half, half])
    images = [
        Placement(n, oblique, tuple(normal * distance), n)
        for n, distance in enumerate([3.0, -1.0, 2.0])
    ]
    assert keys(images) == [1, 2, 0]
