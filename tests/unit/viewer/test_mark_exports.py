"""Marks as DICOM objects: valid by dciodvfy, read back by others, stored beside their images."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from django.test import Client
from highdicom import sr
from pydicom.uid import (
    ColorSoftcopyPresentationStateStorage,
    Comprehensive3DSRStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    KeyObjectSelectionDocumentStorage,
    UltrasoundMultiFrameImageStorage,
)

from accounts.models import AuditRow, Facility, User
from archive import storage
from archive.models import Instance
from tests import factories
from tests.unit.imaging import build as built
from tests.unit.viewer.conftest import store
from tests.unit.viewer.test_measurements import make_image, send, wish

pytestmark = pytest.mark.django_db

Log = Callable[[User], Client]
PLACE = {"sop_instance_uid": "1.2.3.4.1"}
MEASURED: list[tuple[str, Any]] = [
    ("length", [[10, 10], [22, 18]]),
    ("polyline", [[0, 0], [4, 0], [4, 2]]),
    ("angle", [[8, 0], [0, 0], [0, 4]]),
    ("cobb", [[0, 0], [10, 0], [0, 10], [10, 20]]),
    ("bidirectional", [[20, 40], [60, 40], [40, 38], [40, 42]]),
    ("cardiothoracic", [[20, 40], [60, 40], [10, 50], [90, 50]]),
    ("rectangle", [[9.5, 9.5], [13.5, 12.5]]),
    ("ellipse", [[20, 20], [40, 30]]),
    ("circle", [[60, 60], [68, 60]]),
    ("polygon", [[50, 50], [60, 50], [55, 58]]),
    ("probe", [[40.4, 20.4]]),
]
DRAWN: list[tuple[str, Any, dict[str, Any]]] = [
    ("arrow", [[5, 6], [50, 60]], {"label": "see"}),
    ("text", [[5, 6], [30, 30]], {"text": "Läsion\nin S2"}),
    ("spine_label", [[64, 30]], {"text": "L4"}),
    ("freehand", [[1, 1], [2, 3], [5, 4]], {"style": {"colour": "#ff0000"}}),
    ("circle", [[30, 30], [34, 30]], {"layer": "lung"}),
]


@pytest.fixture
def image(north: Facility) -> Instance:
    return make_image(north)


def mark_up(client: Client, image: Instance) -> dict[str, dict[str, Any]]:
    """Draw one mark of each kind; returns the measurements by kind."""
    made = {}
    for kind, points in MEASURED:
        body = wish(kind=kind, points_px=points, label=f"a {kind}")
        if kind == "ellipse":
            finding = {"value": "27925004", "scheme": "SCT", "meaning": "Nodule"}
            body["finding"] = finding
        answer = send(client, "post", "/api/v1/measurements/", body)
        assert answer.status_code == 201, answer.content
        made[kind] = answer.json()
    layer = {"study": str(image.study_id), "name": "lung", "colour": "#00ff00", "position": 3}
    assert send(client, "post", "/api/v1/mark-layers/", layer).status_code == 201
    for kind, points, words in DRAWN:
        body = {**PLACE, "kind": kind, "points_px": points, **words}
        assert send(client, "post", "/api/v1/annotations/", body).status_code == 201
    note = {**PLACE, "note": "the nodule"}
    assert send(client, "post", "/api/v1/key-images/", note).status_code == 201
    return made


def export(client: Client, image: Instance, **body: Any) -> list[pydicom.Dataset]:
    """Store the objects and return them as they lie in the archive."""
    url = f"/api/v1/studies/{image.study_id}/mark-exports/"
    answer = send(client, "post", url, body)
    assert answer.status_code == 201, answer.content
    assert answer.json()["left_out"] == []
    stored: list[pydicom.Dataset] = []
    for one in answer.json()["objects"]:
        instance = Instance.objects.get(pk=one["instance"])
        assert instance.study_id == image.study_id
        assert instance.series_id != image.series_id
        stored.append(pydicom.dcmread(storage.path_of(instance.storage_key)))
    return stored


def check(tmp_path: Path, dataset: pydicom.Dataset) -> None:
    """Ask dciodvfy and DCMTK, where they are, whether they find an error."""
    path = tmp_path / "made.dcm"
    dataset.save_as(path)
    reader = "dcmpschk" if "PresentationCreationDate" in dataset else "dsrdump"
    for program in ("dciodvfy", reader):
        if shutil.which(program) is None:
            continue
        done = subprocess.run([program, str(path)], check=False, capture_output=True, text=True)
        said = done.stdout + done.stderr
        errors = [line for line in said.splitlines() if line.lower().startswith(("error", "e:"))]
        assert errors == [], f"{program}: {said}"


# --- reports --------------------------------------------------------------------------
def test_a_report_holds_every_number_with_its_place_and_origin(
    image: Instance, rada: User, client_of: Log, tmp_path: Path
) -> None:
    client = client_of(rada)
    made = mark_up(client, image)
    (report,) = export(client, image, forms=["report"])
    check(tmp_path, report)

    assert report.SOPClassUID == Comprehensive3DSRStorage
    assert report.StudyInstanceUID == "1.2.3.100"
    read = sr.srread(storage.path_of(Instance.objects.get(
        sop_instance_uid=report.SOPInstanceUID).storage_key))  # fmt: skip
    content: Any = read.content
    groups = [
        *content.get_planar_roi_measurement_groups(),
        *content.get_image_measurement_groups(),
    ]
    by_label = {str(group.tracking_identifier): group for group in groups}
    assert set(by_label) == {f"a {kind}" for kind in made}
    for kind, row in made.items():
        numbers = by_label[f"a {kind}"].get_measurements()
        assert numbers[0].value == pytest.approx(row["value"], rel=1e-6), kind
        assert by_label[f"a {kind}"].tracking_uid.startswith("2.25."), kind
    units = {kind: by_label[f"a {kind}"].get_measurements()[0].unit.value for kind in made}
    assert units["length"] == "mm"
    assert units["rectangle"] == "mm2"
    assert units["cobb"] == "deg"
    assert units["probe"] == "[hnsf'U]"
    ellipse = by_label["a ellipse"]
    assert ellipse.finding_type == sr.CodedConcept("27925004", "SCT", "Nodule")
    # Corners (20, 20) and (40, 30) from pixel centres: DICOM counts from the corner.
    assert ellipse.roi.value.tolist() == [[20.5, 25.5], [40.5, 25.5], [30.5, 20.5], [30.5, 30.5]]
    words = [item.value.meaning for item in by_label["a length"].get_qualitative_evaluations()]
    assert words == ["Length", "Pixel spacing in the patient"]


def test_coordinates_in_the_patient_are_those_of_the_picture_s_plane(
    image: Instance, rada: User, client_of: Log, tmp_path: Path
) -> None:
    client = client_of(rada)
    points = [[10, 10], [30, 10], [20, 24]]
    send(client, "post", "/api/v1/measurements/", wish(kind="polygon", points_px=points))
    (report,) = export(client, image, forms=["report"], coordinates="patient")
    check(tmp_path, report)

    found = list(_walk(report))
    (region,) = [item for item in found if item.ValueType == "SCOORD3D"]
    # Columns 0.25 mm along y, rows 0.5 mm against z, from (10, -20, 30): by hand.
    wanted: Any = [[10, -17.5, 25], [10, -12.5, 25], [10, -15, 18], [10, -17.5, 25]]
    assert np.allclose(
        np.reshape(region.GraphicData, (-1, 3)),
        wanted,
    )


def _walk(item: pydicom.Dataset) -> Any:
    for child in item.get("ContentSequence", []):
        yield child
        yield from _walk(child)


# --- presentation states --------------------------------------------------------------
def test_a_presentation_state_keeps_drawings_colours_and_look(
    image: Instance, rada: User, client_of: Log, tmp_path: Path
) -> None:
    client = client_of(rada)
    mark_up(client, image)
    look = {
        "window_center": 40,
        "window_width": 400,
        "rotation_deg": 90,
        "flipped": True,
        "inverted": True,
        "area_px": [10, 20, 74, 100],
    }
    (state,) = export(client, image, forms=["presentation"], look=look)
    check(tmp_path, state)

    assert state.SOPClassUID == GrayscaleSoftcopyPresentationStateStorage
    (voi,) = state.SoftcopyVOILUTSequence
    assert (voi.WindowCenter, voi.WindowWidth) == (40, 400)
    assert (state.ImageRotation, state.ImageHorizontalFlip) == (90, "Y")
    assert state.PresentationLUTShape == "INVERSE"
    (area,) = state.DisplayedAreaSelectionSequence
    # Turned clockwise by 90, the stored bottom left is at the top left; flipped, the stored
    # top left is at the top... of the right side's mirror: columns stay, rows change ends.
    assert area.DisplayedAreaTopLeftHandCorner == [11, 21]
    assert area.DisplayedAreaBottomRightHandCorner == [74, 100]

    # Without a look the window is the one on the screen: here from the pixels, -1000 to 24654 HU.
    (plain,) = export(client, image, forms=["presentation"])
    (voi,) = plain.SoftcopyVOILUTSequence
    low, high = voi.WindowCenter - voi.WindowWidth / 2, voi.WindowCenter + voi.WindowWidth / 2
    assert -1001 <= low < 0 < 20000 < high <= 24655
    assert area.PresentationPixelSpacing == [0.5, 0.25]

    layers = {layer.GraphicLayer: layer for layer in state.GraphicLayerSequence}
    lung = next(one for one in layers.values() if one.get("GraphicLayerDescription") == "lung")
    # sRGB green is L* 87.74, a* -86.18, b* 83.18 under D65; under D50 (which DICOM asks for)
    # it is 87.82, -79.27, 80.99: either is green, nothing else is.
    lightness, a_star, b_star = (
        lung.GraphicLayerRecommendedDisplayCIELabValue[0] / 65535 * 100,
        lung.GraphicLayerRecommendedDisplayCIELabValue[1] / 65535 * 255 - 128,
        lung.GraphicLayerRecommendedDisplayCIELabValue[2] / 65535 * 255 - 128,
    )
    assert lightness == pytest.approx(87.8, abs=0.5)
    assert a_star == pytest.approx(-83, abs=5)
    assert b_star == pytest.approx(82, abs=3)

    texts = [
        one.UnformattedTextValue
        for annotation in state.GraphicAnnotationSequence
        for one in annotation.get("TextObjectSequence", [])
    ]
    assert "Läsion\r\nin S2" in texts
    assert "a length\r\n5 mm" in texts
    graphics = [
        one
        for annotation in state.GraphicAnnotationSequence
        for one in annotation.get("GraphicObjectSequence", [])
    ]
    length = next(one for one in graphics if one.TrackingID == "a length")
    assert length.GraphicData == [10.5, 10.5, 22.5, 18.5]
    # 8 columns of 0.25 mm are 2 mm: 4 rows of 0.5 mm. Pixels are not square: an ellipse.
    circle = next(one for one in graphics if one.TrackingID == "a circle")
    assert circle.GraphicType == "ELLIPSE"
    ends = np.reshape(circle.GraphicData, (4, 2))
    assert np.allclose(ends, [[52.5, 60.5], [68.5, 60.5], [60.5, 56.5], [60.5, 64.5]])


def test_a_presentation_state_keeps_the_whole_style_of_a_mark(
    image: Instance, rada: User, client_of: Log, tmp_path: Path
) -> None:
    client = client_of(rada)
    style = {"colour": "#ff0000", "line": "dashed", "line_width": 3, "fill_opacity": 0.25}
    for kind, points in (("rectangle", [[10, 10], [30, 20]]), ("circle", [[60, 60], [68, 60]])):
        body = {**PLACE, "kind": kind, "points_px": points, "label": f"a {kind}", "style": style}
        assert send(client, "post", "/api/v1/measurements/", body).status_code == 201
    body = {**PLACE, "kind": "arrow", "points_px": [[5, 6], [50, 60]], "label": "plain"}
    assert send(client, "post", "/api/v1/annotations/", body).status_code == 201
    (state,) = export(client, image, forms=["presentation"])
    check(tmp_path, state)

    graphics = {
        one.TrackingID: one
        for annotation in state.GraphicAnnotationSequence
        for one in annotation.GraphicObjectSequence
    }
    for name in ("a rectangle", "a circle"):
        (line,), (fill,) = graphics[name].LineStyleSequence, graphics[name].FillStyleSequence
        assert (line.LineDashingStyle, line.LineThickness, line.PatternOnOpacity) == (
            "DASHED",
            3,
            1,
        )
        assert 0 < line.LinePattern < 0xFFFFFFFF
        assert (graphics[name].GraphicFilled, fill.FillMode) == ("Y", "SOLID")
        assert fill.PatternOnOpacity == pytest.approx(0.25)
        for one in (line, fill):
            # sRGB red under D50: L* 54.29, a* 80.81, b* 69.89.
            lightness, a_star, b_star = one.PatternOnColorCIELabValue
            assert lightness / 65535 * 100 == pytest.approx(54.3, abs=1.5)
            assert a_star / 65535 * 255 - 128 == pytest.approx(80.5, abs=1.5)
            assert b_star / 65535 * 255 - 128 == pytest.approx(68.5, abs=2)
    assert "LineStyleSequence" not in graphics["plain"]
    assert graphics["plain"].GraphicFilled == "N"

    found = client.get(f"/api/v1/studies/{image.study_id}/stored-marks/").json()["annotations"]
    styles = [row["style"] for row in found if row["kind"] in ("polygon", "circle", "ellipse")]
    assert len(styles) == 2
    for back in styles:
        assert {**back, "colour": ""} == {**style, "colour": ""}
        assert np.allclose([int(back["colour"][at : at + 2], 16) for at in (1, 3, 5)], [255, 0, 0],
                           atol=12)  # fmt: skip


def test_colour_images_have_a_colour_state(
    north: Facility, rada: User, client_of: Log, tmp_path: Path
) -> None:
    dataset = factories.read_bundled("SC_rgb_small_odd.dcm", SOPInstanceUID="1.2.3.4.1")
    instance = store(factories.as_part10(dataset), north)
    client = client_of(rada)
    body = {**PLACE, "kind": "arrow", "points_px": [[0, 0], [1, 1]]}
    assert send(client, "post", "/api/v1/annotations/", body).status_code == 201
    (state,) = export(client, instance, forms=["presentation"])
    check(tmp_path, state)
    assert state.SOPClassUID == ColorSoftcopyPresentationStateStorage
    assert state.ICCProfile


# --- key objects ----------------------------------------------------------------------
def test_key_images_are_a_key_object_selection(
    image: Instance, rada: User, client_of: Log, tmp_path: Path
) -> None:
    client = client_of(rada)
    mark_up(client, image)
    (selection,) = export(client, image, forms=["key_objects"], note="for the board")
    check(tmp_path, selection)

    assert selection.SOPClassUID == KeyObjectSelectionDocumentStorage
    items = list(_walk(selection))
    (picture,) = [item for item in items if item.ValueType == "IMAGE"]
    assert picture.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "1.2.3.4.1"
    (text,) = [item for item in items if item.ValueType == "TEXT"]
    assert text.TextValue == "for the board\n1: the nodule"


def test_frames_of_one_object_keep_their_numbers(
    north: Facility, rada: User, client_of: Log, tmp_path: Path
) -> None:
    film = built.image(
        np.zeros((5, 32, 32), np.uint8), SOPClassUID=UltrasoundMultiFrameImageStorage,
        SOPInstanceUID="1.2.3.4.1", StudyInstanceUID="1.2.3.100", SeriesInstanceUID="1.2.3.101",
        PatientName="Film^Fay", PatientID="F1", Modality="US", PixelSpacing=[1, 1],
    )  # fmt: skip
    instance = store(built.written(film), north)
    client = client_of(rada)
    place = {**PLACE, "frame": 3}
    line = {**place, "kind": "length", "points_px": [[5, 5], [20, 5]]}
    assert send(client, "post", "/api/v1/measurements/", line).status_code == 201
    assert send(client, "post", "/api/v1/key-images/", place).status_code == 201
    made = export(client, instance, forms=["report", "presentation", "key_objects"])
    named = []
    for one in made:
        check(tmp_path, one)
        references = [item for item in one.iterall() if item.keyword == "ReferencedFrameNumber"]
        named += [int(item.value) for item in references]
    # Frames in files count from 1.
    assert len(named) >= 3
    assert set(named) == {4}
    found = client.get(f"/api/v1/studies/{instance.study_id}/stored-marks/").json()
    assert [row["frame"] for row in found["measurements"]] == [3]
    assert [row["frame"] for row in found["key_images"]] == [3]


# --- what is refused ------------------------------------------------------------------
def test_what_reaches_over_the_edge_is_left_out_and_told(
    image: Instance, rada: User, client_of: Log
) -> None:
    client = client_of(rada)
    made = send(
        client, "post", "/api/v1/measurements/", wish(points_px=[[-5, 0], [3, 4]], label="out")
    ).json()
    url = f"/api/v1/studies/{image.study_id}/mark-exports/"
    assert send(client, "post", url, {"forms": ["report"]}).status_code == 422
    send(client, "post", "/api/v1/measurements/", wish(label="in"))
    answer = send(client, "post", url, {"forms": ["report"]}).json()
    assert [one["label"] for one in answer["left_out"]] == ["out"]
    assert len(answer["objects"]) == 1
    assert (
        send(client, "post", url, {"forms": ["report"], "marks": [made["id"]]}).status_code == 422
    )
    slips: list[dict[str, Any]] = [
        {},
        {"forms": []},
        {"forms": ["x"]},
        {"forms": ["report"], "look": {"a": 1}},
    ]
    for slip in slips:
        assert send(client, "post", url, slip).status_code == 400
    area = {"forms": ["report"], "look": {"area_px": [5, 0, 5, 9]}}
    assert send(client, "post", url, area).status_code == 400
    trail = AuditRow.objects.filter(action="marks_exported")
    assert [row.detail["objects"] for row in trail] == [[answer["objects"][0]["sop_instance_uid"]]]


# --- tables ---------------------------------------------------------------------------
def test_the_table_runs_no_formula_and_has_every_mark(
    image: Instance, rada: User, client_of: Log
) -> None:
    client = client_of(rada)
    mark_up(client, image)
    send(client, "post", "/api/v1/measurements/", wish(label='=HYPERLINK("x";"y")'))
    send(client, "post", "/api/v1/measurements/", wish(label="+1", layer="@SUM(A1)"))
    url = f"/api/v1/studies/{image.study_id}/marks.csv"
    answer = client.get(url)
    assert answer["Content-Disposition"] == 'attachment; filename="marks.csv"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len(rows) == len(MEASURED) + 2 + len(DRAWN) + 1
    assert [row["label"] for row in rows if row["label"].startswith("'")] == [
        '\'=HYPERLINK("x";"y")',
        "'+1",
    ]
    assert "'@SUM(A1)" in {row["layer"] for row in rows}
    length = next(row for row in rows if row["kind"] == "length")
    assert (float(length["value"]), length["unit"]) == (5.0, "mm")

    document = client.get(f"/api/v1/studies/{image.study_id}/marks.json").json()
    listed = client.get("/api/v1/measurements/").json()["results"]
    assert document["measurements"] == listed
    assert [len(document[name]) for name in ("annotations", "key_images", "layers")] == [5, 1, 1]
