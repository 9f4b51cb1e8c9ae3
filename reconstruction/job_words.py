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


def name_of(kind: str) -> str:
    """Return a kind's name; one that we do not know stands for itself."""
    return str(_NAMES.get(kind, kind))


def describe(parameters: dict[str, Any]) -> str:
    """Return parameters as one short line."""
    words = [f"{name} {_short(value)}" for name, value in sorted(parameters.items())]
    line = ", ".join(words) or gettext("as usual")
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"


def _short(value: object) -> str:
    if isinstance(value, list):
        if value and isinstance(value[0], list | dict):
            return gettext("%(count)d points") % {"count": len(value)}
        return " ".join(_short(one) for one in value[:6])
    return f"{value:g}" if isinstance(value, float) else str(value)
