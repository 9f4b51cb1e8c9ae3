"""The part of a passport that looks at pixels: a few frames, decoded."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from archive.displayable import why_not_displayable
from archive.frames import RGB8, read_frame
from archive.models import Instance, Series
from archive.stack import Stack, read_stack
from archive.video import is_video
from archive.video_frames import read_video_table
from archive.video_shown import as_shown
from imaging.body_region import find_region
from imaging.errors import (
    MissingError,
    NoctisError,
    TransientError,
    UnreadableError,
    UnsupportedError,
)
from imaging.hounsfield import (
    CT_CLASSES,
    HuVerdict,
    in_hounsfield,
    judge_pixels,
    rescale_fault,
    why_not_hounsfield,
)
from imaging.ordering import frame_view

# What frames may have to say beside what a decoder says; codes are for pages in other languages.
WORDS = {
    "same_value": "All pixels have the same value.",
    "more_bits": "Some values need more bits than the file says are stored.",
    "sizes_contradict": "The picture has another size than the file says.",
    "no_order": "The images cannot be put in order.",
}
_ERROR_CODES: dict[type[Exception], str] = {
    MissingError: "file_missing",
    UnreadableError: "file_damaged",
    UnsupportedError: "unsupported",
    ValueError: "sizes_contradict",
}
# A picture beyond this is not decoded for its values alone.
MOST_SAMPLES_PX = 64 << 20
# So many pixels of one picture are judged, evenly thinned.
JUDGED_PX = 1 << 20
# CT values are judged by so many images, spread evenly, as far as the time allows.
CT_IMAGES = 9
CT_SECONDS = 3.0
# Of so many videos the first frame is tried, wherever it lies in the stack.
VIDEOS_TRIED = 20


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

    Of a CT up to `CT_IMAGES` are decoded; those between are reported when they fail.
    `frame` counts the images of the stack from 0. Raises `TransientError`
    when the storage is away: that says nothing of the file.
    """
    by_key = {one.pk: one for one in images}
    stack = read_stack(series)
    if not len(stack):
        refused = images[:1]
        return [_refused(index, one) for index, one in enumerate(refused)], []
    reports: list[dict[str, Any]] = []
    decoded: list[DecodedFrame] = []
    is_ct = any(one.sop_class_uid in CT_CLASSES for one in images)
    chosen = dict(_choose(len(stack), CT_IMAGES if is_ct else 0))
    for index, is_told in {
        **dict.fromkeys(_first_of_videos(stack, by_key), True),
        **chosen,
    }.items():
        report = _try(stack, index, by_key, decoded)
        if report is not None and (is_told or not report["decodes"]):
            reports.append(report)
    return sorted(reports, key=lambda one: int(one["frame"])), decoded


def _first_of_videos(stack: Stack, by_key: dict[uuid.UUID, Instance]) -> list[int]:
    """Return where each video of a stack begins: all of them are tried, up to `VIDEOS_TRIED`."""
    firsts: dict[int, int] = {}
    for index, owner in enumerate(stack.owners):
        firsts.setdefault(owner, index)
    of_videos = [
        index
        for owner, index in firsts.items()
        if (one := by_key.get(stack.instance_ids[owner])) is not None and is_video(one)
    ]
    return of_videos[:VIDEOS_TRIED]


def _choose(count: int, most: int) -> Iterator[tuple[int, bool]]:
    """Yield images to decode, and whether they are told in any case.

    First, middle and last; then others between, coarse before fine, until the time is over.
    """
    until = time.monotonic() + CT_SECONDS
    told = {0, count // 2, count - 1}
    yield from ((index, True) for index in sorted(told))
    steps = most - 1
    parts = sorted(range(1, steps), key=lambda part: part % 2) if steps > 0 else []
    for index in dict.fromkeys(round(part * (count - 1) / steps) for part in parts):
        if index not in told and time.monotonic() < until:
            yield index, False


def _try(
    stack: Stack, index: int, by_key: dict[uuid.UUID, Instance], decoded: list[DecodedFrame]
) -> dict[str, Any] | None:
    """Decode one image of the stack into `decoded`; returns its report, None if it is gone."""
    instance_id, frame = stack.image(index)
    instance = by_key.get(instance_id)
    if instance is None:
        return None
    report: dict[str, Any] = {
        "frame": index,
        "decodes": True,
        "reason": "",
        "reason_code": "",
        "sop_instance_uid": instance.sop_instance_uid,
        "instance_frame": frame,
    }
    try:
        instance = as_shown(instance)
        data = read_frame(instance, frame)
        pixels = data.to_array(instance.rows or 0, instance.columns or 0)
        code = _remark(pixels, instance, data.pixel_format)
        report |= {"reason_code": code, "reason": WORDS.get(code, "")}
        if not code and "remark" in instance.image:
            report |= {"reason_code": "video_differs", "reason": instance.image["remark"]}
        decoded.append(DecodedFrame(instance, frame, pixels))
    except TransientError:
        raise
    except (NoctisError, ValueError) as error:
        code = next(
            (code for kind, code in _ERROR_CODES.items() if isinstance(error, kind)), "undecodable"
        )
        words = str(error) if isinstance(error, NoctisError) else WORDS[code]
        report |= {"decodes": False, "reason_code": code, "reason": words}
    return report


def _refused(index: int, instance: Instance) -> dict[str, Any]:
    if is_video(instance):
        return _refused_video(index, instance)
    words = why_not_displayable(
        instance.sop_class_uid, instance.transfer_syntax_uid, instance.number_of_frames
    )
    return {
        "frame": index,
        "decodes": False,
        "reason": words or WORDS["no_order"],
        "reason_code": "not_displayable" if words else "no_order",
        "sop_instance_uid": instance.sop_instance_uid,
        "instance_frame": 0,
    }


def _refused_video(index: int, instance: Instance) -> dict[str, Any]:
    words = ""
    try:
        read_video_table(instance)
    except NoctisError as error:
        words = str(error)
    return {
        "frame": index,
        "decodes": False,
        "reason": words or WORDS["no_order"],
        "reason_code": "undecodable" if words else "no_order",
        "sop_instance_uid": instance.sop_instance_uid,
        "instance_frame": 0,
    }


def _remark(pixels: np.ndarray, instance: Instance, pixel_format: str) -> str:
    """Return the code of what is odd about a frame that decodes; empty when nothing is."""
    low, high = pixels.min(), pixels.max()
    if low == high:
        return "same_value"
    stored = int(instance.image.get("bits_stored") or 0)
    if pixel_format == RGB8 or pixels.dtype.kind == "f" or not 0 < stored < 64:
        return ""
    signed = pixels.dtype.kind == "i"
    least, most = (
        (-(1 << (stored - 1)), (1 << (stored - 1)) - 1) if signed else (0, (1 << stored) - 1)
    )
    if low < least or high > most:
        return "more_bits"
    return ""


def examine_hounsfield(
    instances: list[Instance],
    images: list[Instance],
    decoded: list[DecodedFrame],
    *,
    region: str = "",
) -> dict[str, Any]:
    """Return the passport's `hu`; localizers beside a stack are left aside.

    `region` is what the series says that it shows (`region_of`).
    """
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
            slices.append(in_hounsfield(_thinned(each.pixels), facts))
            slope = float(facts.get("rescale_slope") or 1.0)
    if not slices:
        return HuVerdict("calibrated", ("pixels_unread",)).to_json()
    verdict = judge_pixels(slices, slope=slope, region=region).to_json()
    return {**verdict, "region": region, "images_looked_at": len(slices)}


def region_of(series: Series) -> str:
    """Return the part of the body that the series names."""
    return find_region(
        series.body_part_examined,
        series.series_description,
        series.protocol_name,
        series.study.study_description,
    )


def _thinned(pixels: np.ndarray) -> np.ndarray:
    """Return an even part of a large picture."""
    step = int(np.ceil(np.sqrt(pixels.size / JUDGED_PX)))
    return pixels[::step, ::step]


def _facts(instance: Instance, frame: int) -> dict[str, Any]:
    return frame_view(instance.image, frame)
