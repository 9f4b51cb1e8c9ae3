"""Pages of encapsulated PDFs as pictures, drawn by a process that may die without harm.

Browsers refuse to show a PDF in a locked frame, and an unlocked one is a stranger's program.
"""

from __future__ import annotations

import json
import subprocess
import sys

from django.conf import settings
from django.utils.translation import gettext as _

from archive.kept_pictures import read_kept_picture
from archive.models import Instance
from archive.places import Places
from imaging.errors import MissingError, UndecodableError, UnsupportedError
from imaging.header import Header
from viewer.file_stream import PIECE_BYTES, open_document

SIZE_LIMIT = 64 << 20
SECONDS = 30

_places = Places(2, waiting_limit=16, wait_seconds=20)


def count_pages(instance: Instance, header: Header) -> int:
    """Return how many pages a document has. Raises as `read_page`."""
    return _run(instance, header, -1)[0]


def read_page(instance: Instance, header: Header, number: int) -> bytes:
    """Return a page, counted from 0, as PNG.

    Raises MissingError for a page that is not there, UndecodableError for what is no PDF,
    UnsupportedError for one that is too large.
    """
    return bytes(
        read_kept_picture(instance, number, "pdf-png", lambda: _draw(instance, header, number))
    )


def _draw(instance: Instance, header: Header, number: int) -> bytes:
    count, picture = _run(instance, header, number)
    if number >= count or not picture:
        raise MissingError(_("Not found."))
    return picture


def _run(instance: Instance, header: Header, number: int) -> tuple[int, bytes]:
    with open_document(instance, header) as piece:
        if piece.length > SIZE_LIMIT:
            raise UnsupportedError(_("This document is too large to be drawn; save it."))
        content = b"".join(iter(lambda: piece.read(PIECE_BYTES), b""))
    try:
        with _places.one():
            done = subprocess.run(
                [sys.executable, "-m", "imaging.pdf_page", str(number)],
                input=content,
                capture_output=True,
                check=False,
                timeout=SECONDS,
                cwd=settings.BASE_DIR,
                env={"PATH": "/usr/bin:/bin"},
            )
    except subprocess.TimeoutExpired:
        raise UndecodableError(_("This document cannot be drawn; save it.")) from None
    head, _line, picture = done.stdout.partition(b"\n")
    if done.returncode == 2 and head:
        raise MissingError(_("Not found."))
    if done.returncode != 0:
        raise UndecodableError(_("This document cannot be drawn; save it."))
    return int(json.loads(head)["pages"]), picture
