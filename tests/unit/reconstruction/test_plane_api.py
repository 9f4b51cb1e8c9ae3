"""The addresses of planes and volumes: what is asked wrongly, by whom, and what comes back."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
from django.test import Client
from PIL import Image
from pydicom import Dataset

from accounts.models import AuditRow, User
from archive.models import Instance, Series
from reconstruction.compiled import load_kernels
from reconstruction.plane_form import parse_plane
from tests.unit.reconstruction.conftest import index_volume, make_slices

Store = Callable[[Iterable[Dataset]], Series]
MIDDLE = f"{-20 + 4.5 * 0.5},{30 + 5.5 * 0.75},1"
AXIAL = {
    "center": MIDDLE, "normal": "0,0,1", "up": "0,-1,0", "width_mm": "5", "height_mm": "9",
    "columns": "10", "rows": "12",
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("center", None), ("center", "1,2"), ("center", "1,2,nan"), ("center", "1,2,1e9"),
        ("center", "1,2,inf"), ("center", "1,2,3,4"), ("normal", "0,0,0"), ("normal", "a,b,c"),
        ("up", "0,0,-2"), ("up", "0,0,0"), ("width_mm", None), ("width_mm", "0"),
        ("width_mm", "-5"), ("height_mm", "1e9"), ("height_mm", "nan"), ("columns", "0"),
        ("columns", "2049"), ("rows", "1.5"), ("rows", "١"), ("thickness_mm", "-1"),
        ("thickness_mm", "5000"), ("mode", "max"), ("format", "bmp"), ("window", "40"),
        ("window", "40,0"), ("preset", "nice"), ("time_point", "-1"), ("zoom", "2"),
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_named(name: str, value: str | None) -> None:
    query = {**AXIAL, name: value}

    with pytest.raises(Exception, match=f"{name}: ") as refused:
        parse_plane({key: text for key, text in query.items() if text is not None})

    assert refused.value.status_code == 400  # type: ignore[attr-defined]


@pytest.mark.django_db(transaction=True)
def test_pictures_documents_and_refusals(
    store: Store, rada: User, fiona: User, client_of: Callable[[User], Client]
) -> None:
    load_kernels()
    slices = make_slices(index_volume(), BodyPartExamined="HEAD")
    series, browser = store(slices), client_of(rada)
    address, about = f"/api/v1/series/{series.pk}/plane", f"/api/v1/series/{series.pk}/volume/"
    voxels = index_volume()[3]

    assert browser.get(about).json() == {
        "state": "absent", "progress": 0.0, "reasons": [], "reason_codes": [],
    }  # fmt: skip
    planned = browser.get(about, {"frames": "1"}).json()
    uids = dict(Instance.objects.values_list("pk", "sop_instance_uid"))
    named = [(uids[uuid.UUID(key)], frame) for key, frame in planned["frames"]]
    # The lowest slice was stored last.
    assert named == [(one.SOPInstanceUID, 0) for one in slices[::-1]]
    assert planned["middle"] == planned["frames"][3]
    assert (planned["state"], planned["shape"], planned["holes"]) == ("absent", [7, 12, 10], [])
    assert planned["lps_from_ijk"][1] == [0, 0.75, 0, 30]
    assert browser.get(about, {"frames": "1", "time_point": "1"}).status_code == 422
    raw = browser.get(address, AXIAL)
    assert np.array_equal(np.frombuffer(raw.content, "<i2").reshape(12, 10), voxels)
    assert "private" in raw["Cache-Control"]
    assert browser.get(address, AXIAL, headers={"If-None-Match": raw["ETag"]}).status_code == 304
    assert AuditRow.objects.filter(action="view_study", user=rada).exists()

    # PS3.3 C.11.2.1.2.1 by hand, for a centre of 2,000 and a width of 2,000.
    png = browser.get(address, {**AXIAL, "format": "png", "window": "2000,2000"})
    grey = np.clip(((voxels - 1999.5) / 1999 + 0.5) * 255, 0, 255)
    assert png["Content-Type"] == "image/png"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png.content))), np.floor(grey + 0.5))
    by_name = browser.get(address, {**AXIAL, "format": "png", "preset": "bone"})
    by_number = browser.get(address, {**AXIAL, "format": "png", "window": "500,2000"})
    assert by_name.content == by_number.content
    jpeg = browser.get(address, {**AXIAL, "format": "jpeg"})
    assert Image.open(io.BytesIO(jpeg.content)).size == (10, 12)
    wrong = browser.get(address, {**AXIAL, "format": "png", "preset": "suv5"})
    assert (wrong.status_code, wrong.json()["detail"][:7]) == (400, "preset:")

    told = browser.get(address, {**AXIAL, "format": "json"}).json()
    assert told == json.loads(raw["X-Noctis-Plane"])
    thick = browser.get(address, {**AXIAL, "mode": "mip", "thickness_mm": "1000", "columns": "2048",
                                  "rows": "2048"})  # fmt: skip
    assert (thick.status_code, "thickness_mm" in thick.json()["detail"]) == (400, True)
    volume: dict[str, Any] = browser.get(about).json()
    assert (volume["state"], volume["shape"], volume["size_bytes"]) == ("ready", [7, 12, 10], 1680)
    assert volume["lps_from_ijk"][2] == [0, 0, 2, -5]
    assert client_of(fiona).get(address, AXIAL).status_code == 404

    few = store(make_slices(index_volume())[:2])
    refused = browser.get(f"/api/v1/series/{few.pk}/plane", AXIAL)
    assert (refused.status_code, refused.json()["code"]) == (422, "not_a_volume")
    assert refused.json()["reason_codes"] == ["too_few_slices"]
    assert refused.json()["reasons"] == ["There are fewer than three slices."]
    assert browser.get(f"/api/v1/series/{few.pk}/volume/").json()["state"] == "refused"
