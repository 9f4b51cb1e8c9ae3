"""Objects that hold files: documents page by page and in words, curves, and the files themselves."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from django.test import Client
from PIL import Image
from pydicom.uid import EncapsulatedCDAStorage, EncapsulatedPDFStorage, RTPlanStorage

from accounts.models import AuditRow, Facility, User
from archive.models import Instance
from tests.unit.viewer.conftest import store
from tests.unit.viewer.test_measurements import make_image
from tests.unit.viewer.test_objects import make_object, read

pytestmark = pytest.mark.django_db

Log = Callable[[User], Client]


@pytest.fixture
def image(north: Facility) -> Instance:
    return make_image(north)


def test_a_pdf_is_sent_locked_and_whole(north: Facility, image: Instance, rada: User,
                                        client_of: Log) -> None:  # fmt: skip
    pdf = b"%PDF-1.4\n" + bytes(range(256)) * 5000 + b"x"
    made = make_object(
        north, EncapsulatedPDFStorage, Modality="DOC", DocumentTitle="Letter",
        MIMETypeOfEncapsulatedDocument="application/pdf", EncapsulatedDocument=pdf + b"\0",
        EncapsulatedDocumentLength=len(pdf),
    )  # fmt: skip
    client = client_of(rada)
    document = read(client, made)
    answer: Any = client.get(document["document_url"])

    assert b"".join(answer.streaming_content) == pdf
    assert answer["Content-Type"] == "application/pdf"
    assert answer["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Disposition"].startswith("inline")
    saved = client.get(document["document_url"], {"save": "1"})
    assert saved["Content-Disposition"] == 'attachment; filename="document.pdf"'
    assert saved["Content-Type"] == "application/octet-stream"
    assert AuditRow.objects.filter(action="document_saved").count() == 2


def test_a_pdf_is_drawn_page_by_page_and_a_broken_one_says_so(
    north: Facility, image: Instance, rada: User, client_of: Log
) -> None:
    pages = [Image.new("RGB", (400, 200), colour) for colour in ("#c01020", "#1020c0")]
    content = io.BytesIO()
    pages[0].save(content, "PDF", save_all=True, append_images=pages[1:])
    facts = {"Modality": "DOC", "MIMETypeOfEncapsulatedDocument": "application/pdf"}
    made = make_object(
        north, EncapsulatedPDFStorage, EncapsulatedDocument=content.getvalue(), **facts
    )
    client = client_of(rada)
    document = read(client, made)
    assert len(document["pages"]) == 2
    answer = client.get(document["pages"][1])
    drawn = Image.open(io.BytesIO(answer.content))
    assert (answer["Content-Type"], drawn.size) == ("image/png", (1400, 700))
    middle: Any = drawn.getpixel((700, 350))
    assert np.allclose(middle, (0x10, 0x20, 0xC0), atol=6)
    beyond = document["pages"][1].replace("/1.png", "/2.png")
    assert client.get(beyond).status_code == 404

    broken = make_object(north, EncapsulatedPDFStorage, EncapsulatedDocument=b"%PDF-1.4 x", **facts)
    document = read(client, broken)
    assert (document["pages"], len(document["notes"])) == ([], 1)
    assert client.get(f"/api/v1/instances/{broken.pk}/document/0.png").status_code == 422


def test_xml_is_shown_as_words_and_only_saved(
    north: Facility, image: Instance, rada: User, client_of: Log
) -> None:
    xml = (
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
        b"<ClinicalDocument><title>Letter &amp; more</title><text><paragraph>Hello &e;"
        b"</paragraph><script>alert(1)</script></text></ClinicalDocument>"
    )
    made = make_object(
        north, EncapsulatedCDAStorage, Modality="DOC", EncapsulatedDocument=xml,
        MIMETypeOfEncapsulatedDocument="text/XML",
    )  # fmt: skip
    client = client_of(rada)
    document = read(client, made)

    assert document["text"].startswith("Letter & more\nHello &e;")
    assert "root:" not in document["text"]
    answer = client.get(document["document_url"])
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"].startswith("attachment")


def test_what_has_no_view_says_so_and_can_be_saved(
    north: Facility, image: Instance, rada: User, client_of: Log
) -> None:
    made = make_object(north, RTPlanStorage, Modality="RTPLAN")
    client = client_of(rada)
    document = read(client, made)
    assert (document["kind"], document["name"]) == ("other", "RT Plan")
    assert len(document["notes"]) == 1

    answer: Any = client.get(document["file_url"])
    content = b"".join(answer.streaming_content)
    assert content[:132] == bytes(128) + b"DICM"
    assert pydicom.dcmread(io.BytesIO(content)).SOPInstanceUID == made.sop_instance_uid
    assert answer["Content-Disposition"].startswith("attachment")

    listed = client.get(f"/api/v1/studies/{image.study_id}/objects/").json()
    assert [(one["id"], one["kind"]) for one in listed["objects"]] == [(str(made.pk), "other")]


def test_an_ecg_is_drawn_to_scale(north: Facility, rada: User, client_of: Log) -> None:
    path = Path(pydicom.__file__).parent / "data" / "test_files" / "waveform_ecg.dcm"
    made = store(path.read_bytes(), north)
    client = client_of(rada)
    document = read(client, made)
    group = document["groups"][0]
    assert (group["hertz"], group["seconds"], len(group["channels"])) == (1000, 10, 12)
    # pydicom's own reader gives the same extremes, in microvolts.
    values = pydicom.dcmread(path).waveform_array(0)
    assert group["channels"][1]["max"] == pytest.approx(values[:, 1].max())

    answer = client.get(group["url"])
    assert answer["Content-Type"] == "image/svg+xml"
    assert answer["Content-Security-Policy"].startswith("sandbox")
    drawing = answer.content.decode()
    # Ten seconds at 25 mm, and room for the names.
    assert 'width="270.0mm"' in drawing
    assert "Lead II" in drawing
    lead = drawing.split("<polyline")[2].split('"')[1].split()
    tops = 45 - min(float(point.split(",")[1]) for point in lead)
    assert tops == pytest.approx(values[:, 1].max() / 1000 * 10, abs=0.01)
