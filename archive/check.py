"""Files against rows: what is missing, damaged, or belongs to nobody."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from archive import storage
from archive.models import Discrepancy, Instance
from archive.verify import is_whole

# A file younger than this may still get its row.
GRACE_SECONDS = 3600
_BATCH = 500


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong. `kind` is `missing`, `damaged` or `orphan`."""

    kind: str
    storage_key: str
    sop_instance_uid: str = ""


def find_bad_files(*, read_all: bool) -> Iterator[Finding]:
    """Yield the instances whose file is missing or damaged.

    With `read_all` every byte is hashed, else only existence and size are
    looked at. Streams; the archive may be of any size.
    """
    rows = Instance.objects.order_by("pk").only(
        "storage_key",
        "size_bytes",
        "sop_instance_uid",
        "dataset_offset",
        "dataset_sha256",
        "meta_sha256",
    )
    for instance in rows.iterator(_BATCH):
        kind = _harm(instance, read_all=read_all)
        # A file that was healed or moved in the meantime has another key by now.
        if kind and Instance.objects.filter(storage_key=instance.storage_key).exists():
            yield Finding(kind, instance.storage_key, instance.sop_instance_uid)


def _harm(instance: Instance, *, read_all: bool) -> str:
    try:
        size_bytes = storage.path_of(instance.storage_key).stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return "missing"
    if size_bytes != instance.size_bytes or (read_all and not is_whole(instance)):
        return "damaged"
    return ""


def find_orphans() -> Iterator[Finding]:
    """Yield files below `studies/` that no row names and that are old enough to be left-overs."""
    files = _old_files()
    while batch := list(islice(files, _BATCH)):
        keys = [str(path.relative_to(storage.root())) for path in batch]
        named: set[str] = set()
        for rows in (Instance.objects.all(), Discrepancy.objects.all()):
            named.update(rows.filter(storage_key__in=keys).values_list("storage_key", flat=True))
        yield from (Finding("orphan", key) for key in keys if key not in named)


def _old_files() -> Iterator[Path]:
    newest = time.time() - GRACE_SECONDS
    for path in (storage.root() / "studies").glob("*/*/*"):
        try:
            if path.is_file() and path.stat().st_mtime < newest:
                yield path
        except FileNotFoundError:
            continue
