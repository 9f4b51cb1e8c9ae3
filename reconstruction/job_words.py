"""What kinds of reconstruction are called on pages."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

_NAMES = {
    "mpr": _("Planes (MPR)"),
    "mip": _("Highest values (MIP)"),
    "minip": _("Lowest values (MinIP)"),
    "mean": _("Mean of slabs"),
    "rotating_mip": _("Turning MIP"),
    "curved": _("Curved MPR"),
    "surface": _("Surface"),
    "volume_rendering": _("Volume rendering"),
}
_SHOWN = 160
_ALONE = ("plane", "mode", "tissue", "preset")
_FIRST = (*_ALONE, "thickness_mm", "spacing_mm", "views", "points", "normal", "up")


def name_of(kind: str) -> str:
    """Return a kind's name; one that we do not know stands for itself."""
    return str(_NAMES.get(kind, kind))


def describe(parameters: dict[str, Any]) -> str:
    """Return parameters as one short line, what tells jobs apart first."""
    named = [name for name in _FIRST if name in parameters]
    named += sorted(parameters.keys() - {*_FIRST, "output"})
    words = [_say(name, parameters[name]) for name in named]
    if "output" in parameters:
        words.append(f"→ {_short(parameters['output'])}")
    line = ", ".join(words) or gettext("as usual")
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"


def _say(name: str, value: object) -> str:
    if name in _ALONE:
        return _short(value)
    if name.endswith("_mm") and not isinstance(value, list):
        return f"{name.removesuffix('_mm')} {_short(value)} mm"
    return f"{name} {_short(value)}"


def _short(value: object) -> str:
    if isinstance(value, list):
        if value and isinstance(value[0], list | dict):
            return gettext("%(count)d points") % {"count": len(value)}
        return " ".join(_short(one) for one in value[:6])
    return f"{value:g}" if isinstance(value, float) else str(value)
