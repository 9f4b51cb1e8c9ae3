"""What the values of an order may be: the bounds of DICOM, in words that people understand.

Scanners copy these values into every image, so what DICOM cannot carry is
refused when it is entered, not when a scanner chokes on it (PS3.5 6.2).
"""

from __future__ import annotations

import re
from typing import Any, TypedDict

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from archive.models import UID_LENGTH

SHORT_LENGTH = 16
LINE_LENGTH = 64
TEXT_LENGTH = 1024
NAME_LENGTH = 64 * 3 + 2
AE_LIST_LENGTH = 16 * 8
MOST_CODES = 16

_UID = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+")
_AE_TITLE = re.compile(r"[\x20-\x5b\x5d-\x7e]{1,16}")
_CODE_STRING = re.compile(r"[A-Z0-9_ ]{1,16}")


class Code(TypedDict, total=False):
    """A coded entry (PS3.3 8.8): value, scheme and meaning; the version where there is one."""

    code_value: str
    coding_scheme_designator: str
    coding_scheme_version: str
    code_meaning: str


def check_line(value: str) -> None:
    """Refuse what one line of DICOM text cannot hold: control characters and backslashes."""
    if "\\" in value or any(ord(one) < 32 or ord(one) == 127 for one in value):
        raise ValidationError(_("Write one line without backslash."), "line")


def check_text(value: str) -> None:
    """Refuse control characters but line ends, which longer texts may have."""
    if any((ord(one) < 32 and one not in "\r\n\t\f") or ord(one) == 127 for one in value):
        raise ValidationError(_("The text holds characters that cannot be written."), "text")


def check_name(value: str) -> None:
    """Refuse what is no person name: family^given^middle^prefix^suffix, in three groups at most."""
    check_line(value)
    groups = value.split("=")
    if len(groups) > 3 or any(len(group) > 64 or group.count("^") > 4 for group in groups):
        raise ValidationError(
            _("Write the name as FAMILY^GIVEN^MIDDLE^PREFIX^SUFFIX, 64 characters at most."), "name"
        )


def check_uid(value: str) -> None:
    """Refuse what is no UID (PS3.5 9.1)."""
    if len(value) > UID_LENGTH or not _UID.fullmatch(value):
        raise ValidationError(
            _("Give a UID: numbers and dots, 64 characters at most, no leading zeros."), "uid"
        )


def check_ae_titles(value: str) -> None:
    """Refuse what is no list of AE titles, separated by backslashes."""
    for title in value.split("\\"):
        if not _AE_TITLE.fullmatch(title) or not title.strip():
            raise ValidationError(
                _("Give AE titles of 1 to 16 plain characters; separate several by a backslash."),
                "ae_title",
            )


def check_modality(value: str) -> None:
    """Refuse what is no code string."""
    if not _CODE_STRING.fullmatch(value):
        raise ValidationError(
            _("Give the modality in capital letters, such as CT, MR or US."), "modality"
        )


def check_codes(value: Any) -> None:
    """Refuse what is no list of coded entries."""
    if not isinstance(value, list) or len(value) > MOST_CODES:
        raise ValidationError(_("Give a list of at most %(count)d codes.") % {"count": MOST_CODES})
    for code in value:
        _check_code(code)


def _check_code(code: Any) -> None:
    bounds = {
        "code_value": SHORT_LENGTH,
        "coding_scheme_designator": SHORT_LENGTH,
        "coding_scheme_version": SHORT_LENGTH,
        "code_meaning": LINE_LENGTH,
    }
    if not isinstance(code, dict) or not set(code) <= set(bounds):
        raise ValidationError(_("A code has value, scheme, version and meaning, nothing else."))
    for name, length in bounds.items():
        text = code.get(name, "")
        is_needed = name != "coding_scheme_version"
        if not isinstance(text, str) or len(text) > length or (is_needed and not text.strip()):
            raise ValidationError(
                _("Each code needs a value, a scheme (16 characters) and a meaning (64)."), "code"
            )
        check_line(text)


# --- columns ------------------------------------------------------------------------
def short(label: Any, **also: Any) -> models.CharField[str, str]:
    """Return a column of a Short String (SH)."""
    return models.CharField(
        label, max_length=SHORT_LENGTH, blank=True, validators=[check_line], **also
    )


def line(label: Any, **also: Any) -> models.CharField[str, str]:
    """Return a column of a Long String (LO)."""
    return models.CharField(
        label, max_length=LINE_LENGTH, blank=True, validators=[check_line], **also
    )


def name(label: Any, **also: Any) -> models.CharField[str, str]:
    """Return a column of a Person Name (PN)."""
    return models.CharField(
        label, max_length=NAME_LENGTH, blank=True, validators=[check_name], **also
    )


def text(label: Any, **also: Any) -> models.TextField[str, str]:
    """Return a column of a longer text (LT)."""
    return models.TextField(
        label, max_length=TEXT_LENGTH, blank=True, validators=[check_text], **also
    )


def codes(label: Any, **also: Any) -> models.JSONField[list[Code], list[Code]]:
    """Return a column of coded entries."""
    return models.JSONField(label, default=list, blank=True, validators=[check_codes], **also)
