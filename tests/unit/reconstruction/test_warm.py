"""Loops are compiled before somebody waits for them, and never while all others do."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest
from django.test import Client

from accounts.models import User
from archive.per_process import PerProcess
from archive.plane_values import read_plane_values
from imaging.errors import BusyError
from imaging.plane import MEAN, PlaneGeometry
from imaging.rendering import COMPOSITE, MIP, Point
from reconstruction import plane_values, view_api, warm
from reconstruction.casting import Look, render_view
from reconstruction.compiled import load_projections, load_rays
from reconstruction.projections import project_axis
from reconstruction.volumes import open_volume
from tests.unit.reconstruction.conftest import Store, index_volume, make_slices


@pytest.fixture
def cold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the compiler be at work all the time."""
    for name in ("_planes", "_views"):
        still: PerProcess[Future[Any]] = PerProcess(Future, lambda _made: True)
        monkeypatch.setattr(warm, name, still)
    for module in (plane_values, view_api):
        monkeypatch.setattr(module, "WAIT_SECONDS", 0.0)


def plane_of(shape: tuple[int, int]) -> PlaneGeometry:
    plane = PlaneGeometry.around(
        np.array([-18.0, 33.0, 0.0]), normal=np.array([0.0, 0, 1]), up=np.array([0.0, -1, 0]),
        size_mm=(5, 5), size_px=shape,
    )  # fmt: skip
    assert plane is not None
    return plane


@pytest.mark.django_db(transaction=True)
def test_nobody_waits_for_the_compiler_in_a_process_that_answers(
    cold: None, store: Store, rada: User, client_of: Callable[[User], Client]
) -> None:
    series, browser = store(make_slices(index_volume())), client_of(rada)
    open_volume(series, wait_seconds=60)

    with pytest.raises(BusyError):
        read_plane_values(series, plane_of((4, 4)))
    for address in ("view3d", "renderings/"):
        answer = browser.get(f"/api/v1/series/{series.pk}/{address}")
        assert (answer.status_code, answer.json()["progress"]) == (503, 1.0)
        assert answer["Retry-After"]


@pytest.mark.django_db(transaction=True)
def test_what_is_compiled_beforehand_is_what_pictures_need(store: Store) -> None:
    rays, projections = load_rays(), load_projections()
    loops = (
        rays.measure_bricks, rays.project, rays.composite, projections.extreme_of_slices,
        projections.sum_of_slices, projections.along_rows, projections.along_columns,
    )  # fmt: skip
    before = [len(one.signatures) for one in loops]
    assert all(before)
    volume = open_volume(store(make_slices(index_volume())), wait_seconds=60)

    points = (Point(-1000, 0.0, (0, 0, 0)), Point(5000, 1.0, (255, 255, 255)))
    for look in (Look(MIP), Look(COMPOSITE, points)):
        render_view(volume, plane_of((4, 4)), look)
    for axis in range(3):
        for mode in (MIP, MEAN):
            project_axis(volume.voxels, axis, mode)

    assert [len(one.signatures) for one in loops] == before
