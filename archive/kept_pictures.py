"""Rendered pictures that were made before: found again while their file is there."""

from __future__ import annotations

from collections.abc import Callable

from archive import storage
from archive.caches import PICTURES, Piece, caches, make_key
from archive.models import Instance
from imaging.errors import MissingError, StorageUnavailableError, UnreadableError


def read_kept_picture(
    instance: Instance, frame: int, look: str, make: Callable[[], bytes]
) -> bytes | memoryview:
    """Return an encoded picture of one frame, counted from 0, from a cache or from `make`.

    `look` names everything that changes a byte of it: format, size, window,
    filters, and the language where words are drawn in. Whether the person
    may see the instance was decided before.

    Raises `MissingError` or `UnreadableError` when the file is gone or has
    another size, however many pictures of it are kept; else as `make`.
    """
    try:
        size_bytes = storage.path_of(instance.storage_key).stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        raise MissingError("The stored file is missing.") from None
    except OSError as error:
        raise StorageUnavailableError("The storage cannot be read.") from error
    if size_bytes != instance.size_bytes:
        raise UnreadableError("The file is damaged: it has another size than was stored.")
    content = (instance.dataset_sha256, instance.transfer_syntax_uid, instance.facts_version)
    key = make_key(PICTURES, content, frame, look)
    return caches().read(PICTURES, key, lambda: Piece("picture", make())).data
