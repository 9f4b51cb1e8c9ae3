"""What a stored file says of itself, element by element, for people who look closely."""

from __future__ import annotations

from archive import storage
from archive.models import Instance
from imaging.header import read_header
from imaging.tag_table import TagRow, list_tags

# Rows of one answer; a longer header is searched instead of leafed through.
MOST_ROWS = 10_000


def read_tags(instance: Instance, *, search: str = "") -> tuple[list[TagRow], bool]:
    """Return the file's elements, at most `MOST_ROWS`, and whether there are more.

    Raises
    ------
    StorageUnavailableError
        The storage does not answer.
    MissingError
        The file is gone.
    UnreadableError, LimitExceededError
        The file is damaged, or larger in its header than is read.
    """
    with storage.open_instance(instance.storage_key) as file:
        header = read_header(file, size=instance.size_bytes)
        return list_tags(header, limit=MOST_ROWS, search=search)
