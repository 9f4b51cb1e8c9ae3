"""What a job may be asked for, parsed strictly: parameters as JSON brings them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError

from imaging.lut import Window

Parameters = Mapping[str, object]
COORDINATE_LIMIT_MM = 100_000.0


def refuse_unknown(parameters: Parameters, known: Collection[str]) -> None:
    """Raise for a parameter that does not exist."""
    for name in parameters:
        if name not in known:
            raise ValidationError(_("%(name)s: there is no such parameter.") % {"name": name})


def read_number(
    parameters: Parameters, name: str, least: float, most: float, default: float | None = None
) -> float:
    """Return a number; `default` where it is not given, if there is one."""
    given = parameters.get(name)
    if given is None and default is not None:
        return default
    if not _is_number(given) or not least <= float(given) <= most:  # type: ignore[arg-type]
        limits = {"name": name, "least": f"{least:g}", "most": f"{most:g}"}
        raise ValidationError(_("%(name)s: give a number from %(least)s to %(most)s.") % limits)
    return float(given)  # type: ignore[arg-type]


def read_integer(parameters: Parameters, name: str, least: int, most: int, default: int) -> int:
    """Return a whole number."""
    value = read_number(parameters, name, least, most, default)
    if value != int(value):
        limits = {"name": name, "least": least, "most": most}
        raise ValidationError(
            _("%(name)s: give a whole number from %(least)d to %(most)d.") % limits
        )
    return int(value)


def read_switch(parameters: Parameters, name: str) -> bool:
    """Return whether something is wanted; it is not unless said."""
    given = parameters.get(name, False)
    if not isinstance(given, bool):
        raise ValidationError(_("%(name)s: give true or false.") % {"name": name})
    return given


def read_choice(
    parameters: Parameters, name: str, choices: Collection[str], default: str | None = None
) -> str:
    """Return one of `choices`."""
    given = parameters.get(name, default)
    if not isinstance(given, str) or given not in choices:
        words = {"name": name, "choices": ", ".join(choices)}
        raise ValidationError(_("%(name)s: use one of %(choices)s.") % words)
    return given


def read_choices(
    parameters: Parameters, name: str, choices: Collection[str], default: Collection[str]
) -> tuple[str, ...]:
    """Return some of `choices`, each once; one alone may come without its brackets."""
    given = parameters.get(name, list(default))
    listed = [given] if isinstance(given, str) else given
    if not isinstance(listed, list) or not listed or any(one not in choices for one in listed):
        words = {"name": name, "choices": ", ".join(choices)}
        raise ValidationError(_("%(name)s: use some of %(choices)s.") % words)
    return tuple(dict.fromkeys(listed))


def read_vector(parameters: Parameters, name: str, most: float = COORDINATE_LIMIT_MM) -> np.ndarray:
    """Return three numbers."""
    return _vector(parameters.get(name), name, most)


def read_direction(parameters: Parameters, name: str) -> np.ndarray:
    """Return a unit vector."""
    vector = _vector(parameters.get(name), name, 1e6)
    length = float(np.linalg.norm(vector))
    if length < 1e-6:
        raise ValidationError(_("%(name)s: it must not be zero.") % {"name": name})
    return vector / length


def read_points(parameters: Parameters, name: str, least: int, most: int) -> np.ndarray:
    """Return points, lps in mm, float64 of shape (count, 3)."""
    given = parameters.get(name)
    if not isinstance(given, list) or not least <= len(given) <= most:
        limits = {"name": name, "least": least, "most": most}
        raise ValidationError(_("%(name)s: give %(least)d to %(most)d points.") % limits)
    return np.array([_vector(one, name, COORDINATE_LIMIT_MM) for one in given])


def read_window(parameters: Parameters) -> Window | None:
    """Return `window` ([centre, width]), None when it is not given."""
    given = parameters.get("window")
    if given is None:
        return None
    if not isinstance(given, list) or len(given) != 2 or not all(_is_number(one) for one in given):
        raise ValidationError(_("window: give centre and width, such as [40, 400]."))
    window = Window(float(given[0]), float(given[1]))
    if not window.is_usable:
        raise ValidationError(_("window: the width must be at least 1."))
    return window


def _vector(given: object, name: str, most: float) -> np.ndarray:
    numbers = given if isinstance(given, list) else []
    is_vector = len(numbers) == 3 and all(_is_number(one) for one in numbers)
    if not is_vector or max(abs(one) for one in numbers) > most:
        limits = {"name": name, "most": f"{most:g}"}
        raise ValidationError(
            _("%(name)s: give three numbers, [x, y, z], none beyond %(most)s.") % limits
        )
    return np.array(numbers, np.float64)


def _is_number(given: object) -> bool:
    # Neither endless nor a whole number that no float holds.
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    return is_number and -1e18 < given < 1e18  # type: ignore[operator]
