"""Planes as pictures for the eye, by the same pipeline as the series' own images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from django.contrib.auth.models import AnonymousUser
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError

from accounts.models import User
from archive.lookup_tables import read_instance_header
from archive.models import Instance
from archive.presets import offer_for_frame
from imaging.display import Grayscale, encode_jpeg, encode_png, render_frame
from imaging.errors import MissingError
from imaging.lut import Window
from imaging.ordering import frame_view
from imaging.presets import SHARE
from reconstruction.plane_form import JPEG, WantedPlane
from reconstruction.volume_files import Volume


def encode_plane(user: User, volume: Volume, picture: np.ndarray, wanted: WantedPlane) -> bytes:
    """Return a plane, int16 of `volume`, as PNG or JPEG.

    Without window or preset the series' middle image decides. Raises `ValidationError` for a
    preset that the series is not offered. Costs a query or two.
    """
    instance, frame = find_middle(user, volume)
    pipeline = pipeline_of(instance, frame, volume)
    window = wanted.window
    if wanted.preset:
        window = _window_of(wanted.preset, instance, frame, (pipeline, picture))
    shown = render_frame(picture, pipeline, window=window)
    return encode_jpeg(shown) if wanted.format == JPEG else encode_png(shown)


def find_middle(user: User | AnonymousUser, volume: Volume) -> tuple[Instance, int]:
    """Return the series' middle image and its frame. Raises `MissingError` when it is gone."""
    key, frame = volume.about["middle"]
    rows = Instance.objects.visible_to(user).select_related("series")
    instance = rows.filter(pk=key).first()
    if instance is None:
        raise MissingError("The series has changed.")
    return instance, frame


def pipeline_of(instance: Instance, frame: int, volume: Volume) -> Grayscale:
    """Return the image's pipeline behind the modality step, which the volume has taken."""
    pipeline = Grayscale.from_image_facts(instance.image, frame=frame)
    facts = frame_view(instance.image, frame)
    if any(facts.get(f"has_{kind}_lut") for kind in ("voi", "presentation")):
        header = read_instance_header(instance)
        pipeline = pipeline.with_tables(header, frame) if header else pipeline
    return replace(
        pipeline,
        slope=volume.scale.scale,
        intercept=volume.scale.offset,
        modality_lut=None,
        padding=None,
        supplement=None,
    )


def _window_of(
    code: str, instance: Instance, frame: int, shown: tuple[Grayscale, np.ndarray]
) -> Window:
    offer = offer_for_frame(instance, frame)
    found = offer.find(code)
    if found is None:
        reason = _(offer.why_not) if offer.why_not else _("This modality has no such preset.")
        raise ValidationError(_("preset: %(reason)s") % {"reason": reason})
    if found.unit == SHARE:
        pipeline, picture = shown
        return pipeline.percentile_window(picture, (found.first, found.second))
    return Window(*offer.levels(found))
