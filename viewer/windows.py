"""The presets of a series as pages and the stack document carry them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from archive.models import Series
from archive.presets import obey_passport, suv_factor_of, suv_kinds_of
from imaging.colour_maps import COLOUR_MAPS
from imaging.presets import offer_presets
from imaging.suv_body import TYPES
from viewer.passport_words import say_reasons

Document = dict[str, Any]

# The names of `imaging.presets` and `imaging.colour_maps`, for the catalogues.
LABELS = (
    _("Abdomen"),
    _("Angio"),
    _("Bone"),
    _("Brain"),
    _("Contrast"),
    _("Full range"),
    _("Hot iron"),
    _("Hot metal blue"),
    _("Liver"),
    _("Lung"),
    _("Mediastinum"),
    _("Neck"),
    _("PET"),
    _("Pelvis"),
    _("Pulmonary embolism"),
    _("Rainbow"),
    _("SUV 0 to 10"),
    _("SUV 0 to 5"),
    _("SUV 0 to 7"),
    _("Soft"),
    _("Spine, soft tissue"),
    _("Stroke"),
    _("Subdural"),
    _("Temporal bone"),
    _("Wide"),
)


def add_windows(stack: Document, series: Series) -> Document:
    """Return a stack document with `windows` (what the series is offered) and `windows_tag`.

    The tag changes with the offer, so that what a browser kept is not taken for the new.
    """
    images = [{**stack["shared"], **image} for image in stack["images"]]
    offered = offer_presets(
        series.modality,
        ((str(facts.get("sop_class_uid", "")), facts) for facts in images),
        body_part=series.body_part_examined,
        suv_factor=suv_factor_of(series),
    )
    offer = obey_passport(offered, series).to_json()
    for preset in offer["presets"]:
        preset["label"] = gettext(preset["label"])
    offer["why_not"] = gettext(offer["why_not"]) if offer["why_not"] else ""
    offer["suv_factor"] = offered.suv_factor
    offer["suv_factors"] = suv_kinds_of(series)
    offer["suv_missing"] = _missing_suv(series)
    tag = hashlib.sha256(json.dumps(offer, sort_keys=True).encode()).hexdigest()[:8]
    return {**stack, "windows": {**offer, "tag": tag}, "opens_at": opens_at(images)}


def opens_at(images: Sequence[Document]) -> int:
    """Return the image that a series is first seen at: the middle one of planes cut from a volume.

    They begin and end at the volume's edge, where there is mostly air.
    """
    kinds = [{str(part).upper() for part in one.get("image_type") or ()} for one in images]
    are_planes = all({"DERIVED", "MPR"} <= kind and "CURVED" not in kind for kind in kinds)
    sides = {tuple(one.get("image_orientation_patient") or ()) for one in images}
    return len(images) // 2 if are_planes and len(sides) == 1 else 0


def _missing_suv(series: Series) -> dict[str, str]:
    """Return in words why kinds of SUV, or all of them, cannot be worked out."""
    suv = (series.passport or {}).get("suv") or {}
    if suv.get("verdict") == "not_ready":
        words = " ".join(say_reasons(suv["reason_codes"], suv["reasons"]))
        return {kind.code: words for kind in TYPES}
    missing = suv.get("missing") or {}
    return {
        kind: say_reasons([why["reason_code"]], [why["reason"]])[0] for kind, why in missing.items()
    }


def list_colour_maps() -> list[Document]:
    """Return the colour maps in the language of this request."""
    return [{**one.to_json(), "label": gettext(one.label)} for one in COLOUR_MAPS]
