"""What stands over an exported picture: marks with their numbers, letters, scale, corners."""

from __future__ import annotations

import math
import uuid
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from archive.models import Instance, Study
from imaging.drawn import Drawn
from imaging.geometry import edge_letters
from imaging.lut import Window
from imaging.measure_plane import Plane
from imaging.ordering import frame_view
from imaging.picture_marks import Dressing, Labelled
from imaging.spacing import pixel_aspect
from imaging.text import display_name
from viewer.calibration import PROVENANCE, calibrate, usable_facts
from viewer.export_fusion import fusion_line
from viewer.export_models import Export
from viewer.mark_rows import drawn_of, gather_marks
from viewer.models import Annotation, Measurement

_UNITS = {"deg": "°", "mm2": "mm²", "px2": "px²", "ratio": "", "stored": "", "unnamed": ""}
_SCALED = frozenset({"pixel_spacing", "calibrated", "ultrasound_region"})
_ROIS = frozenset({"rectangle", "ellipse", "circle", "polygon"})
FrameKey = tuple[uuid.UUID, int]


class Dresser:
    """Knows the marks of a study, and dresses its pictures as an export wishes."""

    def __init__(self, export: Export) -> None:
        self._wish = export.wish
        self._is_anonymous = bool(export.wish.get("deidentify"))
        self._study = export.study
        self._fused = fusion_line(export.wish, export.study)
        self._marks: dict[FrameKey, list[Labelled]] = defaultdict(list)
        if self._wish.get("marks"):
            for row in gather_marks(export.study).on_images.drawings:
                if row.is_visible:
                    drawn = drawn_of(row)
                    lines = lines_of(row, drawn, anonymous=self._is_anonymous)
                    self._marks[row.image.pk, row.frame].append(Labelled(drawn, lines))

    def dressing(
        self, instance: Instance, frame: int, *, place: int, count: int, window: Window | None
    ) -> Dressing:
        """Return what is drawn over one picture, the `place`-th (from 1) of `count`."""
        corners: dict[str, Sequence[str]] = {}
        if self._wish.get("demographics"):
            corners = corners_of(self._study, instance, (place, count))
        if self._wish.get("demographics") or self._wish.get("marks"):
            corners["bottom_left"] = [self._fused, *picture_lines(instance, window)]
        if not self._wish.get("marks"):
            return Dressing(corners=corners)
        facts = frame_view(instance.image, frame)
        spacing = scale_of(instance, usable_facts(instance, frame))
        return Dressing(
            pixel_steps=self._steps(instance, pixel_aspect(facts)),
            marks=self._marks.get((instance.pk, frame), ()),
            letters=edge_letters(facts.get("image_orientation_patient") or ()) or {},
            row_mm=float(spacing[0]) if spacing else None,
            corners=corners,
        )

    def _steps(self, instance: Instance, aspect: float) -> tuple[float, float]:
        """Return the size of a stored pixel in those of the picture (archive.rendering)."""
        longest = max((instance.rows or 1) * aspect, float(instance.columns or 1))
        wanted = self._wish.get("longest_px")
        scale = min(1.0, wanted / longest) if wanted else 1.0
        return scale, aspect * scale


def scale_of(instance: Instance, facts: dict[str, Any]) -> Sequence[float] | None:
    """Return the spacing [between rows, between columns] of which a picture may show a scale.

    At the detector a length is not that in the patient: no scale is better than a wrong one,
    unless a reader's line says what is what. Costs a query where a line may.
    """
    if facts.get("pixel_spacing") and facts.get("pixel_spacing_source") in _SCALED:
        spacing: Sequence[float] = facts["pixel_spacing"]
        return spacing
    plane = calibrate(Plane.from_image_facts(facts), instance)
    return plane.spacing if plane.provenance == PROVENANCE else None


def picture_lines(instance: Instance, window: Window | None) -> list[str]:
    """Return what one must know of the picture itself: its window, and whether it lost detail."""
    is_lossy = instance.image.get("lossy_image_compression") == "01"
    is_colour = (instance.image.get("samples_per_pixel") or 1) > 1
    level = f"W {window.width:g} L {window.center:g}" if window and not is_colour else ""
    return [_("Lossy compression") if is_lossy else "", level]


def corners_of(
    study: Study, instance: Instance, place: tuple[int, int]
) -> dict[str, Sequence[str]]:
    """Return who, what and when, for the corners of a picture."""
    series = instance.series
    return {
        "top_left": patient_lines(study),
        "top_right": [
            date_format(study.study_date, "Y-m-d") if study.study_date else "",
            study.study_description,
            f"{series.modality} {series.series_number or ''} {series.series_description}".strip(),
            study.accession_number,
        ],
        "bottom_right": [_("Image %(place)d of %(count)d") % dict(zip(("place", "count"), place,
                                                                   strict=True))],
    }  # fmt: skip


def patient_lines(study: Study) -> list[str]:
    """Return name, ID, birth date and sex of a study's patient."""
    born = date_format(study.patient_birth_date, "Y-m-d") if study.patient_birth_date else ""
    return [
        display_name(study.patient_name),
        study.patient.patient_id,
        " ".join(part for part in (born, study.patient_sex, study.patient_age) if part),
    ]


def lines_of(row: Measurement | Annotation, drawn: Drawn, *, anonymous: bool) -> list[str]:
    """Return what stands beside a mark; words that a person typed stay away when anonymous."""
    words = [] if anonymous else [part for part in (drawn.text, drawn.label) if part]
    if not isinstance(row, Measurement):
        return words
    lines = list(words)
    if row.kind in _ROIS:
        lines += _statistic_lines(row.statistics)
    value = value_text(row.value, row.unit, row.uncertainty)
    if value:
        lines.append(f"{_('Area')} {value}" if row.kind in _ROIS else value)
    return lines


def value_text(value: float | None, unit: str, uncertainty: float | None) -> str:
    """Return a value with as many places as its uncertainty lets it have."""
    if value is None:
        return ""
    name = _UNITS.get(unit, unit)
    between = "" if name in ("°", "") else " "
    if uncertainty and uncertainty > 0:
        places = min(4, max(0, -math.floor(math.log10(uncertainty))))
        return f"{value:.{places}f} ± {uncertainty:.{places}f}{between}{name}"
    return f"{round(value, 2):g}{between}{name}"


def _statistic_lines(statistics: dict[str, Any]) -> list[str]:
    mean, sd = statistics.get("mean"), statistics.get("sd")
    if mean is None or sd is None:
        return []
    unit = str(statistics.get("unit", ""))
    return [f"{_('Mean')} {mean:.1f} {_UNITS.get(unit, unit)}".rstrip(), f"SD {sd:.1f}"]
