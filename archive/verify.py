"""Is a stored file still what was received?"""

from __future__ import annotations

import hashlib
from typing import BinaryIO

from archive import storage
from archive.models import Instance
from imaging.errors import MissingError

CHUNK_BYTES = 1024 * 1024


def digest_parts(file: BinaryIO, dataset_offset: int) -> tuple[str, str]:
    """Return the SHA-256 (hex) of a file's part before the data set and of the data set."""
    file.seek(0)
    meta = hashlib.sha256(file.read(dataset_offset)).hexdigest()
    dataset = hashlib.sha256()
    while chunk := file.read(CHUNK_BYTES):
        dataset.update(chunk)
    return meta, dataset.hexdigest()


def is_whole(instance: Instance) -> bool:
    """Whether every byte of the instance's file is as it came (reads the whole file).

    Raises StorageUnavailableError when the storage does not answer, which
    says nothing about the file.
    """
    try:
        with storage.open_instance(instance.storage_key) as file:
            digests = digest_parts(file, instance.dataset_offset)
    except MissingError:
        return False
    except OSError:
        return False
    return digests == (instance.meta_sha256, instance.dataset_sha256)
