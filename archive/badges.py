"""What of a passport is worth a mark in a list, and the words of the marks."""

from __future__ import annotations

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

# code -> (mark, what it means); in the order in which they are shown.
BADGES: dict[str, tuple[str | Promise, str | Promise]] = {
    "cannot_decode": (_("Unreadable image"), _("Some images cannot be decoded.")),
    "hu_suspect": (_("HU suspect"), _("The CT values do not look like Hounsfield units.")),
    "missing_slices": (_("Missing slices"), _("Slices are missing between the others.")),
    "duplicates": (_("Duplicates"), _("Several images lie at one position.")),
    "uneven": (_("Uneven"), _("The distance between slices is not the same everywhere.")),
    "tilt": (_("Tilt"), _("The gantry was tilted: the slices are sheared.")),
    "uncalibrated": (
        _("Uncalibrated"),
        _("The size of a pixel is not known: lengths are in pixels, not in mm."),
    ),
    "no_suv": (_("No SUV"), _("Uptake values cannot be worked out.")),
    "text_flagged": (_("Text"), _("Some text of the files is damaged or not by the standard.")),
}


def find_badges(passport: dict[str, Any]) -> list[str]:
    """Return the codes of the marks that a passport deserves; none when all is well."""
    reasons = set(passport["reason_codes"])
    deserved = {
        "cannot_decode": any(not frame["decodes"] for frame in passport["frames"]),
        "hu_suspect": passport["hu"]["verdict"] == "suspect",
        "missing_slices": passport["missing_count"] > 0,
        "duplicates": passport["duplicate_count"] > 0,
        "uneven": bool(reasons & {"uneven", "spacing_changes"}),
        "tilt": "tilted" in reasons,
        "uncalibrated": bool(passport["sizes_px"]) and passport["pixel_spacing_mm"] is None,
        "no_suv": passport["suv"]["verdict"] == "not_ready",
        "text_flagged": passport["text"]["verdict"] == "flagged",
    }
    return [code for code in BADGES if deserved[code]]


def describe_badges(codes: list[str]) -> list[dict[str, str]]:
    """Return code, mark and meaning in the language of this request; unknown codes are left out."""
    return [
        {"code": code, "mark": str(BADGES[code][0]), "meaning": str(BADGES[code][1])}
        for code in BADGES
        if code in codes
    ]
