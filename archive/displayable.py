"""Which objects the picture viewer can show, and in words why it cannot show the others."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from imaging.pixels import CANNOT_SHOW, SHOWN_SYNTAXES

_STORAGE = "1.2.840.10008.5.1.4.1.1."
# By the longest beginning of the SOP Class UID that fits (PS3.4 B.5).
_KINDS: dict[str, str | Promise] = {
    "9.": gettext_lazy("a waveform"),
    "11.": gettext_lazy("a presentation state"),
    "66.": gettext_lazy("spatial data"),
    "66": gettext_lazy("raw data"),
    "67": gettext_lazy("a table of real-world values"),
    "68.": gettext_lazy("a surface"),
    "88.": gettext_lazy("a structured report"),
    "88.59": gettext_lazy("a selection of key images"),
    "90.1": gettext_lazy("an assessment of content"),
    "91.1": gettext_lazy("annotations of a slide"),
    "104.1": gettext_lazy("a PDF document"),
    "104.2": gettext_lazy("a clinical document (CDA)"),
    "104.3": gettext_lazy("a 3D model (STL)"),
    "104.4": gettext_lazy("a 3D model (OBJ)"),
    "104.5": gettext_lazy("materials of a 3D model"),
    "481.3": gettext_lazy("radiotherapy structures"),
    "481.4": gettext_lazy("a radiotherapy treatment record"),
    "481.5": gettext_lazy("a radiotherapy plan"),
    "481.6": gettext_lazy("a radiotherapy treatment record"),
    "481.7": gettext_lazy("a radiotherapy treatment record"),
    "481.8": gettext_lazy("a radiotherapy plan"),
    "481.9": gettext_lazy("a radiotherapy treatment record"),
    "481.": gettext_lazy("radiotherapy data"),
}


def why_not_displayable(sop_class_uid: str, transfer_syntax_uid: str, frames: int) -> str:
    """Return why instances like this cannot be shown; empty when they can.

    What is known without the pixels is asked: whether there are any, and
    whether their encoding is one that can be decoded.
    """
    if not frames:
        return _("This series holds %(what)s; the picture viewer cannot show it.") % {
            "what": _kind_of(sop_class_uid)
        }
    if transfer_syntax_uid not in SHOWN_SYNTAXES:
        what = CANNOT_SHOW.get(transfer_syntax_uid, f"transfer syntax {transfer_syntax_uid}")
        return _("cannot show: %(what)s") % {"what": what}
    return ""


def _kind_of(sop_class_uid: str) -> str:
    if sop_class_uid.startswith(_STORAGE):
        rest = sop_class_uid.removeprefix(_STORAGE)
        fitting = [
            start
            for start in _KINDS
            if rest == start
            or (rest.startswith(start) if start.endswith(".") else rest.startswith(f"{start}."))
        ]
        if fitting:
            return str(_KINDS[max(fitting, key=len)])
    return _("objects without pictures")
