"""The storage: can it be written, is there space, are the files there?"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from django.db.models import QuerySet

from archive import caches, check, storage
from archive.models import Instance
from imaging.errors import NoctisError
from noctis import parts
from noctis.checkup.finding import Finding, fail, ok, warn

# An archive up to this size is looked at whole without being asked.
SMALL_ARCHIVE = 20_000
SAMPLE = 500
GIB = 1024**3


def check_storage() -> Iterator[Finding]:
    """Yield findings on the place where files lie."""
    root = storage.root()
    try:
        parts.write_probe(root / "incoming")
        parts.write_probe(root / "studies")
    except OSError as error:
        yield fail(
            "storage",
            f"{root} cannot be written: {error.strerror}",
            "Is the disk mounted, writable and not full? May this user write there?",
        )
        return
    yield ok("storage", f"{root} can be written and synced")
    if (root / "incoming").stat().st_dev == (root / "studies").stat().st_dev:
        yield ok("file system", "incoming and studies lie on one")
    else:
        yield fail(
            "file system",
            "incoming and studies lie on different ones",
            "A file is moved into its place by renaming, which only works on one file system: "
            "mount the disk at the storage's top directory.",
        )
    yield _check_space()


def _check_space() -> Finding:
    free, total = parts.free_disk_bytes()
    reserve = storage.reserve_bytes(total)
    words = f"{free / GIB:.1f} GiB of {total / GIB:.1f} GiB free, reserve {reserve / GIB:.1f} GiB"
    if free < reserve:
        return fail(
            "disk space",
            words,
            "Nothing is stored until there is more space: grow the disk or remove what is not "
            "Noctis'. NOCTIS_DISK_RESERVE_MB sets the reserve.",
        )
    if free < 2 * reserve + total * 0.05:
        return warn("disk space", words, "Plan more space now; storing stops at the reserve.")
    return ok("disk space", words)


def check_cache() -> Iterator[Finding]:
    """Yield findings on the directory that may be thrown away."""
    wanted, allowed = caches.wanted_disk_bytes(), caches.disk_limit_bytes()
    root = caches.cache_root()
    words = f"{allowed / GIB:.1f} of {wanted / GIB:.1f} GiB may be used in {root}"
    try:
        parts.write_probe(root)
    except OSError as error:
        yield warn(
            "cache",
            f"{root} cannot be written: {error.strerror}",
            "Pictures are decoded anew each time: let this user write there.",
        )
        return
    if allowed < wanted:
        yield warn(
            "cache",
            words,
            "The disk of the home is nearly full, so fewer pictures are kept: grow it, or set "
            "NOCTIS_DISK_CACHE_MB lower.",
        )
    else:
        yield ok("cache", words)


def check_files(*, is_full: bool) -> Iterator[Finding]:
    """Yield findings on files against rows."""
    count = Instance.objects.count()
    look_at_all = is_full or count <= SMALL_ARCHIVE
    try:
        bad = list(itertools.islice(_find_bad(look_at_all=look_at_all), 100))
    except NoctisError as error:
        yield fail("files", str(error), "See the storage's finding.")
        return
    looked = f"all {count}" if look_at_all else f"{2 * SAMPLE} of {count}"
    if bad:
        yield fail(
            "files",
            f"{len(bad)}{'+' if len(bad) == 100 else ''} missing or damaged ({looked} looked at), "
            f"such as {bad[0]}",
            "Run manage.py check_archive for the list. Restore these files from the backup, or "
            "ask the sender to send the study again: that heals it.",
        )
    else:
        yield ok("files", f"{looked} instances have their file in its right size")
    if look_at_all:
        yield _check_orphans()
    else:
        yield ok("left-overs", "not looked for; --full does")


def _find_bad(*, look_at_all: bool) -> Iterator[str]:
    if look_at_all:
        yield from (finding.storage_key for finding in check.find_bad_files(read_all=False))
        return
    ordered: QuerySet[Instance] = Instance.objects.order_by("pk")
    sample: Iterable[Instance] = itertools.chain(ordered[:SAMPLE], ordered.reverse()[:SAMPLE])
    for instance in sample:
        try:
            size_bytes = storage.path_of(instance.storage_key).stat().st_size
        except OSError:
            size_bytes = -1
        if size_bytes != instance.size_bytes:
            yield instance.storage_key


def _check_orphans() -> Finding:
    count = sum(1 for _ in check.find_orphans())
    if count:
        return warn(
            "left-overs",
            f"{count} files that no row names",
            "They are harmless and left by a crash: manage.py check_archive --repair removes them.",
        )
    return ok("left-overs", "no file without a row")
