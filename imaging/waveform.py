"""Waveforms (PS3.3 C.10.9), such as an ECG: channels in their units, drawn to scale as SVG."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from imaging.elements import ElementView
from imaging.errors import UnsupportedError
from imaging.sr_tree import read_code
from imaging.text import clean_line

GROUPS_LIMIT = 16
CHANNELS_LIMIT = 64
SAMPLES_LIMIT = 4_000_000
# An ECG on paper: 25 mm a second, 10 mm a millivolt, a grid of 1 and 5 mm.
MM_A_SECOND = 25.0
MM_A_MILLIVOLT = 10.0
_MILLIVOLTS = {"mV": 1.0, "uV": 0.001, "V": 1000.0}
_ROW_MM = 30.0
_SVG = "http://www.w3.org/2000/svg"
_MOST_SECONDS = 60.0

_TYPES = {"SB": "i1", "UB": "u1", "SS": "i2", "US": "u2", "SL": "i4", "UL": "u4"}


@dataclass(frozen=True, slots=True)
class Channel:
    """One lead: its name, unit, and (samples,) values in that unit."""

    name: str
    unit: str
    values: np.ndarray


@dataclass(frozen=True, slots=True)
class Group:
    """Channels that were taken together."""

    label: str
    originality: str
    hertz: float
    channels: tuple[Channel, ...]

    @property
    def seconds(self) -> float:
        """Return how long it is."""
        count = len(self.channels[0].values) if self.channels else 0
        return count / self.hertz


def read_waveforms(header: ElementView) -> list[Group]:
    """Return the groups of a waveform object.

    Raises UnsupportedError when one is coded as no linear samples or too long.
    """
    return [_group(item) for item in header.items("WaveformSequence")[:GROUPS_LIMIT]]


def _group(item: ElementView) -> Group:
    count = item.integer("NumberOfWaveformChannels") or 0
    samples = item.integer("NumberOfWaveformSamples") or 0
    hertz = item.number("SamplingFrequency") or 0.0
    kind = _TYPES.get(item.text("WaveformSampleInterpretation"))
    if kind is None or hertz <= 0 or not 0 < count <= CHANNELS_LIMIT:
        raise UnsupportedError("The samples of this waveform are coded in a way not known here.")
    if not 0 < count * samples <= SAMPLES_LIMIT:
        raise UnsupportedError("This waveform is too long to be drawn.")
    order = "<" if item.is_little_endian else ">"
    raw = item.raw("WaveformData") or b""
    wanted = np.dtype(f"{order}{kind}")
    if len(raw) < count * samples * wanted.itemsize:
        raise UnsupportedError("The waveform ends before its last sample.")
    data = np.frombuffer(raw, wanted, count * samples).reshape(samples, count).astype(np.float64)
    definitions = item.items("ChannelDefinitionSequence")[:count]
    channels = [
        _channel(definition, data[:, number]) for number, definition in enumerate(definitions)
    ]
    label = clean_line(item.text("MultiplexGroupLabel"))[:64]
    return Group(label, item.text("WaveformOriginality"), hertz, tuple(channels))


def _channel(item: ElementView, samples: np.ndarray) -> Channel:
    """Return the samples in their unit: sample * sensitivity * correction + baseline."""
    source = read_code(item, "ChannelSourceSequence")[2]
    unit = read_code(item, "ChannelSensitivityUnitsSequence")[0]
    name = clean_line(item.text("ChannelLabel"))[:64] or source
    sensitivity = item.number("ChannelSensitivity")
    if sensitivity is None:
        return Channel(name, "", samples)
    correction = item.number("ChannelSensitivityCorrectionFactor") or 1.0
    baseline = item.number("ChannelBaseline") or 0.0
    # The baseline is in the unit of the sensitivity (C.10.9.1.4.3).
    with np.errstate(over="ignore", invalid="ignore"):
        values = samples * sensitivity * correction + baseline
    if not np.isfinite(values).all():
        raise UnsupportedError("The scale of this waveform is no number.")
    return Channel(name, unit, values)


def describe_group(group: Group) -> dict[str, Any]:
    """Return what people want to know of a group beside its curves."""
    return {
        "label": group.label,
        "originality": group.originality,
        "hertz": group.hertz,
        "seconds": group.seconds,
        "channels": [
            {
                "name": channel.name,
                "unit": channel.unit,
                "min": float(channel.values.min()),
                "max": float(channel.values.max()),
            }
            for channel in group.channels
        ],
    }


def draw_group(group: Group) -> str:
    """Return an SVG of the group, its lengths in millimetres of paper.

    Voltages are drawn at 10 mm a millivolt; a channel in another unit, or without one, fills its
    row, and its scale is written beside it. Time is 25 mm a second, at most a minute.
    """
    seconds = min(group.seconds, _MOST_SECONDS)
    width = round(seconds * MM_A_SECOND + 20, 2)
    height = _ROW_MM * len(group.channels) + 10
    box = f"0 0 {width} {height}"
    parts = [
        f'<svg xmlns="{_SVG}" width="{width}mm" height="{height}mm" viewBox="{box}">',
        '<rect width="100%" height="100%" fill="#fff"/>',
        _grid(width, height),
    ]
    for number, channel in enumerate(group.channels):
        parts.append(_curve(channel, group.hertz, seconds, _ROW_MM * (number + 0.5)))
    parts.append(
        f'<text x="2" y="{height - 3}" font-size="3.5" fill="#333">25 mm/s · 10 mm/mV</text>'
    )
    return "".join([*parts, "</svg>"])


def _grid(width: float, height: float) -> str:
    def lines(step: int) -> str:
        across = "".join(f"M{x} 0V{height}" for x in range(0, int(width) + 1, step))
        down = "".join(f"M0 {y}H{width}" for y in range(0, int(height) + 1, step))
        return across + down

    return (
        f'<path d="{lines(1)}" stroke="#f6d5d5" stroke-width="0.1" fill="none"/>'
        f'<path d="{lines(5)}" stroke="#e9aaaa" stroke-width="0.2" fill="none"/>'
    )


def _curve(channel: Channel, hertz: float, seconds: float, middle: float) -> str:
    values = channel.values[: int(seconds * hertz)]
    factor = _MILLIVOLTS.get(channel.unit)
    note = ""
    if factor is not None:
        heights = values * factor * MM_A_MILLIVOLT
    else:
        span = float(np.ptp(values)) or 1.0
        heights = (values - float(values.mean())) / span * (_ROW_MM - 4)
        note = f" ({span:.4g} {channel.unit})".replace(" )", ")")
    times = np.arange(len(values)) / hertz * MM_A_SECOND + 15
    points = " ".join(f"{x:.2f},{y:.2f}" for x, y in zip(times, middle - heights, strict=True))
    name = escape(f"{channel.name}{note}")
    return (
        f'<text x="2" y="{middle - 8:.1f}" font-size="4" fill="#111">{name}</text>'
        f'<polyline points="{points}" fill="none" stroke="#111" stroke-width="0.25"/>'
    )
