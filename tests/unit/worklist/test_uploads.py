"""Uploads in pieces: continued after a break, bounded, stored by a worker, told file by file."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pydicom.uid import generate_uid
from pytest_django import Settings

from accounts.models import AuditRow, Role, User
from archive import storage
from archive.importing import import_stream
from archive.ingest import Source
from archive.models import Instance
from tests import factories
from worklist import upload_storing, uploads
from worklist.upload_models import Upload

ClientOf = Callable[[User], Client]
ROOT = "/api/v1/uploads/"
pytestmark = pytest.mark.django_db


def _zip(*entries: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, content in enumerate(entries):
            archive.writestr(f"{number}.dcm", content)
    return buffer.getvalue()


def _dicom() -> bytes:
    return factories.as_part10(
        factories.read_bundled("CT_small.dcm", SOPInstanceUID=generate_uid())
    )


def _begin(client: Client, content: bytes, **also: Any) -> Any:
    wish = {"name": "disc.zip", "size_bytes": len(content), **also}
    return client.post(ROOT, wish, content_type="application/json")


def _send(client: Client, address: str, piece: bytes, offset: int) -> Any:
    return client.patch(
        address,
        piece,
        content_type="application/offset+octet-stream",
        headers={"Upload-Offset": str(offset)},
    )


def test_a_zip_in_pieces_gets_a_verdict_for_each_file(tess: User, client_of: ClientOf) -> None:
    client = client_of(tess)
    good = _dicom()
    content = _zip(good, good, b"hello", _dicom())
    begun = _begin(client, content, sha256=hashlib.sha256(content).hexdigest())
    assert begun.status_code == 201
    assert (begun.json()["offset"], begun.json()["state"]) == (0, "receiving")
    address, half = begun["Location"], len(content) // 2
    assert _send(client, address, content[:half], 0).json()["offset"] == half
    # A piece that was sent twice, or too early, is told where the upload stands.
    for offset in (0, half + 1):
        wrong = _send(client, address, content[half:], offset)
        assert (wrong.status_code, wrong.json()["offset"]) == (409, half)
        assert wrong["Content-Type"] == "application/problem+json"
    assert _send(client, address, content, half).status_code == 413
    assert client.get(address).json()["offset"] == half
    assert _send(client, address, content[half:], half).json()["state"] == "waiting"

    assert upload_storing.store_next()
    assert not upload_storing.store_next()
    ended = client.get(address).json()
    assert (ended["state"], ended["file_count"]) == ("done", 4)
    assert ended["counts"] == {"stored": 2, "duplicate": 1, "skipped": 1}
    rows = client.get(f"{address}verdicts/").json()["results"]
    assert [(row["number"], row["name"], row["status"]) for row in rows] == [
        (0, "disc.zip/0.dcm", "stored"),
        (1, "disc.zip/1.dcm", "duplicate"),
        (2, "disc.zip/2.dcm", "skipped"),
        (3, "disc.zip/3.dcm", "stored"),
    ]
    page = client.get(f"{address}verdicts/?page_size=3").json()
    assert [row["number"] for row in client.get(page["next"]).json()["results"]] == [3]
    assert Instance.objects.count() == 2
    assert AuditRow.objects.get(action="upload").detail["stored"] == 2


def test_a_broken_connection_keeps_what_came(
    tess: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of(tess)
    content = _dicom()
    address = _begin(client, content)["Location"]
    upload = Upload.objects.get()

    def cut_off(_size: int, told: list[bytes] = [content[:1000]]) -> bytes:  # noqa: B006
        if told:
            return told.pop()
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        uploads.append(upload, 0, cut_off)
    assert client.get(address).json()["offset"] == 1000
    # Two writers at the same time: one of them.
    with uploads._writing(upload.pk):
        assert _send(client, address, content[1000:], 1000).status_code == 409
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
        assert _send(client, address, content[1000:], 1000).status_code == 503
    assert _send(client, address, content[1000:], 1000).json()["state"] == "waiting"


def test_a_worker_that_died_is_followed_by_another(tess: User, client_of: ClientOf) -> None:
    client = client_of(tess)
    content = _zip(_dicom(), _dicom())
    address = _begin(client, content)["Location"]
    _send(client, address, content, 0)
    first = upload_storing._claim_next()
    assert first is not None
    assert not upload_storing.store_next()
    # It stored one file and told of it, then it was gone.
    verdicts = import_stream(
        Source(door="upload", sender="tess", facility_id=first.facility_id),
        io.BytesIO(content),
        first.name,
    )
    upload_storing._write(first, [upload_storing._row(first, 0, next(verdicts))])
    del verdicts
    Upload.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert upload_storing.store_next()
    told = client.get(f"{address}verdicts/").json()["results"]
    assert [row["number"] for row in told] == [0, 1]
    assert told[0]["status"] == "stored"
    assert client.get(address).json()["state"] == "done"
    assert Instance.objects.count() == 2
    with pytest.raises(upload_storing.LostError):
        upload_storing._write(first, [])


def test_what_was_announced_is_what_is_stored(tess: User, client_of: ClientOf) -> None:
    client = client_of(tess)
    content = _dicom()
    address = _begin(client, content, sha256="0" * 64)["Location"]
    _send(client, address, content, 0)
    assert upload_storing.store_next()
    ended = client.get(address).json()
    assert (ended["state"], ended["counts"]) == ("failed", {})
    assert not Instance.objects.exists()


def test_uploads_are_bounded_and_forgotten(
    tess: User, client_of: ClientOf, settings: Settings
) -> None:
    client = client_of(tess)
    for wrong in ({"size_bytes": 0}, {"size_bytes": "x"}, {"name": ""}, {"facility": "nowhere"}):
        assert _begin(client, b"x", **wrong).status_code == 400
    assert _begin(client, b"x", size_bytes=uploads.SIZE_LIMIT_BYTES + 1).status_code == 413
    settings.NOCTIS_DISK_RESERVE_MB = 1 << 40
    assert _begin(client, b"x").status_code == 503
    settings.NOCTIS_DISK_RESERVE_MB = 0
    addresses = [_begin(client, b"x")["Location"] for _ in range(uploads.OPEN_LIMIT)]
    assert _begin(client, b"x").status_code == 409
    assert client.delete(addresses[0]).status_code == 204
    assert _send(client, addresses[0], b"x", 0).status_code == 404
    bad_type = client.patch(addresses[1], b"x", content_type="text/html")
    assert bad_type.status_code == 415
    bare = client.patch(addresses[1], b"x", content_type="application/octet-stream")
    assert bare.status_code == 400
    Upload.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    stray = storage.root() / "uploads" / "01900000-0000-7000-8000-000000000000"
    stray.touch()
    os.utime(stray, (0, 0))
    uploads.forget_old()
    assert not Upload.objects.exists()


def test_an_upload_is_its_makers_alone(
    tess: User, rada: User, fiona: User, client_of: ClientOf
) -> None:
    content = _dicom()
    address = _begin(client_of(tess), content)["Location"]
    for other in (rada, fiona):
        client = client_of(other)
        assert client.get(ROOT).json()["results"] == []
        assert client.get(address).status_code == 404
        assert client.get(f"{address}verdicts/").status_code == 404
        assert _send(client, address, content, 0).status_code == 404
        assert client.delete(address).status_code == 404
    # Who may not upload any more when it is their turn stores nothing.
    assert _send(client_of(tess), address, content, 0).status_code == 200
    User.objects.filter(pk=tess.pk).update(role=Role.REFERRER)
    assert upload_storing.store_next()
    assert Upload.objects.get().state == "failed"
    assert not Instance.objects.exists()
