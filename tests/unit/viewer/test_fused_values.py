"""A region on a CT says what the PET of the same frame of reference holds there."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.test import Client
from PIL import Image

from accounts.models import Facility, User
from archive.ingest import Source, ingest_file
from archive.models import Instance, Series, Study
from archive.passport import make_passport
from archive.pet_phantom import PetShape, build_pet_ct, build_suv, spheres_of, turned
from archive.phantom import PhantomShape
from imaging.errors import UnsupportedError
from imaging.measure_plane import Plane
from reconstruction.compiled import load_kernels
from reconstruction.volumes import open_volume
from tests import factories
from viewer.fused_values import measure_other

CT = PhantomShape(rows=64, columns=64, slices=9, spacing_mm=(3.0, 3.0), thickness_mm=5.0)
# Turned about the patient's length, mirrored, other voxels than the CT's and not cubes.
ROW, COLUMN = turned(20.0, 2)
PET = PetShape(
    rows=40, columns=48, slices=17, spacing_mm=(5.0, 4.0, 4.0),
    row=(-ROW[0], -ROW[1], -ROW[2]), column=COLUMN,
)  # fmt: skip


def store_pair(facility: Facility, **of_pet: Any) -> Study:
    for dataset in build_pet_ct(CT, PET):
        if dataset.Modality == "PT":
            for name, value in of_pet.items():
                setattr(dataset, name, value)
        source = Source(door="test", sender="TEST", facility_id=facility.pk)
        ingest_file(source, io.BytesIO(factories.as_part10(dataset)))
    for series in Series.objects.all():
        make_passport(series.pk)
    return Study.objects.get()


@pytest.mark.django_db(transaction=True)
def test_a_region_on_the_ct_tells_hu_and_uptake(
    north: Facility, rada: User, client_of: Callable[[User], Client]
) -> None:
    store_pair(north)
    ct, pet = Series.objects.get(modality="CT"), Series.objects.get(modality="PT")
    browser = client_of(rada)
    # Built before, so that no answer waits for it.
    load_kernels()
    open_volume(pet)
    sphere = spheres_of(CT)[0]
    middle = Instance.objects.get(series=ct, instance_number=5)
    x, y, _z = sphere.centre_mm

    def post(**also: Any) -> Any:
        body = {
            "sop_instance_uid": middle.sop_instance_uid, "kind": "circle",
            "points_lps_mm": [[x, y, 0.0], [x + 6.1, y, 0.0]], "other": str(pet.pk), **also,
        }  # fmt: skip
        return browser.post("/api/v1/measurements/", json.dumps(body), "application/json")

    made = post().json()
    found = made["statistics"]
    # The CT holds bone there, 1,000 HU, and the PET a ball of 8.0 g/ml wider than the circle.
    assert (found["mean"], found["unit"]) == (1000.0, "HU")
    other = found["other"]
    assert (other["unit"], other["series"], other["modality"]) == ("SUVbw", str(pet.pk), "PT")
    assert other["time_point"] == 0
    assert other["count"] == found["count"] > 10
    assert other["mean"] == pytest.approx(8.0, abs=2e-3)
    assert other["max"] == pytest.approx(8.0, abs=2e-3)
    # By hand for 75 kg and 1.80 m: 59.52483 kg lean, of 75.
    assert other["suv_kinds"]["lbm"] == pytest.approx(59.52483 / 75, rel=1e-6)

    address = f"/api/v1/measurements/{made['id']}/"
    far = [[x, y + 30, 0.0], [x + 6.1, y + 30, 0.0]]
    moved = browser.patch(
        address, json.dumps({"version": 1, "points_lps_mm": far}), "application/json"
    )
    assert moved.json()["statistics"]["other"]["mean"] == pytest.approx(1.0, abs=2e-3)
    alone = browser.patch(address, json.dumps({"version": 2, "other": None}), "application/json")
    assert "other" not in alone.json()["statistics"]

    peak = browser.get(f"/api/v1/series/{pet.pk}/peak").json()
    hottest = spheres_of(CT)[2]
    assert (peak["unit"], peak["max"]["value"]) == ("SUVbw", pytest.approx(12.0, abs=2e-3))
    offset = np.array(peak["max"]["lps_mm"]) - np.array(hottest.centre_mm)
    assert np.linalg.norm(offset) <= hottest.radius_mm
    query = {"center": f"{x},{y},0", "radius_mm": "5"}
    near = browser.get(f"/api/v1/series/{pet.pk}/peak", query).json()
    # The whole millilitre lies in the ball of 8.0 g/ml.
    assert near["peak"]["value"] == pytest.approx(8.0, abs=2e-3)
    wrong = browser.get(f"/api/v1/series/{pet.pk}/peak", {"radius_mm": "5"})
    assert (wrong.status_code, wrong.json()["detail"][:7]) == (400, "center:")

    unknown = post(other="00000000-0000-4000-8000-000000000000")
    assert (unknown.status_code, list(unknown.json()["errors"])) == (400, ["other"])


@pytest.mark.django_db(transaction=True)
def test_an_exported_picture_carries_what_lies_over_it(
    north: Facility, rada: User, client_of: Callable[[User], Client]
) -> None:
    store_pair(north)
    ct, pet = Series.objects.get(modality="CT"), Series.objects.get(modality="PT")
    browser = client_of(rada)
    load_kernels()
    open_volume(pet)
    middle = Instance.objects.get(series=ct, instance_number=5)
    factor = (pet.passport or {})["suv"]["suvbw_factor"]

    def ask(**also: Any) -> Any:
        body = {"images": [{"instance": str(middle.pk)}], "format": "png", "marks": False, **also}
        return browser.post("/api/v1/exports/", json.dumps(body), "application/json")

    def draw(**also: Any) -> np.ndarray:
        made = ask(**also)
        assert made.status_code == 201, made.content
        answer: Any = browser.get(made.json()["url"])
        picture = Image.open(io.BytesIO(answer.content))
        return np.asarray(picture.convert("RGB")).astype(int)

    over = {"series": str(pet.pk), "colormap": "hot_iron", "opacity": 0.7, "see_through": True,
            "low": 0.0, "high": 10.0 / factor}  # fmt: skip
    bare, fused = draw(), draw(fusion=over)
    assert bare.shape == fused.shape == (64, 64, 3)
    plane = Plane.from_image_facts(middle.image)
    ball = spheres_of(CT)[0]
    column, row = np.rint(plane.px_from_lps(np.array([ball.centre_mm]))[0]).astype(int)
    # SUV 8 of 10 is place 204 of 255: 12/63 of the way from (255, 128, 0) to white.
    colour = np.array([255, round(128 + 127 * 12 / 63), round(255 * 12 / 63)])
    below = bare[row, column]
    assert np.abs(fused[row, column] - (below + (colour - below) * 0.7)).max() <= 1
    see = {**over, "opacity": 0.0}
    assert (draw(fusion=see) == bare).all()
    assert (np.abs(fused - bare).max(axis=2) > 0).any()
    assert ask(fusion={**over, "series": str(ct.study_id)}).status_code == 422
    assert ask(fusion={**over, "high": -1.0}).status_code == 400
    assert ask(fusion={**over, "colormap": "pink"}).status_code == 400


@pytest.mark.django_db(transaction=True)
def test_series_of_different_frames_of_reference_are_refused(
    north: Facility, rada: User, client_of: Callable[[User], Client]
) -> None:
    store_pair(north, FrameOfReferenceUID="1.2.3.4")
    pet = Series.objects.get(modality="PT")
    first = Instance.objects.filter(series__modality="CT").first()
    assert first is not None
    body = {
        "sop_instance_uid": first.sop_instance_uid, "kind": "circle",
        "points_px": [[30, 30], [34, 30]], "other": str(pet.pk),
    }  # fmt: skip
    refused = client_of(rada).post("/api/v1/measurements/", json.dumps(body), "application/json")
    assert refused.status_code == 400
    words = "The two series have no common frame of reference."
    assert refused.json()["errors"]["other"] == [words]


def test_a_picture_that_is_not_overlaid_is_not_cut_for_numbers_either() -> None:
    plane = Plane(
        spacing=(1.0, 1.0), origin=(0.0, 0.0, 0.0),
        row_direction=(1.0, 0.0, 0.0), column_direction=(0.0, 1.0, 0.0),
    )  # fmt: skip
    huge = Instance(rows=60_000, columns=60_000, image={})
    with pytest.raises(UnsupportedError):
        measure_other(huge, plane, "probe", [[1.0, 1.0]], uuid.uuid4())


def test_the_phantom_holds_its_uptake_where_it_says() -> None:
    sphere = spheres_of(CT)[0]
    k = PET.slices // 2
    offset = np.array(sphere.centre_mm) - np.array(PET.position_lps(k))
    i = round(float(offset @ np.array(PET.row)) / PET.spacing_mm[1])
    j = round(float(offset @ np.array(PET.column)) / PET.spacing_mm[0])
    assert build_suv(CT, PET, k)[j, i] == 8.0
