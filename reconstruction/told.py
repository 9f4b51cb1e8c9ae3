"""Why a job ended, in the reader's language: rows keep it as the worker said it, in English."""

from __future__ import annotations

import re

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

# What workers say with numbers or names in it; all else is said as it stands in the catalogue.
_TEMPLATES = (
    _("%(count)d of %(total)d images are stored."),
    _("Its worker ended %(count)d times in the middle of it."),
    _("spacing_mm: these would be %(count)d planes; %(most)d are allowed."),
    _("%(name)s: this would take too long; ask for fewer."),
)
_HOLE = re.compile(r"%\((\w+)\)[ds]")
_SENTENCE = re.compile(r"(?<=[.!?])\s+")


def say_reason(text: str) -> str:
    """Return a reason in the language of this request, by sentences; unknown ones as told."""
    whole = gettext(text) if text else ""
    if whole != text:
        return whole
    return " ".join(_say(sentence) for sentence in _SENTENCE.split(text))


def _say(sentence: str) -> str:
    for template in _TEMPLATES:
        found = _pattern(template).fullmatch(sentence)
        if found:
            # Numbers are told as they are: the catalogue's %(count)d takes them as numbers.
            told = {
                name: int(value) if value.isdecimal() else value
                for name, value in found.groupdict().items()
            }
            return gettext(template) % told
    return gettext(sentence) if sentence else ""


def _pattern(template: str) -> re.Pattern[str]:
    parts = _HOLE.split(template)
    fixed = [
        re.escape(part) if at % 2 == 0 else rf"(?P<{part}>\w+)" for at, part in enumerate(parts)
    ]
    return re.compile("".join(fixed))
