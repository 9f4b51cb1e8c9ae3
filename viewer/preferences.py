"""A reader's own settings of the viewer: read, and replaced whole."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts.models import User
from imaging.errors import ConflictError
from viewer.models import Preferences
from viewer.preferences_form import FORMAT


def read_preferences(user: User) -> tuple[int, dict[str, Any]]:
    """Return the version and the document; 0 and an empty one when nothing was ever set."""
    row = Preferences.objects.filter(user=user).first()
    return (row.version, row.document) if row else (0, {})


def replace_preferences(user: User, document: dict[str, Any], *, version: int) -> int:
    """Put a document in the place of the one with `version`; return the new version.

    Raises
    ------
    ConflictError
        Another page of the same person has changed them since.
    """
    if version == 0:
        try:
            with transaction.atomic():
                Preferences.objects.create(user=user, document=document, format_version=FORMAT)
        except IntegrityError as error:
            raise _changed() from error
        return 1
    mine = Preferences.objects.filter(user=user, version=version)
    if not mine.update(document=document, format_version=FORMAT, version=version + 1):
        raise _changed()
    return version + 1


def _changed() -> ConflictError:
    return ConflictError(_("Your settings were changed on another page: read them again."))
