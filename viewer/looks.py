"""How a picture is asked for: window, preset, filters, colours, parsed strictly."""

from __future__ import annotations

import re
from collections.abc import Mapping

from django.utils.translation import gettext as _

from archive.models import Instance
from archive.presets import offer_for_frame
from archive.rendering import Rendering
from imaging.automatic_window import AUTOMATIC
from imaging.colour_maps import BY_CODE
from imaging.enhance import FILTERS, LEAST_STRENGTH, MOST_STRENGTH, Filter
from imaging.lut import Window
from imaging.presets import EVERY_PRESET, SHARE
from viewer.parameters import ParameterError, parse_switch, parse_width, parse_window

_STRENGTH = re.compile(r"\d(?:\.\d{1,3})?", re.ASCII)


def parse_rendering(query: Mapping[str, str], instance: Instance, frame: int) -> Rendering:
    """Return how one frame, counted from 0, is asked for.

    Raises `ParameterError`, with words for the person who asked.
    """
    window, percentiles = _parse_level(query, instance, frame)
    return Rendering(
        window=window,
        percentiles=percentiles,
        filters=parse_filters(query.get("enhance")),
        invert=parse_switch(query.get("invert") or "0", name="invert"),
        colour_map=parse_colour_map(query.get("colormap")),
        width_px=parse_width(query.get("width")),
        overlays=parse_switch(query.get("overlays"), name="overlays"),
        shutter=parse_switch(query.get("shutter"), name="shutter"),
    )


def parse_filters(text: str | None) -> tuple[Filter, ...]:
    """Return the filters of `name[:strength],…`; each at most once, order without meaning."""
    if text is None:
        return ()
    found: dict[str, Filter] = {}
    for part in text.split(","):
        name, colon, strength = part.partition(":")
        if name not in FILTERS:
            known = ", ".join(FILTERS)
            raise ParameterError(_("enhance: use %(names)s.") % {"names": known})
        if name in found:
            raise ParameterError(_("enhance: name each filter once."))
        if colon and not _STRENGTH.fullmatch(strength):
            raise ParameterError(_("enhance: a strength is a number, such as sharpen:1.5."))
        value = float(strength) if colon else 1.0
        if not LEAST_STRENGTH <= value <= MOST_STRENGTH:
            limits = {"least": LEAST_STRENGTH, "most": MOST_STRENGTH}
            raise ParameterError(
                _("enhance: a strength is between %(least)s and %(most)s.") % limits
            )
        found[name] = Filter(name, value)
    return tuple(found[name] for name in FILTERS if name in found)


def parse_colour_map(text: str | None) -> str:
    """Return the code of a colour map, empty when none is wanted."""
    if text is None:
        return ""
    if text not in BY_CODE:
        raise ParameterError(_("colormap: use %(names)s.") % {"names": ", ".join(BY_CODE)})
    return text


def _parse_level(
    query: Mapping[str, str], instance: Instance, frame: int
) -> tuple[Window | None, tuple[float, float] | None]:
    """Return window or percentiles, whichever is asked for; neither leaves it to the file."""
    window, preset = query.get("window"), query.get("preset")
    if window is not None and preset is not None:
        raise ParameterError(_("window and preset: give one of the two."))
    if window == "auto":
        return None, AUTOMATIC
    if preset is None:
        return parse_window(window), None
    if preset not in {one.code for one in EVERY_PRESET}:
        codes = ", ".join(one.code for one in EVERY_PRESET)
        raise ParameterError(_("preset: use one of %(codes)s.") % {"codes": codes})
    offer = offer_for_frame(instance, frame)
    found = offer.find(preset)
    if found is None:
        reason = _(offer.why_not) if offer.why_not else _("This modality has no such preset.")
        raise ParameterError(_("preset: %(reason)s") % {"reason": reason})
    if found.unit == SHARE:
        return None, (found.first, found.second)
    return Window(*offer.levels(found)), None
