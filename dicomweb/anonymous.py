"""A stored instance without what identifies its patient, on its way out (PS3.18 9.4.1.2.1)."""

from __future__ import annotations

import contextlib
import hmac
import os
from collections.abc import Iterator

from django.conf import settings
from django.utils.translation import gettext as _

from accounts.models import User
from archive import storage
from archive.models import Instance
from archive.transcode import transcoded
from imaging.deidentify import Deidentifier
from imaging.deidentify_file import DeidentifiedFile
from imaging.errors import UnsupportedError


class AnonymousBody:
    """One instance de-identified, as a file; read it once, close it after use.

    Raises UnsupportedError when its pixels may show a name or it is a document that cannot be
    cleaned, and as `archive.transcode.transcoded` where another transfer syntax is wanted.
    """

    def __init__(self, user: User, instance: Instance, syntax: str) -> None:
        self._stack = contextlib.ExitStack()
        try:
            if syntax == instance.transfer_syntax_uid:
                file = self._stack.enter_context(storage.open_instance(instance.storage_key))
                size = instance.size_bytes
            else:
                path = storage.path_of(instance.storage_key)
                descriptor, _offset, size = self._stack.enter_context(transcoded(path, syntax))
                file = self._stack.enter_context(os.fdopen(os.dup(descriptor), "rb"))
            self._made = DeidentifiedFile(file, size, Deidentifier(_key_of(user, instance)))
            if self._made.risk:
                raise UnsupportedError(_("The pixels may show a name, which cannot be removed."))
            if not self._made.may_leave:
                raise UnsupportedError(_("This kind of document cannot be de-identified."))
        except BaseException:
            self.close()
            raise
        self.syntax = self._made.transfer_syntax_uid

    def __iter__(self) -> Iterator[bytes]:
        """Yield it in pieces, and close it."""
        with self._stack:
            yield from self._made.pieces()

    def close(self) -> None:
        """Close what is open; may be called twice."""
        self._stack.close()


def _key_of(user: User, instance: Instance) -> bytes:
    """Return the key of what is replaced: instances of one study that one person fetches agree."""
    purpose = f"wado anonymize\0{user.pk}\0{instance.study_id}"
    return hmac.digest(settings.SECRET_KEY.encode(), purpose.encode(), "sha256")
