"""Hanging protocols over HTTP, and the priors that a page offers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.test import Client
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from accounts.models import Facility, Role, User
from archive.models import Series, Study
from tests import factories
from tests.unit.imaging.build import image, written
from tests.unit.viewer.conftest import store
from tests.unit.viewer.test_views import page_of
from viewer.models import HangingProtocol

pytestmark = pytest.mark.django_db(transaction=True)

Log = Callable[[User], Client]
ADDRESS = "/api/v1/hanging-protocols/"
GOLDEN = Path(__file__).resolve().parents[2] / "golden"
LAYOUT = {"rows": 1, "columns": 2, "panes": [{"find": {"modality": "CT"}}, {}]}


def save(client: Client, **also: Any) -> Any:
    body = {"name": "Mine", "rules": {"modality": "CT"}, "layout": LAYOUT, **also}
    return client.post(ADDRESS, body, content_type="application/json")


def hung(client: Client, study: Study) -> dict[str, Any]:
    found: dict[str, Any] = page_of(client.get(f"/viewer/{study.pk}/"))["hanging"]
    return found


def test_a_saved_layout_hangs_the_next_study_of_its_kind_and_nobody_else_s(
    ct_series: Series, rada: User, tess: User, client_of: Log
) -> None:
    client, study = client_of(rada), ct_series.study
    assert hung(client, study)["code"] == "ct"
    made = save(client)
    assert made.status_code == 201
    assert made["ETag"] == '"1"'
    now = hung(client, study)
    assert (now["name"], now["rows"], now["columns"]) == ("Mine", 1, 2)
    assert [pane["series_id"] for pane in now["panes"]] == [str(ct_series.pk), ""]
    assert hung(client_of(tess), study)["code"] == "ct"
    assert client_of(tess).get(f"{ADDRESS}{made.json()['id']}/").status_code == 404
    address = f"/api/v1/studies/{study.pk}/hanging/"
    assert client.get(address, {"protocol": "standard"}).json()["code"] == "ct"


def test_a_saved_layout_keeps_planes_slabs_and_bodies_and_refuses_what_there_is_not(
    ct_series: Series, rada: User, client_of: Log
) -> None:
    client = client_of(rada)
    slab = {"mode": "mip", "thickness_mm": 12.5}
    panes: list[dict[str, Any]] = [
        {"find": {"modality": "CT"}, "shows": "plane", "plane": "coronal", "slab": slab},
        {"find": {"modality": "CT"}, "shows": "volume", "body": {"preset": "bone"}},
    ]
    assert save(client, layout={**LAYOUT, "panes": panes}).status_code == 201
    shown = hung(client, ct_series.study)["panes"]
    for pane, wanted in zip(shown, panes, strict=True):
        assert pane["series_id"] == str(ct_series.pk)
        assert {name: pane[name] for name in wanted if name != "find"} == {
            name: wanted[name] for name in wanted if name != "find"
        }
    refusals: list[dict[str, object]] = [
        {"shows": "x"}, {"plane": "oblique"}, {"slab": {"mode": "mip"}},
        {"slab": {"mode": "mip", "thickness_mm": 900}}, {"body": {}},
    ]  # fmt: skip
    for wrong in refusals:
        refused = save(client, name="Wrong", layout={**LAYOUT, "panes": [wrong]})
        assert refused.status_code == 400, wrong


def test_the_layout_with_more_rules_wins_and_one_s_own_goes_before_the_facility_s(
    ct_series: Series, rada: User, north: Facility, client_of: Log
) -> None:
    boss = factories.make_user("boss", Role.FACILITY_ADMIN, [north], is_staff=True)
    shared = {"modality": "CT", "description": "e+1"}
    assert save(client_of(boss), name="House", facility=north.code, rules=shared).status_code == 201
    client, study = client_of(rada), ct_series.study
    assert hung(client, study)["name"] == "House"
    save(client, name="General")
    assert hung(client, study)["name"] == "General"
    save(client, name="Exact", rules=shared)
    assert hung(client, study)["name"] == "Exact"
    assert save(client, facility=north.code).status_code == 403


def test_a_page_offers_to_save_for_the_facility_to_its_administrators_alone(
    ct_series: Series, rada: User, north: Facility, client_of: Log
) -> None:
    address = f"/viewer/{ct_series.study.pk}/"
    boss = factories.make_user("boss", Role.FACILITY_ADMIN, [north], is_staff=True)
    assert page_of(client_of(rada).get(address))["person"]["may_keep_for"] == {}
    offered = page_of(client_of(boss).get(address))["person"]["may_keep_for"]
    assert offered == {"code": north.code, "name": north.name}
    rules = {"modality": "CT", "laterality": "L", "view": "AP", "description": "e+1"}
    assert save(client_of(boss), facility=offered["code"], rules=rules).status_code == 201


def code(value: str) -> Dataset:
    made = Dataset()
    made.CodeValue, made.CodingSchemeDesignator, made.CodeMeaning = value, "SCT", "as in PS3.16"
    return made


def one(**values: Any) -> Sequence:
    made = Dataset()
    for name, value in values.items():
        setattr(made, name, value)
    return Sequence([made])


def tomosynthesis(number: int, side: str, view: str) -> Dataset:
    """Return a Breast Tomosynthesis object (PS3.3 A.55) of three slices, the last one first.

    Side and view stand where its modules have them: in Frame Anatomy and View Code Sequence.
    """
    made = image(np.zeros((3, 8, 6), np.uint16), Modality="MG", SeriesNumber=number)
    made.SOPClassUID = "1.2.840.10008.5.1.4.1.1.13.1.3"
    made.StudyInstanceUID, made.SeriesInstanceUID = "1.2.3.550", f"1.2.3.550.{number}"
    made.SOPInstanceUID, made.FrameOfReferenceUID = f"1.2.3.550.{number}.1", "1.2.3.550.9"
    made.ViewCodeSequence = Sequence([code(view)])
    forward = -1.0 if side == "L" else 1.0
    shared = Dataset()
    shared.PixelMeasuresSequence = one(PixelSpacing=[0.1, 0.1], SliceThickness=1)
    shared.PlaneOrientationSequence = one(
        ImageOrientationPatient=[0.0, forward, 0.0, forward, 0.0, 0.0]
    )
    shared.FrameAnatomySequence = one(FrameLaterality=side)
    made.SharedFunctionalGroupsSequence = Sequence([shared])
    frames = []
    for frame in range(3):
        group = Dataset()
        group.PlanePositionSequence = one(ImagePositionPatient=[10.0, 20.0, 2.0 - frame])
        frames.append(group)
    made.PerFrameFunctionalGroupsSequence = Sequence(frames)
    return made


def test_tomosynthesis_hangs_like_mammograms_each_view_a_stack_by_place(
    rada: User, north: Facility, client_of: Log
) -> None:
    views = (("L", "399368009"), ("R", "399368009"), ("L", "399162004"), ("R", "399162004"))
    for number, (side, view) in enumerate(views, start=1):
        instance = store(written(tomosynthesis(number, side, view)), north)
    client = client_of(rada)
    now = hung(client, instance.study)
    sides = [Series.objects.get(pk=pane["series_id"]).series_number for pane in now["panes"]]
    assert sides == [4, 3, 2, 1]  # RCC, LCC, RMLO, LMLO
    stack = client.get(f"/api/v1/series/{now['panes'][0]['series_id']}/stack/").json()
    assert stack["shared"]["frame_laterality"] == "R"
    assert stack["shared"]["image_orientation_patient"] == [0, 1, 0, 1, 0, 0]
    heights = [one["image_position_patient"][2] for one in stack["images"]]
    assert sorted(heights) == [0, 1, 2]
    assert heights in ([0, 1, 2], [2, 1, 0])


def test_a_change_names_the_version_that_was_seen(rada: User, client_of: Log) -> None:
    client = client_of(rada)
    one = f"{ADDRESS}{save(client).json()['id']}/"
    change = {"version": 1, "name": "Renamed"}
    changed = client.patch(one, change, content_type="application/json")
    assert (changed.json()["name"], changed["ETag"]) == ("Renamed", '"2"')
    assert client.patch(one, change, content_type="application/json").status_code == 409
    assert client.delete(f"{one}?version=1").status_code == 409
    assert client.delete(f"{one}?version=2").status_code == 204
    assert client.get(one).status_code == 404


def test_layouts_saved_in_the_first_form_still_hang_and_can_be_changed(
    ct_series: Series, rada: User, client_of: Log
) -> None:
    client = client_of(rada)
    for row in json.loads((GOLDEN / "hanging_version_1.json").read_text()):
        kept = HangingProtocol.objects.create(owner=rada, **row)
        loaded = client.get(f"{ADDRESS}{kept.pk}/").json()
        assert {name: loaded[name] for name in row} == row
        # All that was understood then is taken now, too.
        body = {"version": row["version"], "rules": row["rules"], "layout": row["layout"]}
        again = client.patch(f"{ADDRESS}{kept.pk}/", body, content_type="application/json")
        assert again.status_code == 200, again.content
    now = hung(client, ct_series.study)
    assert (now["name"], now["rows"], now["columns"]) == ("CT CHEST", 1, 3)
    assert [pane["series_id"] for pane in now["panes"]] == ["", str(ct_series.pk), ""]
    assert now["links"]["lines"] is True


@pytest.mark.parametrize(
    "wrong",
    [
        {"layout": {"rows": 6, "columns": 1, "panes": []}},
        {"layout": {"rows": 1, "columns": 1, "panes": [{}, {}]}},
        {"layout": {**LAYOUT, "panes": [{"find": {"sql": "x"}}]}},
        {"rules": {"body_part": "CHEST"}},
        {"rules": {"modality": "CT", "priors": -1}},
    ],
)
def test_what_cannot_be_hung_is_refused(wrong: dict[str, Any], rada: User, client_of: Log) -> None:
    assert save(client_of(rada), **wrong).status_code == 400


def make_study(facility: Facility, number: int, **also: Any) -> Study:
    uids = {"StudyInstanceUID": f"1.2.3.{number}", "SeriesInstanceUID": f"1.2.3.{number}.1"}
    dataset = factories.read_bundled("CT_small.dcm", SOPInstanceUID=f"1.2.3.{number}.1.1", **uids)
    for name, value in also.items():
        setattr(dataset, name, value)
    return store(factories.as_part10(dataset), facility).study


def test_priors_are_the_patient_s_own_the_most_fitting_first(
    ct_series: Series, rada: User, north: Facility, south: Facility, client_of: Log
) -> None:
    date = "20040119"
    assert f"{ct_series.study.study_date:%Y%m%d}" == date
    head = make_study(north, 1, StudyDate="20031201", BodyPartExamined="HEAD")
    same = make_study(north, 2, StudyDate="20020101")
    later = make_study(north, 3, StudyDate="20050101")
    make_study(south, 4, StudyDate="20030101")
    make_study(north, 5, StudyDate="20030101", PatientID="SOMEBODY-ELSE")
    page = page_of(client_of(rada).get(f"/viewer/{ct_series.study_id}/"))
    assert [one["id"] for one in page["priors"]] == [str(one.pk) for one in (head, same, later)]
    assert [one["is_later"] for one in page["priors"]] == [False, False, True]
    series = client_of(rada).get(page["priors"][0]["series_url"]).json()["series"]
    assert series[0]["study_id"] == str(head.pk)


def test_a_layout_for_comparison_brings_the_prior_s_series_along(
    ct_series: Series, rada: User, north: Facility, client_of: Log
) -> None:
    client = client_of(rada)
    panes = [{"find": {"modality": "CT"}}, {"find": {"modality": "CT", "prior": 1}}]
    save(client, rules={"modality": "CT", "priors": 1}, layout={**LAYOUT, "panes": panes})
    assert hung(client, ct_series.study)["code"] == "ct"
    old = make_study(north, 2, StudyDate="20020101")
    page = page_of(client.get(f"/viewer/{ct_series.study_id}/"))
    theirs = old.series_set.get()
    assert [one["series_id"] for one in page["hanging"]["panes"]] == [
        str(ct_series.pk),
        str(theirs.pk),
    ]
    assert [one["study_id"] for one in page["series"]] == [str(ct_series.study_id), str(old.pk)]
    assert page["active_series"] == str(ct_series.pk)


def test_the_picture_that_is_hung_first_is_on_its_way_first(
    rada: User, north: Facility, client_of: Log
) -> None:
    for number, view in ((1, "LL"), (2, "PA")):
        dataset = factories.read_bundled("CT_small.dcm", SOPInstanceUID=f"1.2.9.1.{number}")
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.9", "1.2.9.1"
        dataset.Modality, dataset.ViewPosition, dataset.InstanceNumber = "DX", view, number
        stored = store(factories.as_part10(dataset), north)
    response = client_of(rada).get(f"/viewer/{stored.study_id}/")
    assert page_of(response)["hanging"]["code"] == "two-views"
    assert page_of(response)["hanging"]["panes"][0]["instance_id"] == str(stored.pk)
    place = [one["instance_id"] for one in page_of(response)["stack"]["images"]].index(
        str(stored.pk)
    )
    assert place == 1, "or the test would prove nothing"
    html = response.content.decode()
    assert f'&amp;images={place}"' in html.replace("&amp;amp;", "&amp;")
    assert f'data-image="{stored.pk}/0"' in html
