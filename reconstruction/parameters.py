"""Single parameters of requests, read strictly: a slip is named, never guessed around."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError

_NUMBER = re.compile(r"[+-]?(?:\d{1,12}(?:\.\d{0,30})?|\.\d{1,30})(?:[eE][+-]?\d{1,3})?", re.ASCII)


def read_real(text: str) -> float | None:
    """Return a finite number, None when the text is none."""
    return float(text) if _NUMBER.fullmatch(text) else None


def read_number(
    query: Mapping[str, str], name: str, least: float, *, most: float, default: float | None = None
) -> float:
    """Return a number within limits. Raises `ValidationError`, as all of these."""
    text = query.get(name)
    if text is None and default is not None:
        return default
    value = read_real(text or "")
    if value is None or not least <= value <= most:
        limits = {"name": name, "least": f"{least:g}", "most": f"{most:g}"}
        raise ValidationError(_("%(name)s: give a number from %(least)s to %(most)s.") % limits)
    return value


def read_integer(
    query: Mapping[str, str], name: str, least: int, *, most: int, default: int
) -> int:
    """Return a whole number within limits."""
    text = query.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"\d{1,6}", text, re.ASCII) or not least <= int(text) <= most:
        limits = {"name": name, "least": least, "most": most}
        raise ValidationError(
            _("%(name)s: give a whole number from %(least)d to %(most)d.") % limits
        )
    return int(text)


def read_vector(query: Mapping[str, str], name: str, *, most: float) -> np.ndarray:
    """Return `x,y,z`, none beyond `most`."""
    values = [read_real(part) for part in query.get(name, "").split(",")]
    numbers = [value for value in values if value is not None and abs(value) <= most]
    if len(values) != 3 or len(numbers) != 3:
        limits = {"name": name, "most": f"{most:g}"}
        raise ValidationError(
            _("%(name)s: give three numbers, x,y,z, none beyond %(most)s.") % limits
        )
    return np.array(numbers, np.float64)


def read_direction(query: Mapping[str, str], name: str) -> np.ndarray:
    """Return `x,y,z` that are not all zero; not of length 1."""
    vector = read_vector(query, name, most=1e6)
    if float(np.linalg.norm(vector)) < 1e-6:
        raise ValidationError(_("%(name)s: it must not be zero.") % {"name": name})
    return vector


def read_choice(query: Mapping[str, str], name: str, choices: tuple[str, ...], default: str) -> str:
    """Return one of the choices."""
    text = query.get(name, default)
    if text not in choices:
        words = {"name": name, "choices": ", ".join(choices)}
        raise ValidationError(_("%(name)s: use one of %(choices)s.") % words)
    return text
