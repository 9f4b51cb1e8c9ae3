"""What of an export may leave de-identified, and in words what stays here and why."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

from accounts.models import User
from archive.models import Instance
from imaging.deidentify import why_risky
from imaging.deidentify_content import content_kind
from imaging.errors import NotAllowedError, UnsupportedError
from viewer.object_kinds import FILE, kind_of

Image = tuple[uuid.UUID, int]

DOCUMENT, UNCLEANED, RISKY = "document", "uncleaned", "risky"
_RISKS = {
    "said": gettext_lazy("its header says that text is burned in"),
    "screen": gettext_lazy("it is a saved screen"),
    "capture": gettext_lazy("it is a secondary capture or a photograph"),
    "modality": gettext_lazy("devices of this modality write names into pictures"),
}
_WORDS: dict[str, Any] = {
    DOCUMENT: ngettext_lazy(
        "%(count)d document (PDF or the like) is left out: nobody can take the names out of it.",
        "%(count)d documents (PDF or the like) are left out: nobody can take the names out of "
        "them.",
        "count",
    ),
    UNCLEANED: ngettext_lazy(
        "%(count)d object (a plan, contours, a voice or the like) is left out: what of it is a "
        "name cannot be told.",
        "%(count)d objects (plans, contours, voices or the like) are left out: what of them is a "
        "name cannot be told.",
        "count",
    ),
    RISKY: ngettext_lazy(
        "%(count)d picture is left out: its pixels may show a name.",
        "%(count)d pictures are left out: their pixels may show a name.",
        "count",
    ),
}


def leave_names(
    wish: dict[str, Any], user: User, images: Sequence[Image]
) -> tuple[list[Image], dict[str, int]]:
    """Return what may leave de-identified, and how many objects and pictures do not, by reason.

    Raises NotAllowedError when pixels may show a name and nobody has said what to do about it,
    UnsupportedError when nothing at all may leave.
    """
    wanted = wish.get("deidentify")
    if not wanted:
        return list(images), {}
    risks: dict[uuid.UUID, str] = {}
    stays: dict[uuid.UUID, str] = {}
    rows = Instance.objects.visible_to(user).filter(pk__in={key for key, _frame in images})
    for instance in rows.select_related("series").defer("frame_table").iterator(500):
        reason = _why_it_stays(instance)
        if reason:
            stays[instance.pk] = reason
        else:
            risks[instance.pk] = _risk_of(instance)
    risky = [risks[key] for key, _frame in images if risks.get(key)]
    if risky and wanted["burned_in"] == "refuse":
        raise NotAllowedError(
            _("Images that may show a name: %(count)d (%(reason)s). Leave them out or accept it.")
            % {"count": len(risky), "reason": _RISKS[risky[0]]}
        )
    if wanted["burned_in"] == "leave_out":
        stays |= {key: RISKY for key, risk in risks.items() if risk}
    leaving = [one for one in images if one[0] in risks and one[0] not in stays]
    left_out = dict(Counter(stays[key] for key, _frame in images if key in stays))
    if not leaving and left_out:
        words = [_("Nothing of this may leave de-identified."), *words_of(left_out)]
        raise UnsupportedError(" ".join(words))
    return leaving, left_out


def left_out_of(wish: Mapping[str, Any]) -> dict[str, int]:
    """Return what an export leaves out, by reason; rows of before had a number alone."""
    found = wish.get("left_out")
    return found if isinstance(found, dict) else {}


def words_of(left_out: Mapping[str, int]) -> list[str]:
    """Return a sentence for each reason."""
    return [str(_WORDS[why] % {"count": count}) for why, count in left_out.items() if count]


def _why_it_stays(instance: Instance) -> str:
    """Return why an object must not leave, empty when it may."""
    if instance.number_of_frames or content_kind(instance.sop_class_uid):
        return ""
    return DOCUMENT if kind_of(instance.sop_class_uid, 0) == FILE else UNCLEANED


def _risk_of(instance: Instance) -> str:
    """Return why a picture may show a name, empty for no reason."""
    if not instance.number_of_frames:
        return ""
    image = instance.image
    return why_risky(
        str(image.get("burned_in_annotation", "")), instance.series.modality,
        instance.sop_class_uid, image.get("image_type") or (),
    )  # fmt: skip
