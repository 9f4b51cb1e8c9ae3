"""Frames that are kept: decoded once, and shown only while their file is there."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import Facility
from archive import storage
from archive.caches import FRAMES, Piece, caches, make_key
from archive.decode import close_pool
from archive.frames import read_frame
from archive.ingest import Source, ingest_file
from archive.kept_pictures import read_kept_picture
from archive.models import Instance
from imaging.errors import MissingError, NoctisError, UnreadableError
from noctis.checkup.files import check_cache
from noctis.checkup.finding import Level
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


def store(name: str, facility: Facility) -> Instance:
    source = Source(door="test", sender="TEST", facility_id=facility.pk)
    outcome = ingest_file(source, io.BytesIO(factories.bundled(name).read_bytes()))
    assert outcome.instance_id is not None
    return Instance.objects.get(pk=outcome.instance_id)


def read_picture(instance: Instance) -> object:
    return bytes(read_kept_picture(instance, 0, "png", lambda: b"a picture"))


def read_pixels(instance: Instance) -> object:
    return bytes(read_frame(instance, 0).data)


def test_a_compressed_frame_is_decoded_once_and_an_uncompressed_one_is_not_kept(
    north: Facility,
) -> None:
    compressed, plain = (store(name, north) for name in ("JPEG2000.dcm", "CT_small.dcm"))
    assert read_pixels(compressed) == read_pixels(compressed)
    read_pixels(plain)
    counts = caches().counts.read()
    assert counts["frames memory misses"] == 1
    assert counts["frames memory hits"] == 1
    assert len(caches().memory) == 1
    close_pool()


@pytest.mark.parametrize("read", [read_pixels, read_picture])
def test_a_file_that_is_gone_or_cut_is_said_although_its_picture_is_kept(
    north: Facility, read: Callable[[Instance], object]
) -> None:
    instance = store("MR_small_RLE.dcm", north)
    whole = read(instance)
    path = storage.path_of(instance.storage_key)
    content = path.read_bytes()
    for damage, error in ((path.unlink, MissingError), (path.touch, UnreadableError)):
        damage()
        with pytest.raises(error) as said:
            read(instance)
        assert isinstance(said.value, NoctisError)
    path.write_bytes(content)
    assert read(instance) == whole
    close_pool()


@pytest.mark.usefixtures("db")
def test_metrics_and_the_check_up_tell_of_the_caches(client: Client, settings: Settings) -> None:
    for _ in range(3):
        caches().read(FRAMES, make_key("x"), lambda: Piece("u8", b"pixels"))
    text = client.get("/metrics").content.decode()
    assert 'noctis_cache_hits_total{cache="frames",store="memory"} 2.0' in text
    assert 'noctis_cache_misses_total{cache="frames",store="disk"} 1.0' in text
    (finding,) = check_cache()
    assert finding.level is Level.OK
    settings.NOCTIS_DISK_RESERVE_MB = 1 << 30
    (finding,) = check_cache()
    assert finding.level is Level.WARN
