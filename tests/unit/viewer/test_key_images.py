"""Key images as reports take them: in the order of the screen, with what is marked on them."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from django.test import Client
from PIL import Image

from accounts.models import User
from archive.models import Instance, Series
from tests.unit.viewer.test_measurements import send

pytestmark = pytest.mark.django_db

Log = Callable[[User], Client]


def test_key_images_come_in_the_order_of_the_screen_with_their_marks(
    ct_series: Series, rada: User, client_of: Log
) -> None:
    client = client_of(rada)
    # Instance numbers run against the slices' order: the screen shows the lowest slice first.
    for slice_number in (4, 1, 3):
        body = {"sop_instance_uid": f"1.2.3.4.{slice_number + 1}", "note": f"slice {slice_number}"}
        assert send(client, "post", "/api/v1/key-images/", body).status_code == 201
    line = {"sop_instance_uid": "1.2.3.4.2", "kind": "length", "points_px": [[20, 64], [100, 64]]}
    assert send(client, "post", "/api/v1/measurements/", line).status_code == 201

    listed = client.get(f"/api/v1/studies/{ct_series.study_id}/key-images/").json()["key_images"]
    shown = [one["note"] for one in listed]
    assert shown in (["slice 1", "slice 3", "slice 4"], ["slice 4", "slice 3", "slice 1"])
    instance = Instance.objects.get(sop_instance_uid="1.2.3.4.2")
    (first,) = [one for one in listed if one["note"] == "slice 1"]
    assert (first["instance"], first["frame"]) == (str(instance.pk), 0)

    def read(query: str) -> np.ndarray:
        answer = client.get(f"{first['picture_url']}{query}")
        assert (answer.status_code, answer["Content-Type"]) == (200, "image/png")
        return np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB"), np.int16)

    marked, bare = read(""), read("?marks=0")
    # A bare slice is one grey; the line is drawn in the middle row, in a colour.
    assert (bare.shape, len(np.unique(bare))) == ((128, 128, 3), 1)
    middle, step = marked.shape[0] // 2, marked.shape[1] // 128
    row = marked[middle - 2 * step : middle + 3 * step, 30 * step : 60 * step]
    assert np.ptp(row, axis=-1).max() > 50
    assert client.get(f"{first['picture_url']}?longest_px=5").status_code == 400
