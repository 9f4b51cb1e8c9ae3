"""Threshold segmentation: volume in ml, and a DICOM segmentation where wanted."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError

from imaging.segmentation_writer import PROPERTIES, SegmentText
from reconstruction.kind_surface import VALUE_LIMIT
from reconstruction.segmentations import write_tissue
from reconstruction.tissue import Wish, segment
from reconstruction.wishes import (
    COORDINATE_LIMIT_MM,
    Parameters,
    read_choice,
    read_choices,
    read_integer,
    read_number,
    read_points,
    read_switch,
    read_vector,
    refuse_unknown,
)
from reconstruction.work import Work

DICOM, JSON = "dicom", "json"
OUTPUTS = (DICOM, JSON)
LABEL_LENGTH = 64
_KNOWN = frozenset(
    {
        "lowest", "highest", "seed", "box", "largest", "fill", "property", "label", "output",
        "time_point",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class WantedSegmentation:
    """A segmentation as it was asked for."""

    wish: Wish
    what: str
    label: str
    output: tuple[str, ...]
    time_point: int


def parse(parameters: Parameters) -> WantedSegmentation:
    """Return what is asked for. Raises `ValidationError`."""
    refuse_unknown(parameters, _KNOWN)
    lowest = read_number(parameters, "lowest", -VALUE_LIMIT, VALUE_LIMIT)
    highest = read_number(parameters, "highest", -VALUE_LIMIT, VALUE_LIMIT, VALUE_LIMIT)
    if highest < lowest:
        raise ValidationError(_("highest: it must not be below lowest."))
    has = {name: parameters.get(name) is not None for name in ("seed", "box")}
    if has["seed"] and parameters.get("largest"):
        raise ValidationError(_("largest: give it or seed, not both."))
    what = read_choice(parameters, "property", tuple(PROPERTIES), "tissue")
    return WantedSegmentation(
        wish=Wish(
            lowest=lowest,
            highest=highest,
            seed=read_vector(parameters, "seed", COORDINATE_LIMIT_MM) if has["seed"] else None,
            box=read_points(parameters, "box", 2, 2) if has["box"] else None,
            largest=read_switch(parameters, "largest"),
            fill=read_switch(parameters, "fill"),
        ),
        what=what,
        label=_read_label(parameters, PROPERTIES[what].kind.meaning),
        output=read_choices(parameters, "output", OUTPUTS, (JSON,)),
        time_point=read_integer(parameters, "time_point", 0, 99_999, 0),
    )


def _read_label(parameters: Parameters, default: str) -> str:
    given = parameters.get("label", default)
    is_line = isinstance(given, str) and given.isprintable() and "\\" not in given
    if not is_line or not 1 <= len(str(given).strip()) <= LABEL_LENGTH:
        words = _("label: give a line of 1 to %(most)d characters, no backslash.")
        raise ValidationError(words % {"most": LABEL_LENGTH})
    return str(given).strip()


def run(work: Work, wanted: WantedSegmentation) -> None:
    """Segment, measure, and write what is wanted."""
    volume = work.open_volume(time_point=wanted.time_point)
    wish = wanted.wish
    found = segment(volume, wish, work.folder / "mask", lambda done: work.step(0.8 * done))
    if DICOM in wanted.output:
        text = SegmentText(
            what=PROPERTIES[wanted.what],
            label=wanted.label,
            algorithm="Threshold",
            parameters=_describe(wish),
            is_connected=wish.seed is not None or wish.largest,
        )
        work.keep_series([write_tissue(work, volume, found, text)])
    if JSON in wanted.output:
        about = {
            **{name: _plain(value) for name, value in _asked(wish).items()},
            "property": wanted.what,
            "label": wanted.label,
            "series_instance_uid": work.series.series_instance_uid,
            "is_exact": volume.scale.is_exact,
            "notes": volume.about.get("notes", []),
            **found.to_json(),
        }
        path = work.folder / "segmentation.json"
        path.write_text(json.dumps(about, indent=1, allow_nan=False))
        work.keep_file(path, "segmentation.json", "application/json")
    work.step(1.0)


def _asked(wish: Wish) -> dict[str, object]:
    highest = wish.highest if wish.highest < VALUE_LIMIT else None
    return {
        "lowest": wish.lowest,
        "highest": highest,
        "seed": wish.seed,
        "box": wish.box,
        "largest": wish.largest,
        "fill": wish.fill,
    }


def _plain(value: object) -> object:
    return value.tolist() if isinstance(value, np.ndarray) else value


def _describe(wish: Wish) -> dict[str, str]:
    """Return the algorithm's parameters as text, those that were given."""
    return {
        name: str(_plain(value))[:1024]
        for name, value in _asked(wish).items()
        if value is not None and value is not False
    }
