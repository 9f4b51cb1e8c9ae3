"""The addresses of views: what is asked wrongly, by whom, and what comes back."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.test import Client
from PIL import Image
from pydicom import Dataset, dcmread

from accounts.models import AuditRow, User
from archive.models import Series
from imaging.rendering import RELATIVE_RENDERINGS, own_span, table_of, turntable
from reconstruction import kind_volume_rendering
from reconstruction.compiled import load_rays
from reconstruction.view_form import parse_view
from reconstruction.work import Work
from tests.unit.reconstruction.conftest import make_slices

Store = Callable[[Iterable[Dataset]], Series]
SIDE = 16


def marked_left() -> np.ndarray:
    """Return air with bone on the patient's left, in front, towards the head; (slices, rows, columns)."""
    voxels = np.full((SIDE, SIDE, SIDE), -1000)
    voxels[10:13, 3:6, 11:14] = 1200
    return voxels


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("quaternion", "0,0,0,0"), ("quaternion", "1,2,3"), ("direction", "0,0,0"),
        ("center", "1,2"), ("width_mm", "0"), ("columns", "1025"), ("rows", "0"), ("mode", "best"),
        ("preset", "nice"), ("points", "1,0.5,ffffff"), ("points", "2,0.5,ffffff;1,0.5,ffffff"),
        ("points", "1,0.5,fffff;2,1,000000"), ("points", "1,1.5,ffffff;2,1,000000"),
        ("shaded", "yes"), ("clip", "5,1,0,1,0,1"), ("clip", "1,2"), ("cuts", "0,0,0,5"),
        ("quality", "best"), ("format", "bmp"), ("window", "40"), ("zoom", "2"),
        ("time_point", "-1"), ("columns", [[1], {}]), ("points", [[[1]]]),
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_named(name: str, value: object) -> None:
    with pytest.raises(Exception, match=f"{name}: ") as refused:
        parse_view({name: value})

    assert refused.value.status_code == 400  # type: ignore[attr-defined]


def test_json_means_what_a_query_means() -> None:
    query = {"points": "10,0.5,ff0000;20,1,00ff00", "shaded": "false", "clip": "0,1,2,3,4,5"}
    document = {
        "points": [[10, 0.5, "ff0000"], [20, 1, "00ff00"]], "shaded": False,
        "clip": [0, 1, 2, 3, 4, 5],
    }  # fmt: skip
    one, other = parse_view(query), parse_view(document)

    assert (one.points, one.is_shaded, one.cuts) == (other.points, other.is_shaded, other.cuts)


def test_opacities_are_those_of_a_millimetre() -> None:
    points = parse_view({"points": "0,0,000000;100,0.5,ffffff"}).points
    table, low, rate = table_of(points, 0.5)

    # 1 - (1 - 0.25) ** 0.5 at half of the way, 1 - 0.5 ** 0.5 at its end.
    entry = round((50 - low) * rate)
    assert table[entry] == pytest.approx([0.13397, 0.5, 0.5, 0.5], abs=1e-3)
    assert table[-1, 0] == pytest.approx(0.29289, abs=1e-5)
    assert (table[0, 0], rate) == (0, 2047 / 100)


def test_a_grey_without_units_is_judged_by_its_own_range() -> None:
    values, counts = np.array([0, 100, 200, 5000]), np.array([10_000, 500, 500, 1])

    assert own_span(values, counts) == (0, 200)
    assert all(0 <= p.value <= 1 for one in RELATIVE_RENDERINGS for p in one.points)


def test_a_turntable_goes_from_the_front_to_the_patients_left() -> None:
    looks = [direction.round(6).tolist() for direction, _up in turntable(4)]

    # Away from a reader in front, on the left, behind, on the right.
    assert looks == [[0, 1, 0], [-1, 0, 0], [0, -1, 0], [1, 0, 0]]
    assert all(up.round(6).tolist() == [0, 0, 1] for _direction, up in turntable(4))


@pytest.mark.django_db(transaction=True)
def test_views_are_the_right_way_round_and_say_what_they_are(
    store: Store, rada: User, fiona: User, client_of: Callable[[User], Client]
) -> None:
    load_rays()
    series, browser = store(make_slices(marked_left(), spacing_mm=(1, 1))), client_of(rada)
    address = f"/api/v1/series/{series.pk}/view3d"

    def seen(**query: Any) -> tuple[int, int]:
        """Return where the bone is: -1 left, 1 right; -1 up, 1 down."""
        answer = browser.get(
            address, {"mode": "mip", "format": "raw", "columns": 64, "rows": 64, **query}
        )
        assert answer.status_code == 200, answer.content
        about = json.loads(answer["X-Noctis-View3d"])
        values = np.frombuffer(answer.content, "<i2").reshape(about["rows"], about["columns"])
        rows, columns = np.nonzero(values * about["scale"] + about["offset"] > 500)
        return int(np.sign(columns.mean() - 31.5)), int(np.sign(rows.mean() - 31.5))

    assert seen() == (1, -1)  # From in front: L on the right, H up.
    assert seen(direction="0,-1,0", up="0,0,1") == (-1, -1)
    assert seen(direction="-1,0,0", up="0,0,1") == (-1, -1)  # From the left: A on the left.
    assert seen(direction="0,0,1", up="0,-1,0") == (1, -1)  # From the feet, as axial images: A up.

    # The passport does not call these values HU: what is asked in HU is refused, in words.
    offer = browser.get(f"/api/v1/series/{series.pk}/renderings/").json()
    codes = [one["code"] for one in offer["presets"]]
    series.refresh_from_db()
    has_hu = (series.passport or {})["hu"]["verdict"] == "calibrated"
    assert ("bone" in codes, "surface" in codes) == (has_hu, not has_hu)
    other = "surface" if has_hu else "bone"
    refused = browser.get(address, {"preset": other})
    assert (refused.status_code, refused.json()["detail"][:7]) == (400, "preset:")
    assert sum(offer["histogram"]["counts"]) == SIDE**3

    points = "500,0,ff0000;600,1,ff0000"
    png = browser.get(address, {"points": points, "format": "png", "shaded": "false"})
    red = np.asarray(Image.open(io.BytesIO(png.content)))
    assert red.shape == (512, 512, 3)
    assert set(np.unique(red[..., 0])) >= {0, 255}
    assert not red[..., 1:].any()
    same = browser.post(
        address,
        {"points": [[500, 0, "ff0000"], [600, 1, "ff0000"]], "format": "png", "shaded": False},
        content_type="application/json",
    )
    assert same.content == png.content
    assert browser.get(address, {"points": points, "format": "png", "shaded": "false"},
                       headers={"If-None-Match": png["ETag"]}).status_code == 304  # fmt: skip
    for kind in ("jpeg", "webp"):
        picture = browser.get(
            address, {"format": kind, "columns": 40, "rows": 30, "quality": "draft"}
        )
        assert Image.open(io.BytesIO(picture.content)).size == (40, 30)
    assert AuditRow.objects.filter(action="view_study", user=rada).exists()
    assert client_of(fiona).get(address).status_code == 404

    few = store(make_slices(marked_left()[:2]))
    answer = browser.get(f"/api/v1/series/{few.pk}/renderings/")
    assert (answer.status_code, answer.json()["reason_codes"]) == (422, ["too_few_slices"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("views", 0), ("views", 361), ("views", [{"direction": [0, 1, 0]}]), ("views", "all"),
        ("views", [{"direction": [0, 1, 0], "up": [0, 2, 0]}]), ("axis", [0, 0, 0]), ("size", 8),
        ("output", ["avi"]), ("preset", "nice"), ("format", "png"), ("frames_per_second", 0),
    ],
)  # fmt: skip
def test_a_wrong_parameter_of_a_job_is_named(name: str, value: object) -> None:
    with pytest.raises(Exception, match=f"{name}: "):
        kind_volume_rendering.parse({name: value})


@pytest.mark.django_db(transaction=True)
def test_a_job_makes_views_as_dicom_pictures_and_films(
    store: Store, rada: User, tmp_path: Path
) -> None:
    series = store(make_slices(marked_left(), spacing_mm=(1, 1)))
    told: list[float] = []
    work = Work(series=series, person=rada, folder=tmp_path, tell=told.append)
    wanted = kind_volume_rendering.parse(
        {"views": 4, "size": 32, "output": ["dicom", "png", "mp4", "gif"], "mode": "mip",
         "window": [0, 1000]}
    )  # fmt: skip

    kind_volume_rendering.run(work, wanted)

    made = dcmread(work.dicom_paths[0])
    assert made.pixel_array.shape == (4, 32, 32, 3)
    assert made.StudyInstanceUID == series.study.study_instance_uid
    assert made.ImageType[:2] == ["DERIVED", "SECONDARY"]
    # From in front the bone is on the right, from the left, behind and the right on the left, left, right.
    columns = [np.nonzero(one[..., 0] > 128)[1].mean() - 15.5 for one in made.pixel_array]
    assert [bool(column > 0) for column in columns] == [True, False, False, True]
    names = [one.name for one in work.files]
    assert names == ["views.zip", "views.mp4", "views.gif"]
    with zipfile.ZipFile(work.files[0].path) as pictures:
        assert len(pictures.namelist()) == 4
        first = np.asarray(Image.open(io.BytesIO(pictures.read("view-001.png"))))
    assert np.array_equal(first, made.pixel_array[0])
    assert Image.open(work.files[2].path).n_frames == 4  # type: ignore[attr-defined]
    assert told == sorted(told)
    # Four outputs of four views are written after the last view, each telling how far it is.
    assert len(set(told)) >= 4 + 4 * 4
    assert told[-1] > told[-2]
