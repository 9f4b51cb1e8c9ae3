"""Exports as who asks for them gets them, looked at by other programs."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pydicom
import pypdfium2
import pytest
import reportlab
from django.test import Client
from PIL import Image, ImageDraw, ImageFont
from pydicom.uid import EncapsulatedPDFStorage

from accounts.models import AuditRow, Facility, User
from archive import jobs, storage
from archive.models import Instance, Job, Series
from tests import factories
from tests.unit.viewer.conftest import SLICES, store
from tests.unit.viewer.test_objects import make_object
from viewer.export_models import Export
from viewer.models import KeyImage

pytestmark = pytest.mark.django_db

Log = Callable[[User], Client]
ADDRESS = "/api/v1/exports/"


def ask(client: Client, **wish: Any) -> Any:
    return client.post(ADDRESS, wish, content_type="application/json")


def fetched(client: Client, **wish: Any) -> tuple[bytes, Any]:
    """Ask for an export, let the worker work, fetch the file."""
    asked = ask(client, **wish)
    assert asked.status_code == 201, asked.content
    if asked.json()["state"] == "waiting":
        jobs.run_due()
    told = client.get(f"{ADDRESS}{asked.json()['id']}/").json()
    assert told["state"] in ("ready", "done"), told
    answer = client.get(told["url"])
    assert answer.status_code == 200
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content  # type: ignore[attr-defined]
    return body, answer


def opened(body: bytes) -> Image.Image:
    return Image.open(io.BytesIO(body))


# --- pictures ---------------------------------------------------------------------------
@pytest.mark.parametrize(("form", "kind"), [("png", "PNG"), ("tiff", "TIFF"), ("jpeg", "JPEG")])
def test_a_bare_picture_is_that_of_the_display_pipeline(
    ct_series: Series, rada: User, client_of: Log, form: str, kind: str
) -> None:
    instance = ct_series.instances.get(instance_number=SLICES)
    look = {"window": "-1021,20"}
    body, answer = fetched(client_of(rada), images=[{"instance": str(instance.pk)}], format=form,
                           look=look, marks=False)  # fmt: skip
    picture = opened(body)
    assert picture.format == kind
    # Slice 0 holds -1024 HU: LINEAR, (x - (c - 0.5)) / (w - 1) + 0.5 of 255 (C.11.2.1.2.1), by hand.
    assert (
        abs(np.asarray(picture).astype(int) - round(((-1024 + 1021.5) / 19 + 0.5) * 255)).max() <= 1
    )
    assert answer["Content-Disposition"].startswith('attachment; filename="noctis-')
    assert answer["X-Content-Type-Options"] == "nosniff"


def test_marks_are_drawn_and_demographics_only_when_asked(
    ct_series: Series, rada: User, client_of: Log
) -> None:
    client, instance = client_of(rada), ct_series.instances.first()
    assert instance is not None
    wish: dict[str, Any] = {"images": [{"instance": str(instance.pk)}], "format": "png"}
    bare = np.asarray(opened(fetched(client, **wish, marks=False)[0]))
    marked = np.asarray(opened(fetched(client, **wish)[0]))
    named = np.asarray(opened(fetched(client, **wish, demographics=True)[0]))
    assert bare.shape == (128, 128)
    assert marked.shape == (512, 512, 3)  # made larger by a whole factor, so that words fit
    corner = (slice(0, 60), slice(0, 250))
    assert len(np.unique(marked[corner])) == 1
    assert len(np.unique(named[corner])) > 1
    # A letter at the left edge, amber.
    edge = marked[230:282, :30].reshape(-1, 3)
    assert (edge[:, 0] > edge[:, 2] + 60).any()


def test_a_measurement_is_drawn_where_it_is(ct_series: Series, rada: User, client_of: Log) -> None:
    client, instance = client_of(rada), ct_series.instances.first()
    assert instance is not None
    made = client.post(
        "/api/v1/measurements/",
        {"sop_instance_uid": instance.sop_instance_uid, "frame": 0, "kind": "length",
         "points_px": [[20, 100], [90, 100]], "style": {"colour": "#00ff00"}},
        content_type="application/json",
    )  # fmt: skip
    assert made.status_code == 201, made.content
    body, _ = fetched(client, images=[{"instance": str(instance.pk)}], format="png")
    picture = np.asarray(opened(body)).astype(int)
    green = (picture[..., 1] > 200) & (picture[..., 0] < 60)
    rows, columns = np.nonzero(green[: 103 * 4])
    assert abs(rows.mean() - 100.5 * 4) < 3
    assert abs(columns.min() - 20.5 * 4) <= 3


def test_many_pictures_come_as_a_zip_with_counted_names(
    ct_series: Series, rada: User, client_of: Log
) -> None:
    body, answer = fetched(client_of(rada), series=[str(ct_series.pk)], format="jpeg", marks=False,
                           look={"window": "-1021,20"})  # fmt: skip
    assert answer["Content-Type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(body))
    assert archive.namelist() == [f"PICTURE_{n:05}.jpg" for n in range(1, SLICES + 1)]
    greys = [np.asarray(opened(archive.read(name))).mean() for name in archive.namelist()]
    assert greys == sorted(greys)  # the order of the screen, not of arrival


def test_only_key_images_on_demand(ct_series: Series, rada: User, client_of: Log) -> None:
    client, instance = client_of(rada), ct_series.instances.get(instance_number=2)
    wish = {"study": str(ct_series.study_id), "format": "png", "key_images": True}
    assert ask(client, **wish).status_code == 422
    KeyImage.objects.create(
        study=ct_series.study, facility=ct_series.facility, instance=instance, frame=0,
        created_by=rada, changed_by=rada,
    )  # fmt: skip
    assert ask(client, **wish).json()["image_count"] == 1


# --- by a worker --------------------------------------------------------------------------
def test_a_stack_becomes_a_video_that_plays_at_the_wanted_rate(
    ct_series: Series, rada: User, client_of: Log, tmp_path: Path
) -> None:
    body, answer = fetched(client_of(rada), series=[str(ct_series.pk)], format="mp4", marks=False,
                           look={"window": "-1021,6"}, frames_per_second=4)  # fmt: skip
    assert answer["Content-Type"] == "video/mp4"
    path = tmp_path / "a.mp4"
    path.write_bytes(body)
    film = cv2.VideoCapture(str(path))
    assert film.get(cv2.CAP_PROP_FPS) == 4
    means = []
    while (read := film.read())[0]:
        means.append(float(read[1].mean()))
    assert len(means) == SLICES
    assert means == sorted(means)
    assert means[-1] - means[0] > 100


def test_a_stack_becomes_a_gif(ct_series: Series, rada: User, client_of: Log) -> None:
    body, _ = fetched(client_of(rada), series=[str(ct_series.pk)], format="gif", marks=False,
                      look={"window": "-1021,6"}, frames_per_second=5)  # fmt: skip
    gif = opened(body)
    assert gif.n_frames == SLICES  # type: ignore[attr-defined]
    assert gif.info["duration"] == 200
    assert gif.info["loop"] == 0


def test_the_pdf_has_the_heading_and_no_live_text_of_the_sender(
    north: Facility, rada: User, client_of: Log, tmp_path: Path
) -> None:
    dataset = factories.read_bundled("CT_small.dcm", SOPInstanceUID="1.2.3.77")
    dataset.PatientName = "</script>=HYPERLINK(1)^山田"
    dataset.SpecificCharacterSet = "ISO_IR 192"
    instance = store(factories.as_part10(dataset), north)
    body, answer = fetched(client_of(rada), study=str(instance.study_id), format="pdf",
                           demographics=True, columns=1, rows=1)  # fmt: skip
    assert answer["Content-Type"] == "application/pdf"
    assert body.startswith(b"%PDF-")
    for word in (b"/JavaScript", b"/URI", b"/Launch", b"/OpenAction"):
        assert word not in body
    if shutil.which("pdftotext"):
        path = tmp_path / "a.pdf"
        path.write_bytes(body)
        run = ["pdftotext", str(path), "-"]
        text = subprocess.run(run, capture_output=True, check=True, text=True).stdout
        assert instance.study.patient.patient_id in text


def test_who_looks_at_the_pdf_sees_the_heading_on_every_page(
    ct_series: Series, rada: User, client_of: Log
) -> None:
    body, _ = fetched(client_of(rada), series=[str(ct_series.pk)], format="pdf",
                      demographics=True, columns=1, rows=2)  # fmt: skip
    document = pypdfium2.PdfDocument(body)
    assert len(document) == -(-SLICES // 2)
    patient = ct_series.study.patient.patient_id
    face = ImageFont.truetype(Path(reportlab.__file__).parent / "fonts" / "Vera.ttf", 36)
    words = Image.new("L", (round(face.getlength(patient)) + 8, 44), 255)
    ImageDraw.Draw(words).text((4, 2), patient, fill=0, font=face)
    for page in document:
        # Four pixels a point: words of 9 points are 36 pixels high. Of A4's 842 points the
        # heading has the first 90.
        seen = np.asarray(page.render(scale=4).to_pil().convert("L"))[: 4 * 90]
        likeness = cv2.matchTemplate(seen, np.asarray(words), cv2.TM_CCOEFF_NORMED).max()
        assert likeness > 0.8


def test_what_cannot_be_made_is_told_in_words(
    ct_series: Series, rada: User, client_of: Log
) -> None:
    client, instance = client_of(rada), ct_series.instances.first()
    assert instance is not None
    asked = ask(client, series=[str(ct_series.pk)], format="gif").json()
    storage.path_of(instance.storage_key).unlink()
    jobs.run_due()
    told = client.get(f"{ADDRESS}{asked['id']}/").json()
    assert told["state"] == "failed"
    assert "missing" in told["problem"]
    assert client.get(f"{ADDRESS}{asked['id']}/file/").status_code == 409


# --- objects ------------------------------------------------------------------------------
def test_the_dicom_zip_holds_the_files_as_stored_and_a_directory(
    ct_series: Series, rada: User, client_of: Log, tmp_path: Path
) -> None:
    body, _ = fetched(client_of(rada), study=str(ct_series.study_id), format="dicom")
    archive = zipfile.ZipFile(io.BytesIO(body))
    assert archive.testzip() is None
    names = [f"DICOM/SE000001/IM{n:06}" for n in range(1, SLICES + 1)]
    assert archive.namelist() == [*names, "DICOMDIR", "README.TXT"]
    stored = {
        storage.path_of(one.storage_key).read_bytes()[128:] for one in ct_series.instances.all()
    }
    assert {archive.read(name)[128:] for name in names} == stored
    assert all(archive.read(name)[:128] == bytes(128) for name in names)
    archive.extractall(tmp_path)
    directory = pydicom.dcmread(tmp_path / "DICOMDIR")
    kinds = [record.DirectoryRecordType for record in directory.DirectoryRecordSequence]
    assert kinds == ["PATIENT", "STUDY", "SERIES", *["IMAGE"] * SLICES]
    if shutil.which("dciodvfy"):
        run = ["dciodvfy", str(tmp_path / "DICOMDIR")]
        said = subprocess.run(run, capture_output=True, check=False, text=True).stderr
        assert [line for line in said.splitlines() if line.startswith("Error")] == []


def test_the_deidentified_zip_holds_no_name_and_uids_that_agree(
    north: Facility, rada: User, client_of: Log
) -> None:
    canary = "CANARY"
    for number in (1, 2):
        dataset = factories.read_bundled("CT_small.dcm", SOPInstanceUID=f"1.2.77.{number}")
        dataset.PatientName, dataset.PatientID = f"{canary}^{canary}", canary
        dataset.StudyDescription = dataset.InstitutionName = canary
        instance = store(factories.as_part10(dataset), north)
    client, study = client_of(rada), str(instance.study_id)
    wish = {"study": study, "format": "dicom", "deidentify": {"dates": "shift"}}
    body, _ = fetched(client, **wish)
    archive = zipfile.ZipFile(io.BytesIO(body))
    objects = [pydicom.dcmread(io.BytesIO(archive.read(name))) for name in archive.namelist()[:2]]
    for name in archive.namelist():
        assert canary.encode() not in archive.read(name)
        assert b"1.2.77." not in archive.read(name)
    assert objects[0].SeriesInstanceUID == objects[1].SeriesInstanceUID
    assert objects[0].SOPInstanceUID != objects[1].SOPInstanceUID
    again = zipfile.ZipFile(io.BytesIO(fetched(client, **wish)[0]))
    other = pydicom.dcmread(io.BytesIO(again.read(again.namelist()[0])))
    assert other.SeriesInstanceUID != objects[0].SeriesInstanceUID


def test_pictures_that_may_show_a_name_are_asked_about(
    north: Facility, rada: User, client_of: Log
) -> None:
    dataset = factories.read_bundled("CT_small.dcm", SOPInstanceUID="1.2.3.78")
    dataset.BurnedInAnnotation = "YES"
    instance = store(factories.as_part10(dataset), north)
    client, study = client_of(rada), str(instance.study_id)
    refused = ask(client, study=study, format="dicom", deidentify={})
    assert refused.status_code == 403
    assert "may show a name" in refused.json()["detail"]
    left = ask(client, study=study, format="png", deidentify={"burned_in": "leave_out"})
    assert left.status_code == 422
    clean = factories.read_bundled("CT_small.dcm", SOPInstanceUID="1.2.3.79")
    store(factories.as_part10(clean), north)
    made = ask(client, study=study, format="dicom", deidentify={"burned_in": "leave_out"}).json()
    assert (made["image_count"], made["left_out_count"]) == (1, 1)
    body = b"".join(client.get(made["url"]).streaming_content)  # type: ignore[attr-defined]
    assert b"1 picture is left out: its pixels" in zipfile.ZipFile(io.BytesIO(body)).read(
        "README.TXT"
    )
    assert ask(client, study=study, format="png",
               deidentify={"burned_in": "accept"}).status_code == 201  # fmt: skip
    both = ask(client, study=study, format="png", deidentify={}, demographics=True)
    assert both.status_code == 400


def test_a_pdf_never_leaves_deidentified_and_the_answer_says_so(
    ct_series: Series, north: Facility, rada: User, client_of: Log
) -> None:
    pdf = b"%PDF-1.4 CANARY"
    first = ct_series.instances.all()[0]
    letter = make_object(
        north, EncapsulatedPDFStorage, Modality="DOC", EncapsulatedDocument=pdf,
        StudyInstanceUID=first.study.study_instance_uid, SeriesInstanceUID="1.2.3.99",
        MIMETypeOfEncapsulatedDocument="application/pdf",
        PatientID=first.study.patient.patient_id,
    )  # fmt: skip
    assert letter.study_id == ct_series.study_id
    client, study = client_of(rada), str(ct_series.study_id)
    words = "1 document (PDF or the like) is left out: nobody can take the names out of it."
    made = ask(client, study=study, format="dicom", deidentify={}).json()
    assert (made["image_count"], made["left_out"]) == (SLICES, [words])
    body = b"".join(client.get(made["url"]).streaming_content)  # type: ignore[attr-defined]
    archive = zipfile.ZipFile(io.BytesIO(body))
    assert words in archive.read("README.TXT").decode()
    assert not any(b"CANARY" in archive.read(name) for name in archive.namelist())

    alone = ask(client, series=[str(letter.series_id)], format="dicom", deidentify={})
    assert alone.status_code == 422
    assert words in alone.json()["detail"]
    named = ask(client, study=study, format="dicom").json()
    body = b"".join(client.get(named["url"]).streaming_content)  # type: ignore[attr-defined]
    assert any(b"CANARY" in zipfile.ZipFile(io.BytesIO(body)).read(name)
               for name in zipfile.ZipFile(io.BytesIO(body)).namelist())  # fmt: skip


@pytest.mark.parametrize(
    "look",
    [{"window": "wide"}, {"window": "40,0"}, {"enhance": "magic"}, {"colormap": "pink"},
     {"preset": "nothing"}, {"preset": "lung", "window": "40,400"}, {"zoom": "2"}],
)  # fmt: skip
def test_a_look_that_no_picture_has_is_refused_at_once(
    rada: User, client_of: Log, look: dict[str, str]
) -> None:
    answer = ask(client_of(rada), study="01900000-0000-7000-8000-000000000000", format="gif",
                 look=look)  # fmt: skip
    assert answer.status_code == 400
    assert "look" in answer.json()["errors"]


# --- who, and how often -------------------------------------------------------------------
def test_nobody_else_gets_an_export_and_every_step_is_in_the_trail(
    ct_series: Series, rada: User, tess: User, fiona: User, client_of: Log
) -> None:
    client = client_of(rada)
    body, _ = fetched(client, series=[str(ct_series.pk)], format="gif")
    assert body
    export = Export.objects.get()
    for person in (tess, fiona):
        for address in (f"{ADDRESS}{export.pk}/", f"{ADDRESS}{export.pk}/file/"):
            assert client_of(person).get(address).status_code == 404
    assert ask(client_of(fiona), series=[str(ct_series.pk)], format="png").status_code == 404
    assert ask(client_of(fiona), study=str(ct_series.study_id), format="dicom").status_code == 404
    assert client.delete(f"{ADDRESS}{export.pk}/").status_code == 204
    assert not list((storage.root() / "exports").iterdir())
    actions = AuditRow.objects.filter(action__startswith="export_").order_by("id")
    assert [row.action for row in actions] == [
        "export_requested", "export_fetched", "export_deleted",
    ]  # fmt: skip
    assert actions[1].detail["form"] == "gif"
    assert actions[1].study_instance_uid == ct_series.study.study_instance_uid


def test_a_study_that_is_not_visible_any_more_is_not_fetched(
    ct_series: Series, rada: User, south: Facility, client_of: Log
) -> None:
    client = client_of(rada)
    asked = ask(client, series=[str(ct_series.pk)], format="png").json()
    Instance.objects.filter(series=ct_series).update(facility=south)
    assert client.get(f"{ADDRESS}{asked['id']}/file/").status_code == 404


def test_an_export_is_forgotten_when_its_time_is_over(
    ct_series: Series, rada: User, client_of: Log
) -> None:
    asked = ask(client_of(rada), series=[str(ct_series.pk)], format="gif").json()
    jobs.run_due()
    assert (storage.root() / "exports" / asked["id"]).exists()
    Job.objects.filter(kind="export_end").update(due_at="2020-01-01T00:00Z")
    jobs.run_due()
    assert not Export.objects.exists()
    assert not (storage.root() / "exports" / asked["id"]).exists()


def test_what_dead_workers_left_is_swept(ct_series: Series, rada: User, client_of: Log) -> None:
    folder = storage.root() / "exports"
    left = folder / ".making-dead"
    left.mkdir(parents=True)
    (left / "export.gif").write_bytes(b"half")
    os.utime(left, (1, 1))
    fetched(client_of(rada), series=[str(ct_series.pk)], format="gif")
    assert not left.exists()


def test_the_page_to_print_shows_each_picture_once(
    ct_series: Series, rada: User, client_of: Log
) -> None:
    client = client_of(rada)
    asked = ask(client, series=[str(ct_series.pk)], format="print", demographics=True,
                columns=2, rows=2).json()  # fmt: skip
    page = client.get(asked["url"])
    assert page.status_code == 200
    text = page.content.decode()
    assert text.count("<img") == SLICES
    assert text.count('class="sheet') == 2
    assert ct_series.study.patient.patient_id in text
    picture = client.get(f"{ADDRESS}{asked['id']}/pictures/0.jpg")
    assert opened(picture.content).format == "JPEG"
    assert client.get(f"{ADDRESS}{asked['id']}/pictures/{SLICES}.jpg").status_code == 404
