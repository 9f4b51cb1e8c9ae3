"""Planes and slabs through volumes, beside what SimpleITK makes of the same files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.test import Client
from pydicom import Dataset, dcmread

from accounts.models import User
from archive.models import Series
from imaging.plane import PlaneGeometry, Slab
from reconstruction.compiled import load_kernels
from reconstruction.planes import CancelledError, cut_plane
from reconstruction.volumes import open_volume
from tests.unit.reconstruction.conftest import SHAPE, index_volume, make_slices
from tests.unit.reconstruction.oracle import OUTSIDE, Stack, resample, stack_of

pytestmark = pytest.mark.django_db(transaction=True)
Store = Callable[[Iterable[Dataset | Path]], Series]
# Sizes of one pixel a voxel of the phantom; its middle is voxel (4.5, 5.5, 3).
MIDDLE = (-20 + 4.5 * 0.5, 30 + 5.5 * 0.75, -5 + 3 * 2.0)
AXIAL = {"normal": "0,0,1", "up": "0,-1,0", "width_mm": 5, "height_mm": 9}
DIRECTIONS = {
    "axial": ("0,0,1", "0,-1,0"),
    "coronal": ("0,1,0", "0,0,1"),
    "sagittal": ("-1,0,0", "0,0,1"),
    "oblique": ("0.3,-0.5,0.8", "0.1,-0.7,0.2"),
}


@pytest.fixture
def browser(rada: User, client_of: Callable[[User], Client]) -> Client:
    """rada's browser; the kernels are compiled already, for no test measures that."""
    load_kernels()
    return client_of(rada)


def ask(browser: Client, series: Series, **query: Any) -> Any:
    query = {"center": ",".join(map(str, MIDDLE)), **AXIAL, "columns": 10, "rows": 12, **query}
    return browser.get(f"/api/v1/series/{series.pk}/plane", query)


def read(answer: Any) -> tuple[np.ndarray, dict[str, Any]]:
    """Return the picture, float, NaN outside, and its description."""
    assert answer.status_code == 200, answer.content
    about = json.loads(answer["X-Noctis-Plane"])
    stored = np.frombuffer(answer.content, "<i2").reshape(about["rows"], about["columns"])
    values = stored.astype(np.float64) * about["scale"] + about["offset"]
    return values, about


def compare(answer: Any, stack: Stack, *, most: float = 0.5) -> int:
    """Hold a plane to SimpleITK's; returns how many pixels both have inside.

    Half a level is our rounding to int16; five thousandths are its float32, and cosines that the
    file writes with seven digits.
    """
    values, about = read(answer)
    truth = resample(stack, about)
    inside = truth != OUTSIDE
    outside = about["outside"] * about["scale"] + about["offset"]
    # A pixel that touches the border to a millionth is either.
    differs = (values == outside) & inside | ~inside & (values != outside)
    is_lowest = np.isclose(truth, outside, atol=most)
    assert (differs & ~is_lowest).sum() <= 0.002 * truth.size
    kept = inside & ~differs
    assert np.abs(values - truth)[kept].max() <= most + 5e-3
    return int(kept.sum())


# --- phantoms -------------------------------------------------------------------------
def test_axial_coronal_and_sagittal_show_the_voxels_right_way_round(
    store: Store, browser: Client
) -> None:
    series, voxels = store(make_slices(index_volume())), index_volume()

    axial, about = read(ask(browser, series))
    coronal, _ = read(ask(browser, series, normal="0,1,0", up="0,0,1", height_mm=14, rows=7))
    sagittal, _ = read(
        ask(browser, series, normal="-1,0,0", up="0,0,1", width_mm=9, height_mm=14,
            columns=12, rows=7)
    )  # fmt: skip

    assert np.array_equal(axial, voxels[3])
    # Between rows 5 and 6, and between columns 4 and 5: halves upwards.
    assert np.array_equal(coronal, np.floor((voxels[::-1, 5] + voxels[::-1, 6]) / 2 + 0.5))
    middle = (voxels[::-1, :, 4] + voxels[::-1, :, 5]) / 2
    assert np.array_equal(sagittal, np.floor(middle + 0.5))
    assert about["origin"] == pytest.approx([-20, 30, 1])
    assert about["spacing_mm"] == [0.75, 0.5]
    assert about["row_direction"] == [1, 0, 0]
    assert about["column_direction"] == [0, 1, 0]


@pytest.mark.parametrize("tilt", [0.0, -0.6])
def test_planes_in_every_direction_agree_with_simpleitk(
    store: Store, browser: Client, tilt: float
) -> None:
    noise = np.random.default_rng(5).integers(-900, 2000, SHAPE)
    slices = make_slices(noise, step=(0.2 * tilt, tilt, 2.0))
    series, stack = store(slices), stack_of(slices)

    for normal, up in DIRECTIONS.values():
        answer = ask(
            browser, series, normal=normal, up=up, width_mm=17, height_mm=19, columns=64, rows=50
        )
        assert compare(answer, stack) > 100


@pytest.mark.parametrize(("mode", "kept"), [("mip", np.max), ("minip", np.min), ("mean", np.mean)])
def test_slabs_are_layers_of_simpleitk(
    store: Store, browser: Client, mode: str, kept: Callable[..., np.ndarray]
) -> None:
    noise = np.random.default_rng(6).integers(-900, 2000, SHAPE)
    slices = make_slices(noise)
    answer = ask(
        browser, store(slices), normal="0.3,-0.5,0.8", up="0.1,-0.7,0.2", width_mm=4,
        height_mm=4, columns=40, rows=40, thickness_mm=3.3, mode=mode,
    )  # fmt: skip
    values, about = read(answer)

    # 3.3 mm in layers of at most 0.5 mm: seven, their middles by hand.
    assert about["layers"] == 7
    depths = [(n + 0.5) * 3.3 / 7 - 1.65 for n in range(7)]
    layers = np.stack([resample(stack_of(slices), about, depth) for depth in depths])
    whole = (layers != OUTSIDE).all(axis=0)
    assert whole.sum() > 1000
    assert np.abs(values - kept(layers, axis=0))[whole].max() <= 0.5 + 1e-3


def test_uneven_slices_are_interpolated_between_their_neighbours_and_gaps_stay_empty(
    store: Store, browser: Client
) -> None:
    voxels = index_volume()
    slices = make_slices(voxels)[::-1]
    places = [0, 2, 4, 10, 12, 14, 16.7]
    for one, z in zip(slices, places, strict=True):
        one.ImagePositionPatient = [-20, 30, -5 + z]
    series = store(slices)
    # One column of pixels a voxel, a pixel each 0.1 mm from -5 to 11.7 upwards.
    values, about = read(
        ask(browser, series, center=f"{MIDDLE[0]},30,3.35", normal="0,1,0", up="0,0,1",
            height_mm=16.8, rows=168)
    )  # fmt: skip
    heights = 3.35 + 8.4 - 0.05 - 0.1 * np.arange(168) + 5
    truth = np.interp(heights, places, np.arange(7))
    # Between 4 and 10 two slices are missing: each neighbour reaches half a spacing of 2 mm.
    hole = (heights > 5.01) & (heights < 8.99)
    near = ((heights > 4) & (heights < 4.99)) | ((heights > 9.01) & (heights < 10))
    truth = np.where(near, np.rint(truth - 1e-9 * (heights < 7)), truth)
    truth = np.where(near & (heights < 7), 2, np.where(near, 3, truth))
    kept = ~hole & (np.abs(heights - 5) > 0.02) & (np.abs(heights - 9) > 0.02)
    expected = 1000 * truth[:, None] + 3 * np.arange(10) - 1000

    assert np.abs(values - expected)[kept].max() <= 0.5 + 1e-3
    assert (values[hole] == about["outside"]).all()
    assert {"missing_slices", "uneven"} & set(about["notes"])


def test_outside_the_volume_is_the_lowest_value(store: Store, browser: Client) -> None:
    values, about = read(ask(browser, store(make_slices(index_volume())), center="500,0,0"))

    assert about["outside"] == index_volume().min()
    assert (values == index_volume().min()).all()


def test_pet_planes_are_read_by_scale_and_offset(store: Store, browser: Client) -> None:
    slices = make_slices(index_volume() + 1000)
    for number, one in enumerate(slices):
        one.RescaleSlope, one.RescaleIntercept = f"{0.5 + number / 8:g}", "0"
    answer = ask(browser, store(slices), normal="0.3,-0.5,0.8", width_mm=4, height_mm=4)
    _values, about = read(answer)

    assert compare(answer, stack_of(slices), most=1.01 * about["scale"]) > 50


def test_work_that_nobody_wants_any_more_ends(store: Store) -> None:
    volume = open_volume(store(make_slices(index_volume())))
    plane = PlaneGeometry.around(
        np.array(MIDDLE), normal=np.array([0, 0, 1.0]), up=np.array([0, -1.0, 0]),
        size_mm=(9, 9), size_px=(512, 512),
    )  # fmt: skip
    assert plane is not None
    looks = iter([False, False, True, True, True, True, True, True] * 99)

    with pytest.raises(CancelledError):
        cut_plane(volume, plane, Slab("mean", 1000.0), lambda: next(looks))


# --- real series ----------------------------------------------------------------------
@pytest.mark.parametrize(
    ("folder", "count"),
    [
        ("ct-volume/neurolabusc+dcm_qa_ct/S2020", 24),
        ("ct-tilt/neurolabusc+dcm_qa_ct/GE", 14),
        ("mr/dcm4che+dcm4che/dicom", 16),
    ],
)
def test_real_series_agree_with_simpleitk(
    store: Store, browser: Client, test_data: Callable[[str], Path], folder: str, count: int
) -> None:
    files = [path for path in sorted(test_data(folder).rglob("*")) if path.is_file()]
    datasets = {path: dcmread(path) for path in files}
    kinds = [(one.get("SliceThickness"), one.SeriesInstanceUID) for one in datasets.values()]
    alike = [path for path, kind in zip(files, kinds, strict=True) if kind == kinds[0]]
    chosen = sorted(alike, key=lambda path: datasets[path].ImagePositionPatient[2])[:count]
    series = store(chosen)
    stack = stack_of([datasets[path] for path in chosen])
    middle = stack.affine @ [*(np.array(stack.values.shape[::-1]) / 2 - 0.5), 1]

    for normal, up in (DIRECTIONS["coronal"], DIRECTIONS["oblique"]):
        answer = ask(
            browser, series, center=",".join(map(repr, middle[:3].tolist())), normal=normal,
            up=up, width_mm=200, height_mm=120, columns=200, rows=120,
        )  # fmt: skip
        assert compare(answer, stack) > 1000
