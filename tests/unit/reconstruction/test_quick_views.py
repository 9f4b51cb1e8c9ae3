"""A quick look at a volume: three planes in the patient's proportions, and where they lie."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable

import numpy as np
import pytest
from django.test import Client
from PIL import Image
from pydicom import Dataset

from accounts.models import AuditRow, User
from archive.models import Series
from reconstruction.compiled import load_kernels
from tests.unit.reconstruction.conftest import SHAPE, index_volume, make_slices

Store = Callable[[Iterable[Dataset]], Series]
# Half a voxel beyond the centres of the first and the last, of the phantom in conftest.
LOW = np.array([-20.25, 29.625, -6.0])
HIGH = np.array([-15.25, 38.625, 8.0])


def _value(place: np.ndarray) -> np.ndarray:
    """Return what the phantom has at a place: it is linear in all directions."""
    x, y, z = np.moveaxis(place, -1, 0)
    values: np.ndarray = 1000 * (z + 5) / 2 + 40 * (y - 30) / 0.75 + 3 * (x + 20) / 0.5 - 1000
    return values


@pytest.mark.django_db(transaction=True)
def test_three_planes_lie_where_the_document_says_in_true_proportions(
    store: Store, rada: User, fiona: User, client_of: Callable[[User], Client]
) -> None:
    load_kernels()
    series = store(make_slices(index_volume(), BodyPartExamined="HEAD"))
    browser, address = client_of(rada), f"/api/v1/series/{series.pk}/views"
    asked = {"at": "-18,33,2", "window": "2000,8000"}
    about = browser.get(f"{address}.json", asked).json()
    answer = browser.get(f"{address}.png", asked)
    assert answer["Content-Type"] == "image/png"
    whole = np.asarray(Image.open(io.BytesIO(answer.content)))
    assert whole.shape == (about["rows"], about["columns"])
    assert about["picture_url"].startswith(f"{address}.png?at=")

    assert [one["name"] for one in about["views"]] == ["axial", "coronal", "sagittal"]
    assert [one["letters"] for one in about["views"]] == [
        {"left": "R", "right": "L", "top": "A", "bottom": "P"},
        {"left": "R", "right": "L", "top": "H", "bottom": "F"},
        {"left": "A", "right": "P", "top": "H", "bottom": "F"},
    ]
    # 5 x 9 x 14 mm in pixels of the finest voxel spacing, half a millimetre.
    sizes = [(one["columns"], one["rows"]) for one in about["views"]]
    assert sizes == [(10, 18), (10, 28), (18, 28)]
    for view in about["views"]:
        rows, columns = view["rows"], view["columns"]
        part = whole[:rows, view["left"] : view["left"] + columns]
        row, column = np.indices((rows, columns))[..., None] * 0.5
        places = (
            np.array(view["origin"])
            + column * np.array(view["row_direction"])
            + row * np.array(view["column_direction"])
        )
        at_column, at_row = view["at_px"]
        point = (
            np.array(view["origin"])
            + at_column * 0.5 * np.array(view["row_direction"])
            + at_row * 0.5 * np.array(view["column_direction"])
        )
        assert point == pytest.approx([-18, 33, 2])
        # Within half a voxel of the edge the nearest voxel stands.
        half = np.array([0.25, 0.375, 1.0])
        values = _value(np.clip(places, LOW + half, HIGH - half))
        grey = np.clip(((values - 1999.5) / 7999 + 0.5) * 255, 0, 255)
        assert np.abs(part - grey).max() <= 1

    same = browser.get(f"{address}.png", asked, headers={"if-none-match": answer["ETag"]})
    assert same.status_code == 304
    small = browser.get(f"{address}.json", {"size": "16"}).json()
    assert max(max(one["columns"], one["rows"]) for one in small["views"]) == 16
    assert small["at"] == pytest.approx(((LOW + HIGH) / 2).tolist())
    for wrong in ({"at": "1,2"}, {"at": "0,0,0"}, {"size": "9"}, {"window": "1"}, {"x": "1"}):
        assert browser.get(f"{address}.png", wrong).status_code == 400
    assert client_of(fiona).get(f"{address}.png").status_code == 404
    assert AuditRow.objects.filter(action="view_study").exists()
    assert SHAPE == (7, 12, 10)
