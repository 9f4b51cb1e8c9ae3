"""The part of a passport that looks at pixels: a few frames, decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from archive.displayable import why_not_displayable
from archive.frames import RGB8, read_frame
from archive.models import Instance, Series
from archive.stack import read_stack
from archive.video import is_video
from imaging.errors import NoctisError, TransientError
from imaging.hounsfield import (
    HuVerdict,
    in_hounsfield,
    judge_pixels,
    rescale_fault,
    why_not_hounsfield,
)
from imaging.ordering import frame_view

# A picture beyond this is not decoded for its values alone.
MOST_SAMPLES_PX = 64 << 20


@dataclass(frozen=True)
class DecodedFrame:
    """A frame that was decoded, and whose it is."""

    instance: Instance
    frame: int
    pixels: np.ndarray


def examine_frames(
    series: Series, images: list[Instance]
) -> tuple[list[dict[str, Any]], list[DecodedFrame]]:
    """Return the passport's `frames` and what was decoded: first, middle and last image.

    `frame` counts the images of the stack from 0. Raises `TransientError`
    when the storage is away: that says nothing of the file.
    """
    by_key = {one.pk: one for one in images}
    stack = read_stack(series)
    if not len(stack):
        # Videos are played by the browser, not decoded here.
        refused = [one for one in images if not is_video(one)][:1]
        return [_refused(index, one) for index, one in enumerate(refused)], []
    reports, decoded = [], []
    for index in sorted({0, len(stack) // 2, len(stack) - 1}):
        instance_id, frame = stack.image(index)
        instance = by_key.get(instance_id)
        if instance is None:
            continue
        report: dict[str, Any] = {
            "frame": index,
            "decodes": True,
            "reason": "",
            "sop_instance_uid": instance.sop_instance_uid,
            "instance_frame": frame,
        }
        try:
            data = read_frame(instance, frame)
            pixels = data.to_array(instance.rows or 0, instance.columns or 0)
            report["reason"] = _remark(pixels, instance, data.pixel_format)
            decoded.append(DecodedFrame(instance, frame, pixels))
        except TransientError:
            raise
        except (NoctisError, ValueError) as error:
            report["decodes"] = False
            report["reason"] = str(error) if isinstance(error, NoctisError) else "The sizes differ."
        reports.append(report)
    return reports, decoded


def _refused(index: int, instance: Instance) -> dict[str, Any]:
    return {
        "frame": index,
        "decodes": False,
        "reason": why_not_displayable(
            instance.sop_class_uid, instance.transfer_syntax_uid, instance.number_of_frames
        )
        or "The images cannot be put in order.",
        "sop_instance_uid": instance.sop_instance_uid,
        "instance_frame": 0,
    }


def _remark(pixels: np.ndarray, instance: Instance, pixel_format: str) -> str:
    """Return what is odd about a frame that decodes; empty when nothing is."""
    low, high = pixels.min(), pixels.max()
    if low == high:
        return "All pixels have the same value."
    stored = int(instance.image.get("bits_stored") or 0)
    if pixel_format == RGB8 or pixels.dtype.kind == "f" or not 0 < stored < 64:
        return ""
    signed = pixels.dtype.kind == "i"
    least, most = (
        (-(1 << (stored - 1)), (1 << (stored - 1)) - 1) if signed else (0, (1 << stored) - 1)
    )
    if low < least or high > most:
        return "Some values need more bits than the file says are stored."
    return ""


def examine_hounsfield(
    instances: list[Instance], images: list[Instance], decoded: list[DecodedFrame]
) -> dict[str, Any]:
    """Return the passport's `hu`; localizers beside a stack are left aside."""
    refusals = [why_not_hounsfield(one.sop_class_uid, _facts(one, 0)) for one in images]
    if not images:
        code = why_not_hounsfield(instances[0].sop_class_uid, {}) if instances else "no_pixels"
        return HuVerdict("not_ct", (code,)).to_json()
    if all(refusals):
        return HuVerdict("not_ct", (refusals[0],)).to_json()
    fit = {one.pk for one, refusal in zip(images, refusals, strict=True) if not refusal}
    for one in images:
        if one.pk in fit and not one.image.get("has_modality_lut"):
            fault = rescale_fault(_facts(one, 0))
            if fault:
                return HuVerdict("suspect", (fault,)).to_json()
    slices, slope = [], 1.0
    for each in decoded:
        facts = _facts(each.instance, each.frame)
        if (
            each.instance.pk in fit
            and each.pixels.ndim == 2
            and each.pixels.size <= MOST_SAMPLES_PX
        ):
            slices.append(in_hounsfield(each.pixels, facts))
            slope = float(facts.get("rescale_slope") or 1.0)
    if not slices:
        return HuVerdict("calibrated", ("pixels_unread",)).to_json()
    return judge_pixels(slices, slope=slope).to_json()


def _facts(instance: Instance, frame: int) -> dict[str, Any]:
    return frame_view(instance.image, frame)
