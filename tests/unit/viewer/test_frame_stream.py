"""Streams under a real ASGI server: pictures as they come, and no work for who has left."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard
from django.conf import settings
from django.db import connection
from django.test import Client

from accounts.models import Facility, User
from archive.frames import FrameData
from archive.models import Instance, Series
from archive.stack import build_stack
from imaging.errors import BusyError, StorageUnavailableError
from tests import factories
from tests.unit.viewer.conftest import store, store_slice
from tests.unit.viewer.test_api import read_records
from viewer import frame_stream
from viewer.compression import choose_coding
from viewer.frame_stream import FrameStream, RecordStatus, WantedImage

pytestmark = pytest.mark.django_db(transaction=True)

Log = Callable[[User], Client]


def wanted(series: Series) -> list[WantedImage]:
    return [
        WantedImage(index, instance, 0)
        for index, instance in enumerate(Instance.objects.filter(series=series))
    ]


def test_an_answer_that_is_closed_reads_no_further_frame(
    ct_series: Series, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[int] = []

    def count(instance: Instance, frame: int) -> FrameData:
        reads.append(frame)
        return FrameData("u8", b"x")

    monkeypatch.setattr(frame_stream, "read_frame", count)
    images = wanted(ct_series) * 10
    stream = FrameStream(images, choose_coding(""))
    pieces = iter(stream)
    next(pieces)
    stream.close()
    assert list(pieces) == []
    assert len(reads) <= 1 + frame_stream.AHEAD


def open_when_free(series: Series) -> FrameStream:
    """Open a stream; a thread that reads ahead may hold one that nobody wants a moment longer."""
    end = time.monotonic() + 10
    while True:
        try:
            return FrameStream(wanted(series), choose_coding(""))
        except BusyError:
            if time.monotonic() > end:
                raise
            time.sleep(0.01)


def test_streams_beyond_the_limit_are_refused_and_places_come_back(ct_series: Series) -> None:
    streams = [
        FrameStream(wanted(ct_series), choose_coding("")) for _ in range(frame_stream.STREAM_LIMIT)
    ]
    with pytest.raises(BusyError):
        FrameStream(wanted(ct_series), choose_coding(""))
    list(streams.pop())
    streams.pop().close()
    streams.pop()
    streams += [open_when_free(ct_series) for _ in range(3)]
    with pytest.raises(BusyError):
        FrameStream(wanted(ct_series), choose_coding(""))
    for stream in streams:
        stream.close()


@pytest.mark.parametrize("error", [RuntimeError("secret"), StorageUnavailableError("No disk.")])
def test_an_unexpected_error_is_a_record_without_its_text(
    ct_series: Series, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(instance: Instance, frame: int) -> FrameData:
        raise error

    monkeypatch.setattr(frame_stream, "read_frame", fail)
    body = b"".join(FrameStream(wanted(ct_series), choose_coding("")))
    for _instance, _frame, status, _index, payload in read_records(body):
        assert status == RecordStatus.CANNOT_SHOW
        assert b"secret" not in payload
        assert payload


# --- under uvicorn ------------------------------------------------------------------
@pytest.fixture
def server(home: Path) -> Iterator[int]:
    """Run the house under uvicorn on this test's database and files; return the port."""
    if connection.vendor != "sqlite":
        url = connection.settings_dict
        database = (
            f"postgres://{url['USER']}:{url['PASSWORD']}@{url['HOST'] or 'localhost'}"
            f":{url['PORT'] or 5432}/{url['NAME']}"
        )
    else:
        database = f"sqlite:///{connection.settings_dict['NAME']}"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "noctis.asgi:application", "--port", str(port)],
        cwd=settings.BASE_DIR,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "noctis.settings",
            "NOCTIS_HOME": str(home),
            "NOCTIS_DISK_RESERVE_MB": "0",
            "NOCTIS_SECRET_KEY": settings.SECRET_KEY,
            "DATABASE_URL": database,
        },
    )
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, "the server ended"
                assert time.monotonic() < deadline
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(20)


def session_of(client: Client) -> str:
    name = settings.SESSION_COOKIE_NAME
    return f"{name}={client.cookies[name].value}"


def long_series(facility: Facility) -> Series:
    """Store one object of 40 frames of 1 MiB that do not compress."""
    dataset = factories.read_bundled("CT_small.dcm")
    dataset.Rows = dataset.Columns = 724
    dataset.NumberOfFrames = 40
    dataset.PixelData = os.urandom(724 * 724 * 2 * 40)
    return store(factories.as_part10(dataset), facility).series


@pytest.mark.parametrize("coding", ["zstd", "gzip", ""])
def test_a_stream_under_asgi_is_whole(
    server: int, north: Facility, rada: User, client_of: Log, coding: str
) -> None:
    series = store_slice(2, north).series
    store_slice(1, north)
    series.refresh_from_db()
    version = build_stack(series)["version"]
    link = http.client.HTTPConnection("127.0.0.1", server, timeout=20)
    link.request(
        "GET",
        f"/api/v1/series/{series.pk}/frames/?version={version}&images=0-1",
        headers={
            "Cookie": session_of(client_of(rada)),
            "Accept-Encoding": coding,
            "X-Forwarded-For": "192.0.2.7",
        },
    )
    response = link.getresponse()
    body = response.read()
    assert response.status == 200
    if coding == "zstd":
        body = zstandard.ZstdDecompressor().decompressobj().decompress(body)
    elif coding == "gzip":
        body = zlib.decompress(body, 31)
    records = read_records(body)
    assert [record[2] for record in records] == [0, 0]
    assert [record[4][:2] for record in records] == [b"\1\0", b"\2\0"]
    link.close()


def test_who_leaves_in_the_middle_stops_the_work_and_the_server_goes_on(
    server: int, north: Facility, rada: User, client_of: Log
) -> None:
    series = long_series(north)
    version = build_stack(series)["version"]
    address = f"/api/v1/series/{series.pk}/frames/?version={version}&images=0-39"
    cookie = session_of(client_of(rada))
    request = f"GET {address} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n\r\n".encode()
    for _ in range(frame_stream.STREAM_LIMIT + 8):
        with socket.create_connection(("127.0.0.1", server), timeout=10) as leaver:
            leaver.sendall(request)
            assert b"200 OK" in leaver.recv(4096)
    # Had a stream not stopped, its place would be taken, and these be refused.
    deadline = time.monotonic() + 10
    link = http.client.HTTPConnection("127.0.0.1", server, timeout=20)
    while True:
        link.request("GET", address.replace("0-39", "39"), headers={"Cookie": cookie})
        response = link.getresponse()
        body = response.read()
        if response.status == 200 or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    assert response.status == 200
    assert len(body) == 32 + 724 * 724 * 2
    link.close()
