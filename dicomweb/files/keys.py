"""The key by which a client names a stored file: it looks like a path and never is one."""

from __future__ import annotations

import re
import uuid

from django.contrib.auth.models import AnonymousUser

from accounts.models import User
from archive.models import Instance
from imaging.errors import MissingError

# What the interface says of a file that is not there, is another's, or cannot be.
NOT_FOUND = "DICOM file not found"
_KEY = re.compile(r"studies/([0-9a-f]{32})/([0-9a-f]{32})/([0-9a-f]{32})\.dcm", re.ASCII)


def file_path_of(instance: Instance) -> str:
    """Return the key of an instance: made of the keys of its rows, not of where it lies."""
    study, series = instance.study_id, instance.series_id
    return f"studies/{study.hex}/{series.hex}/{instance.pk.hex}.dcm"


def find_file(user: User | AnonymousUser, file_path: str) -> Instance:
    """Return the instance of a key, with its study and series.

    Raises MissingError, always with the same words, when there is none that the user may see.
    """
    match = _KEY.fullmatch(file_path)
    if match is None:
        raise MissingError(NOT_FOUND)
    study, series, key = (uuid.UUID(part) for part in match.groups())
    rows = Instance.objects.visible_to(user).select_related("study__patient", "series")
    found = rows.filter(pk=key, study=study, series=series).first()
    if found is None:
        raise MissingError(NOT_FOUND)
    return found
