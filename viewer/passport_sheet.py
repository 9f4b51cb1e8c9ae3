"""The passport of a series in words, for the viewer's panel: sections of rows."""

from __future__ import annotations

from typing import Any

from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from archive.badges import describe_badges
from imaging.suv_body import TYPES
from viewer.passport_words import WORDS, say_reasons

Row = dict[str, Any]

_SOURCES: dict[str, str | Promise] = {
    "pixel_spacing": gettext_lazy("in the patient's plane"),
    "imager": gettext_lazy("at the detector: magnified"),
    "ultrasound_region": gettext_lazy("from an ultrasound region"),
    "calibrated": gettext_lazy("calibrated"),
    "none": gettext_lazy("unknown: lengths are in pixels"),
}
_HU: dict[str, str | Promise] = {
    "calibrated": gettext_lazy("Hounsfield units"),
    "suspect": gettext_lazy("Suspect: do not trust HU values"),
    "not_ct": gettext_lazy("Not Hounsfield units"),
}
_SUV: dict[str, str | Promise] = {
    "ready": gettext_lazy("SUV can be worked out"),
    "not_ready": gettext_lazy("SUV cannot be worked out"),
    "not_pet": gettext_lazy("Not PET"),
}


def describe_passport(passport: dict[str, Any]) -> dict[str, Any]:
    """Return the panel: marks, and sections of rows with name, value, notes and whether to heed."""
    return {
        "badges": describe_badges(passport["badges"]),
        "sections": [
            {"title": _("Space"), "rows": _space(passport)},
            {"title": _("Values"), "rows": _values(passport)},
            {"title": _("Frames tried"), "rows": _frames(passport)},
            {"title": _("Text"), "rows": _text(passport)},
        ],
    }


def _row(name: str, value: str, notes: list[str] | None = None, *, heed: bool = False) -> Row:
    return {"name": name, "value": value, "notes": notes or [], "heed": heed}


def _number(value: float | None, unit: str, *, digits: int = 2) -> str:
    if value is None:
        return _("unknown")
    return f"{number_format(round(value, digits), use_l10n=True)} {unit}".strip()


def _space(passport: dict[str, Any]) -> list[Row]:
    spacing = passport["pixel_spacing_mm"]
    pixel = " x ".join(_number(value, "", digits=4) for value in spacing) + " mm" if spacing else ""
    source = passport["pixel_spacing_source"]
    rows = [
        _row(_("Volume"), _("yes") if passport["is_volume"] else _("no"), _reasons(passport)),
        _row(_("Orientations"), str(passport["orientation_groups"])),
        _row(_("Slices"), str(passport["slice_count"])),
    ]
    if passport["slice_spacing_mm"] is not None:
        even = _("even") if passport["is_uniform"] else _("uneven")
        distance = _number(passport["slice_spacing_mm"], "mm", digits=3)
        rows.append(
            _row(_("Distance"), f"{distance}, {even}", heed=not passport["is_uniform"]),
        )
    if passport["missing_count"]:
        rows.append(_row(_("Missing slices"), str(passport["missing_count"]), heed=True))
    if passport["duplicate_count"]:
        copies = passport.get("identical_count", 0)
        notes = [_("{count} of them copies").format(count=copies)] if copies else []
        count = str(passport["duplicate_count"])
        rows.append(_row(_("Duplicate images"), count, notes, heed=True))
    if passport.get("time_points", 1) > 1:
        rows.append(_row(_("Time points"), str(passport["time_points"])))
    if passport["tilt_deg"]:
        rows.append(_row(_("Gantry tilt"), _number(passport["tilt_deg"], "°"), heed=True))
    rows.append(_row(_("Pixel"), pixel or "-", [str(_SOURCES[source])], heed=source == "none"))
    return rows


def _values(passport: dict[str, Any]) -> list[Row]:
    hu, suv = passport["hu"], passport["suv"]
    rows = []
    if passport["hu"]["reason_codes"] != ["not_ct"]:
        is_suspect = hu["verdict"] == "suspect"
        rows.append(_row(_("CT values"), str(_HU[hu["verdict"]]), _reasons(hu), heed=is_suspect))
    if hu["air_peak_hu"] is not None:
        rows.append(_row(_("Air"), _number(hu["air_peak_hu"], "HU", digits=1)))
    if hu.get("tissue_peak_hu") is not None:
        rows.append(_row(_("Soft tissue"), _number(hu["tissue_peak_hu"], "HU", digits=1)))
    if suv["verdict"] != "not_pet":
        is_lacking = suv["verdict"] == "not_ready"
        rows.append(
            _row(_("PET values"), str(_SUV[suv["verdict"]]), _reasons(suv), heed=is_lacking)
        )
        rows += _kinds_of_uptake(suv)
    bits = ", ".join(map(str, passport["bits_stored"]))
    rows.append(_row(_("Bits stored"), bits or "-"))
    if passport["is_lossy"]:
        rows.append(_row(_("Compression"), _("lossy")))
    if "YES" in passport["burned_in_annotation"]:
        rows.append(_row(_("Burned-in annotation"), _("yes"), heed=True))
    if passport["laterality"]:
        rows.append(_row(_("Side"), ", ".join(passport["laterality"])))
    return rows


def _kinds_of_uptake(suv: dict[str, Any]) -> list[Row]:
    """Say of each kind of uptake value whether it can be had, once any can."""
    if suv["verdict"] != "ready":
        return []
    rows = []
    for kind in TYPES:
        missing = suv.get("missing", {}).get(kind.code)
        if kind.code in suv.get("factors", {}):
            rows.append(_row(kind.sign, _("can be worked out")))
        elif missing:
            notes = say_reasons([missing["reason_code"]], [missing["reason"]])
            rows.append(_row(kind.sign, _("cannot be worked out"), notes))
    return rows


def _frames(passport: dict[str, Any]) -> list[Row]:
    return [
        _row(
            _("Image %(number)d") % {"number": frame["frame"] + 1},
            _("decodes") if frame["decodes"] else _("cannot be decoded"),
            _frame_notes(frame),
            heed=not frame["decodes"],
        )
        for frame in passport["frames"]
    ]


def _frame_notes(frame: dict[str, Any]) -> list[str]:
    """Return what a frame has to say, then the decoder's own words where it has some."""
    code, words = frame.get("reason_code", ""), frame["reason"]
    if code not in WORDS:
        return [words] if words else []
    own = [] if words == WORDS[code] else [words]
    return [*say_reasons([code], [words]), *own]


def _reasons(part: dict[str, Any]) -> list[str]:
    return say_reasons(part["reason_codes"], part["reasons"])


def _text(passport: dict[str, Any]) -> list[Row]:
    text = passport["text"]
    is_flagged = text["verdict"] == "flagged"
    word = _("doubtful") if is_flagged else _("in order")
    return [_row(_("Text"), word, _reasons(text), heed=is_flagged)]
