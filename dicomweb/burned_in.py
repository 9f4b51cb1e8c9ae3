"""Words that are burned into a rendered picture when it is asked for (PS3.18 8.3.5.1.1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from archive.models import Instance
from archive.rendering import Rendering
from dicomweb.rendered_form import PATIENT, TECHNIQUE, RenderedWish
from imaging.geometry import position_along, slice_normal
from imaging.ordering import frame_view
from imaging.picture_marks import Dressing, dress
from viewer.export_marks import patient_lines, picture_lines
from viewer.export_pictures import shown_window

Corners = dict[str, Sequence[str]]


def corners_of(instance: Instance, frame: int, wish: RenderedWish, look: Rendering) -> Corners:
    """Return the lines for the corners of a picture; none when nothing is to be burned in.

    Who it is stands in the first corner; what was done, when, which image it is and how it is
    windowed in the others.
    """
    corners: Corners = {}
    if PATIENT in wish.annotations:
        corners["top_left"] = patient_lines(instance.study)
    if TECHNIQUE in wish.annotations:
        study, series = instance.study, instance.series
        corners["top_right"] = [
            date_format(study.study_date, "Y-m-d") if study.study_date else "",
            study.study_description,
            f"{series.modality} {series.series_number or ''} {series.series_description}".strip(),
        ]
        corners["bottom_right"] = _place_lines(instance, frame)
        corners["bottom_left"] = picture_lines(instance, shown_window(instance, frame, look))
    return corners


def burn_in(picture: np.ndarray, corners: Corners, *, keeps_size: bool) -> np.ndarray:
    """Return the picture with lines in its corners, RGB when there are any."""
    return np.asarray(dress(picture, Dressing(corners=corners, keeps_size=keeps_size)))


def _place_lines(instance: Instance, frame: int) -> list[str]:
    """Return which image of its series it is, which frame, and where it lies."""
    lines = []
    if instance.instance_number is not None:
        lines.append(_("Image %(number)s") % {"number": instance.instance_number})
    if instance.number_of_frames > 1:
        words = {"number": frame + 1, "count": instance.number_of_frames}
        lines.append(_("Frame %(number)s of %(count)s") % words)
    facts = frame_view(instance.image, frame)
    position = facts.get("image_position_patient")
    normal = slice_normal(facts.get("image_orientation_patient") or ())
    if normal is not None and position and len(position) == 3:
        lines.append(f"{position_along(normal, position):.1f} mm")
    return lines
