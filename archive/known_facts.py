"""Facts of instances, parsed once: frames of one object are asked for again and again.

The facts of an object of 20,000 frames are megabytes of JSON. A request reads rows without
them and has them filled in here, from memory where the same content was asked for lately.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from django.db.models import QuerySet

from archive.memory_cache import MemoryCache
from archive.models import Instance
from imaging.frames import NONE, FrameIndex

Facts = dict[str, Any]
RowsT = TypeVar("RowsT", bound="QuerySet[Any]")

LIMIT_BYTES = 32 << 20
# Of fewer frames the parsed facts are kept as they are.
PACKED_FROM = 64
_LARGE = ("image", "frame_table")
# What Python takes for a parsed document beside its text, and for each piece of text.
_PARSED_FACTOR, _EACH_BYTES = 8, 64


class PackedFrames(Sequence[Facts]):
    """Facts of each frame, kept as text, a tenth of what they are parsed; each parsed when asked.

    Not to be written to.
    """

    __slots__ = ("_texts", "size_bytes")

    def __init__(self, frames: Iterable[Facts]) -> None:
        self._texts = [json.dumps(facts, separators=(",", ":")).encode() for facts in frames]
        self.size_bytes = sum(map(len, self._texts)) + _EACH_BYTES * len(self._texts)

    def __len__(self) -> int:
        return len(self._texts)

    @overload
    def __getitem__(self, index: int) -> Facts: ...
    @overload
    def __getitem__(self, index: slice) -> list[Facts]: ...
    def __getitem__(self, index: int | slice) -> Facts | list[Facts]:
        if isinstance(index, slice):
            return [json.loads(text) for text in self._texts[index]]
        facts: Facts = json.loads(self._texts[index])
        return facts


@dataclass(frozen=True, slots=True)
class _Known:
    """What is filled in, and what it takes in memory."""

    image: Facts
    frame_table: bytes | None
    frame_index: FrameIndex
    size_bytes: int


_known: MemoryCache[_Known] = MemoryCache(LIMIT_BYTES, lambda known: known.size_bytes)


def without_facts(rows: RowsT) -> RowsT:
    """Return the query without its large columns, for `fill_facts`."""
    return rows.defer(*_LARGE)


def fill_facts(instances: Iterable[Instance]) -> None:
    """Give rows that were read without them their facts; one query for those not known yet.

    The facts are shared by all requests: nobody may write to them.
    """
    lacking = {}
    for instance in instances:
        known = _known.get(_key_of(instance))
        if known is None:
            lacking[instance.pk] = instance
        else:
            _give(instance, known)
    for row in Instance.objects.filter(pk__in=lacking).only("facts_version", *_CONTENT, *_LARGE):
        known = _pack(row)
        _known.put(_key_of(row), known)
        instance = lacking[row.pk]
        instance.facts_version = row.facts_version
        _give(instance, known)


_CONTENT = ("dataset_sha256", "storage_key")


def _key_of(instance: Instance) -> tuple[uuid.UUID, str, str, int | None]:
    return instance.pk, instance.dataset_sha256, instance.storage_key, instance.facts_version


def _give(instance: Instance, known: _Known) -> None:
    instance.image = known.image
    instance.frame_table = known.frame_table
    instance._frame_index = known.frame_index  # type: ignore[attr-defined]


def _pack(row: Instance) -> _Known:
    image: Facts = row.image
    frames = image.get("frames") or {}
    per_frame = frames.get("per_frame") or []
    size_bytes = 0
    if len(per_frame) >= PACKED_FROM:
        packed = PackedFrames(per_frame)
        image = {**image, "frames": {**frames, "per_frame": packed}}
        size_bytes += packed.size_bytes
        per_frame = []
    base = {name: value for name, value in image.items() if name != "frames"}
    size_bytes += _PARSED_FACTOR * len(json.dumps([base, frames.get("shared"), per_frame]))
    table = None if row.frame_table is None else bytes(row.frame_table)
    index = FrameIndex(NONE, 0) if not table else FrameIndex.from_bytes(table)
    return _Known(image, table, index, size_bytes + 2 * len(table or b""))
