"""What a request for pictures may say, parsed strictly: a slip is named, never guessed around."""

from __future__ import annotations

import re

from django.utils.translation import gettext as _

from imaging.lut import Window

IMAGES_LIMIT = 64
TEXT_LIMIT = 1000
WIDTH_LIMIT_PX = 4096

_RANGE = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,9}(?:\.\d{1,9})?(?:[eE][+-]?\d{1,2})?", re.ASCII)


class ParameterError(ValueError):
    """A parameter that cannot be understood; its text is for the person who asked."""


def parse_images(text: str, *, count: int) -> list[int]:
    """Return the stack indices that `images` asks for, in its order, counted from 0.

    `text` is a comma list of indices and inclusive ranges: `0-15`, `7,3,20-30`.
    """
    if not text or len(text) > TEXT_LIMIT:
        raise ParameterError(_("images: say which, such as 0-15 or 3,5,8-12."))
    indices: list[int] = []
    for part in text.split(","):
        match = _RANGE.fullmatch(part)
        if not match:
            raise ParameterError(_("images: use numbers and ranges, such as 0-15 or 3,5,8-12."))
        first = int(match[1])
        last = int(match[2] or match[1])
        if last < first:
            raise ParameterError(_("images: a range must not run backwards."))
        if last >= count:
            raise ParameterError(_("images: this stack has %(count)d images.") % {"count": count})
        if len(indices) + last - first + 1 > IMAGES_LIMIT:
            raise ParameterError(
                _("images: at most %(limit)d images a request.") % {"limit": IMAGES_LIMIT}
            )
        indices.extend(range(first, last + 1))
    return indices


def parse_window(text: str | None) -> Window | None:
    """Return the window of `c,w`, or None when the picture's own is wanted."""
    if text is None:
        return None
    parts = text.split(",")
    if len(parts) != 2 or not all(_NUMBER.fullmatch(part) for part in parts):
        raise ParameterError(_("window: give centre and width, such as 40,400."))
    window = Window(float(parts[0]), float(parts[1]))
    if not window.is_usable:
        raise ParameterError(_("window: the width must be at least 1."))
    return window


def parse_width(text: str | None) -> int | None:
    """Return the width in pixels that the picture is to have at most, or None."""
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,5}", text, re.ASCII) or not 1 <= int(text) <= WIDTH_LIMIT_PX:
        raise ParameterError(_("width: give 1 to %(limit)d pixels.") % {"limit": WIDTH_LIMIT_PX})
    return int(text)


def parse_switch(text: str | None, *, name: str) -> bool:
    """Return whether something is wanted that is on unless `0` says otherwise."""
    if text not in (None, "0", "1"):
        raise ParameterError(_("%(name)s: give 0 or 1.") % {"name": name})
    return text != "0"
