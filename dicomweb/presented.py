"""Pictures as a stored presentation state shows them (PS3.18 10.4.1.1.3, PS3.4 N.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.contrib.auth.models import AnonymousUser
from django.utils.translation import gettext as _

from accounts.models import User
from archive.models import Instance
from archive.rendering import Rendering, render_picture
from archive.rows import in_facility
from imaging.display import Grayscale
from imaging.errors import QueryError, UnsupportedError
from imaging.lut import LINEAR_EXACT, VOI_LUT_FUNCTIONS, Window, usable_rescale
from imaging.ordering import frame_view
from imaging.presentation import Grey, State, read_state
from imaging.presented import OwnState, own_state, present
from viewer.object_kinds import REFERENCES_LIMIT, open_header

# Greyscale and colour softcopy presentation states (PS3.4 B.5); others combine images.
STATES = frozenset({"1.2.840.10008.5.1.4.1.1.11.1", "1.2.840.10008.5.1.4.1.1.11.2"})


@dataclass(frozen=True, slots=True, eq=False)
class Presentation:
    """A state, the file that holds it, and the rescale that its windows are meant behind."""

    instance: Instance
    state: State
    rescale: tuple[float, float]


def read_presentation(instance: Instance) -> Presentation:
    """Read a stored state.

    Raises UnsupportedError for one that asks for what is not applied here: a picture that is
    shown otherwise than it says would be wrong.
    """
    header = open_header(instance)
    state = read_state(header)
    if instance.sop_class_uid not in STATES or state.unknown or state.left_out:
        raise UnsupportedError(_("This presentation state asks for what cannot be applied here."))
    rescale = usable_rescale(header.number("RescaleSlope"), header.number("RescaleIntercept"))
    return Presentation(instance, state, rescale)


def find_presented(
    user: User | AnonymousUser, presentation: Presentation
) -> Iterator[tuple[Instance, list[int] | None]]:
    """Yield the images of a state that are here, each with its frames, None for all of them."""
    references = presentation.state.images[:REFERENCES_LIMIT]
    uids = [one.sop_instance_uid for one in references]
    visible = Instance.objects.visible_to(user).filter(sop_instance_uid__in=uids)
    rows = in_facility(visible, presentation.instance.facility_id)
    found = {row.sop_instance_uid: row for row in rows.select_related("series", "study__patient")}
    for one in references:
        if one.sop_instance_uid in found:
            frames = [frame - 1 for frame in one.frames if frame > 0]
            yield found[one.sop_instance_uid], frames or None


def check_meant(presentation: Presentation, instance: Instance) -> None:
    """Refuse a state that names images, and not this one."""
    named = {one.sop_instance_uid for one in presentation.state.images}
    if named and instance.sop_instance_uid not in named:
        raise QueryError("presentationUID: the presentation state is not about this image.")


def draw_presented(presentation: Presentation, instance: Instance, frame: int) -> np.ndarray:
    """Return a frame, counted from 0, as a state shows it: uint8, grey or RGB.

    Raises as `archive.rendering.render_picture`, and UnsupportedError where the state's values
    cannot be brought together with the image's.
    """
    own = own_state(presentation.state, instance.sop_instance_uid, frame)
    facts = frame_view(instance.image, frame)
    pipeline = Grayscale.from_image_facts(instance.image, frame=frame)
    is_grey = (facts.get("samples_per_pixel") or 1) == 1 and not pipeline.is_colored
    is_grey = is_grey and facts.get("photometric_interpretation") != "PALETTE COLOR"
    look = Rendering(overlays=False, shutter=False)
    if is_grey:
        look = Rendering(
            window=_window_of(own, presentation, facts, pipeline),
            invert=presentation.state.is_inverted != pipeline.invert,
            overlays=False,
            shutter=False,
        )
    picture = render_picture(instance, frame, look, shutter=presentation.state.shutter)
    return present(picture, own, instance.rows or 1, instance.columns or 1)


def _window_of(
    own: OwnState, presentation: Presentation, facts: dict[str, Any], pipeline: Grayscale
) -> Window:
    """Return the state's window in the image's values; without one all values are shown."""
    if facts.get("has_modality_lut") or facts.get("has_presentation_lut"):
        raise UnsupportedError(_("This presentation state asks for what cannot be applied here."))
    slope, intercept = usable_rescale(pipeline.slope, pipeline.intercept)
    grey: Grey | None = own.grey
    if grey is None or grey.window is None:
        bits, is_signed = facts.get("bits_stored") or 16, facts.get("pixel_representation") == 1
        low = -(1 << (bits - 1)) if is_signed else 0
        ends = (low * slope + intercept, (low + (1 << bits) - 1) * slope + intercept)
        return Window((ends[0] + ends[1]) / 2, abs(ends[1] - ends[0]), LINEAR_EXACT)
    own_slope, own_intercept = presentation.rescale
    if abs(own_slope - slope) > 1e-6 * abs(slope):
        raise UnsupportedError(_("This presentation state has another scale than the image."))
    center, width = grey.window
    function = grey.function if grey.function in VOI_LUT_FUNCTIONS else "LINEAR"
    window = Window(center + intercept - own_intercept, width, function)
    if not window.is_usable:
        raise UnsupportedError(_("This presentation state asks for what cannot be applied here."))
    return window
