"""Facts that are filled in are those of the database, whoever asked first."""

from __future__ import annotations

import copy
import io
import json
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pytest_django import DjangoAssertNumQueries

from archive import known_facts, refresh
from archive.frames import read_frame
from archive.ingest import Source, ingest_file
from archive.known_facts import PackedFrames, fill_facts, without_facts
from archive.memory_cache import MemoryCache
from archive.models import Instance
from archive.phantom import PhantomShape, build_datasets
from imaging.ordering import frame_view
from tests.factories import as_part10

pytestmark = pytest.mark.django_db


def enhanced(frames: int) -> bytes:
    """Return an object with a position for each frame; pixels of a frame are its number."""
    dataset = copy.deepcopy(next(iter(build_datasets(PhantomShape(rows=32, columns=32, slices=1)))))
    size = len(dataset.PixelData)
    dataset.NumberOfFrames = frames
    dataset.PixelData = b"".join(
        number.to_bytes(2, "little") * (size // 2) for number in range(frames)
    )
    groups = []
    for number in range(frames):
        position, group = Dataset(), Dataset()
        position.ImagePositionPatient = [0, 0, number]
        group.PlanePositionSequence = [position]
        groups.append(group)
    dataset.PerFrameFunctionalGroupsSequence = groups
    return as_part10(dataset)


@pytest.fixture
def large() -> Instance:
    ingest_file(Source(door="test", sender="CT1"), io.BytesIO(enhanced(100)))
    return Instance.objects.get()


def read_again() -> Instance:
    instance = without_facts(Instance.objects.all()).get()
    fill_facts([instance])
    return instance


def test_filled_facts_are_the_stored_ones_and_cost_no_query_the_second_time(
    large: Instance, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    first = read_again()
    with django_assert_num_queries(1):
        again = read_again()
        read_frame(again, 42)
    for instance in (first, again):
        assert json.loads(json.dumps(instance.image, default=list)) == large.image
        assert bytes(instance.frame_table or b"") == bytes(large.frame_table or b"")
        assert list(frame_view(instance.image, 42)) == list(frame_view(large.image, 42))
        assert frame_view(instance.image, 42)["image_position_patient"] == [0, 0, 42]
        assert read_frame(instance, 42).to_array(32, 32).max() == 42


def test_other_content_is_never_taken_for_the_known(large: Instance) -> None:
    read_again()
    Instance.objects.update(facts_version=None, image={"rows": 1})
    assert read_again().image == {"rows": 1}
    refresh.refresh_outdated()
    assert read_again().image["rows"] == 32


def test_packed_facts_read_like_a_list() -> None:
    frames: list[dict[str, Any]] = [{"window_center": [number / 3]} for number in range(70)]
    packed = PackedFrames(frames)
    assert list(packed) == frames
    assert (packed[-1], packed[3:5], len(packed)) == (frames[-1], frames[3:5], 70)
    with pytest.raises(IndexError):
        packed[70]


def test_what_is_known_is_bounded(large: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    small = MemoryCache(200_000, known_facts._known._size_of)
    monkeypatch.setattr(known_facts, "_known", small)
    for number in range(30):
        Instance.objects.update(dataset_sha256=f"{number:064}")
        read_again()
        assert small.used_bytes <= 200_000
    assert 0 < len(small) < 30
