"""What a volume is made of: which frames, in which order, and how their values become int16.

Only the shape that the passport knows decides; nothing is guessed here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from archive.decode import WORKERS
from archive.frames import RGB8, describe_pixels, pixel_format_of, read_frame
from archive.lookup_tables import read_instance_header
from archive.models import Instance, Series
from archive.series_shape import examine_series
from imaging.display import Grayscale
from imaging.errors import BusyError, NotAVolumeError
from imaging.frames import ENCAPSULATED, FrameIndex
from imaging.lut import usable_rescale
from imaging.ordering import frame_view
from imaging.volume import VolumeGeometry

LOWEST, HIGHEST = -32768, 32767
# What must still be as the passport says when the frames are listed.
_DECISIVE = ("is_volume", "slice_count", "time_points", "lps_from_ijk")
_NARROW = ("u8", "i8", "u16", "i16")


@dataclass(frozen=True, slots=True)
class Slice:
    """One slice: a frame, counted from 0, and the way from its stored to modality values."""

    instance: Instance
    frame: int
    pipeline: Grayscale

    def read(self) -> np.ndarray:
        """Return stored values, (rows, columns). Raises as `archive.frames.read_frame`."""
        instance = self.instance
        return read_frame(instance, self.frame).to_array(instance.rows or 0, instance.columns or 0)


@dataclass(frozen=True, slots=True)
class Plan:
    """The slices of a volume, lowest first along the normal, and where they lie."""

    slices: tuple[Slice, ...]
    geometry: VolumeGeometry
    about: dict[str, Any]


def plan_volume(series: Series, passport: dict[str, Any], time_point: int) -> Plan:
    """Return what the volume of one time point, counted from 0, is made of. Costs one query.

    Raises
    ------
    NotAVolumeError
        By the passport; or in colour, without such a time point, or lacking too many slices.
    BusyError
        The series is changing at this moment.
    """
    rows = Instance.objects.filter(series=series, number_of_frames__gt=0)
    images = list(rows.defer("meta_sha256", "flags"))
    shape = examine_series(images)
    group = shape.main
    known = shape.to_json()
    if group is None or any(known[name] != passport[name] for name in _DECISIVE):
        raise BusyError("The series is changing; try again in a moment.")
    if not 0 <= time_point < len(group.passes):
        raise NotAVolumeError("There is no such time point.")
    keys = group.passes[time_point]
    there = [key for key in keys if key is not None]
    spacing = frame_view(images[there[0][0]].image, there[0][1]).get("pixel_spacing")
    geometry = VolumeGeometry.from_group(
        group, [key is not None for key in keys], spacing or group.pixel_spacing_mm or ()
    )
    slices = tuple(_slice(images[owner], frame) for owner, frame in there)
    middle = slices[len(slices) // 2]
    about = {
        "time_point": time_point,
        "time_points": len(group.passes),
        "notes": [reason.code for reason in shape.reasons],
        "missing_mm": list(group.missing),
        "frame_of_reference_uid": group.frame_of_reference_uid,
        "middle": [str(middle.instance.pk), middle.frame],
    }
    return Plan(slices, geometry, about)


def _slice(instance: Instance, frame: int) -> Slice:
    facts = frame_view(instance.image, frame)
    if pixel_format_of(describe_pixels(instance)) == RGB8:
        raise NotAVolumeError("The images are in colour.")
    pipeline = Grayscale.from_image_facts(instance.image, frame=frame)
    if facts.get("has_modality_lut") and (header := read_instance_header(instance)):
        pipeline = pipeline.with_tables(header, frame)
    return Slice(instance, frame, pipeline)


# --- values -----------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Scale:
    """Modality value = kept int16 * `scale` + `offset`; `is_exact` says that none is rounded."""

    scale: float = 1.0
    offset: float = 0.0
    is_exact: bool = True


class DoesNotFitError(Exception):
    """A value is beyond int16 after all."""


# Writes the stored values of a slice as int16 into the array that comes third, of their shape.
Convert = Callable[[Slice, np.ndarray, np.ndarray], None]


def choose_scales(slices: tuple[Slice, ...]) -> Iterator[tuple[Scale, Convert]]:
    """Yield ways to keep the values as int16, the plainest first; the last one always fits.

    Modality values themselves, when one whole-numbered rescale serves all slices; stored
    values beside one slope; else (slopes that differ, lookup tables, wide or real pixels)
    65,535 steps from the lowest to the highest value, for which every slice is read once
    before. A way raises `DoesNotFitError` when a value turns out to be too large for it.
    """
    rescales = {usable_rescale(one.pipeline.slope, one.pipeline.intercept) for one in slices}
    has_table = any(one.pipeline.modality_lut is not None for one in slices)
    formats = {pixel_format_of(describe_pixels(one.instance)) for one in slices}
    if len(rescales) == 1 and not has_table and formats <= set(_NARROW):
        slope, intercept = rescales.pop()
        declared = _declared_range(slices)
        if slope.is_integer() and intercept.is_integer() and abs(slope * 65536) < 2**31:
            yield Scale(), _rescaling(int(slope), int(intercept), declared)
        if slope > 0:
            shift = 32768 if formats & {"u16"} else 0
            scale = Scale(slope, intercept + shift * slope)
            yield scale, _rescaling(1, -shift, declared)
    yield _measure(slices)


def _declared_range(slices: tuple[Slice, ...]) -> tuple[int, int] | None:
    """Return between which stored values all pixels lie; None where a decoder might exceed it.

    Those of uncompressed frames are cut to their stored bits when they are read.
    """
    if any(_is_compressed(one.instance) for one in slices):
        return None
    described = [describe_pixels(one.instance) for one in slices]
    bits = max(one.bits_stored for one in described)
    lowest = -(1 << (bits - 1)) if any(one.is_signed for one in described) else 0
    return lowest, (1 << bits) - 1


def _rescaling(slope: int, intercept: int, declared: tuple[int, int] | None) -> Convert:
    """Return what keeps stored value * slope + intercept."""

    def fits(low: int, high: int) -> bool:
        ends = low * slope + intercept, high * slope + intercept
        return min(ends) >= LOWEST and max(ends) <= HIGHEST

    is_safe = declared is not None and fits(*declared)

    def convert(_one: Slice, stored: np.ndarray, out: np.ndarray) -> None:
        if not is_safe and not fits(int(stored.min()), int(stored.max())):
            raise DoesNotFitError
        # All steps modulo 2**16: what fits at last may overflow on the way.
        values = stored.astype(np.int16) if stored.dtype.itemsize == 1 else stored.view(np.int16)
        if slope != 1:
            values = values * np.array(slope & 0xFFFF, np.uint16).view(np.int16)
        np.add(values, np.array(intercept & 0xFFFF, np.uint16).view(np.int16), out=out)

    return convert


def _measure(slices: tuple[Slice, ...]) -> tuple[Scale, Convert]:
    """Return the scale from the lowest to the highest value of all slices."""
    low, high, is_whole = np.inf, -np.inf, True
    for one, stored in read_all(slices):
        values = one.pipeline.modality_values(stored)
        values = values[np.isfinite(values)]
        if values.size:
            low, high = min(low, float(values.min())), max(high, float(values.max()))
            is_whole = is_whole and bool((values == np.rint(values)).all())
    if not np.isfinite(low):
        raise NotAVolumeError("No pixel has a value.")
    if is_whole and low >= LOWEST and high <= HIGHEST:
        scale = Scale()
    else:
        step = (high - low) / (HIGHEST - LOWEST) or 1.0
        scale = Scale(step, low - LOWEST * step, is_exact=False)

    def convert(one: Slice, stored: np.ndarray, out: np.ndarray) -> None:
        values = (one.pipeline.modality_values(stored) - scale.offset) / scale.scale
        values = np.nan_to_num(values, nan=LOWEST, posinf=HIGHEST, neginf=LOWEST)
        out[...] = np.clip(np.rint(values), LOWEST, HIGHEST)

    return scale, convert


# --- frames ------------------------------------------------------------------------------
def read_all(slices: tuple[Slice, ...]) -> Iterator[tuple[Slice, np.ndarray]]:
    """Yield every slice with its stored values, in order; compressed ones are decoded ahead.

    At most two frames for each decoder are held.
    """
    if not _is_compressed(slices[0].instance):
        for one in slices:
            yield one, one.read()
        return
    with ThreadPoolExecutor(WORKERS, "volume") as threads:
        waiting: list[tuple[Slice, Future[np.ndarray]]] = []
        try:
            for one in slices:
                waiting.append((one, threads.submit(one.read)))
                if len(waiting) > 2 * WORKERS:
                    first, future = waiting.pop(0)
                    yield first, future.result()
            for first, future in waiting:
                yield first, future.result()
        finally:
            for _one, future in waiting:
                future.cancel()


def _is_compressed(instance: Instance) -> bool:
    packed = instance.frame_table
    return bool(packed) and FrameIndex.from_bytes(bytes(packed or b"")).kind == ENCAPSULATED
