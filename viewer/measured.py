"""What every measurement needs to become a row: units, doubts, plain numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from archive.models import Series
from archive.places import Places
from archive.presets import suv_factor_of
from imaging.measure import Result
from imaging.measure_roi import value_unit

# Kinds whose numbers come from pixels; the others need no file.
OF_PIXELS = frozenset({"rectangle", "ellipse", "circle", "polygon", "probe"})
# Values take processor and memory from the web process: a storm waits, then is refused.
places = Places(2, waiting_limit=32, wait_seconds=10)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a person drew: kind and points, in pixels or in the patient."""

    kind: str
    points: Sequence[Sequence[float]]
    is_lps: bool


def columns_of(result: Result, doubts: list[str]) -> dict[str, Any]:
    """Return the columns that a result fills."""
    return {
        "kind": result.kind,
        "value": finite(result.value),
        "unit": result.unit[:64],
        "statistics": finite(result.statistics),
        "provenance": result.provenance,
        "uncertainty": finite(result.uncertainty),
        "notes": [*result.notes, *doubts],
    }


def doubts_of(series: Series, result: Result) -> list[str]:
    """Return what the series' passport says against the values."""
    is_hu = "HU" in (result.unit, result.statistics.get("unit"))
    verdict = ((series.passport or {}).get("hu") or {}).get("verdict")
    return ["hu_suspect"] if is_hu and verdict == "suspect" else []


def scale_of(series: Series, facts: dict[str, Any]) -> tuple[str, float]:
    """Return unit and factor of the values: SUV where the passport knows how."""
    if series.modality == "PT":
        factor = suv_factor_of(series)
        if factor is not None:
            return "SUVbw", factor
    return value_unit(facts, series.modality), 1.0


def finite(value: Any) -> Any:
    """Return the value with None for what is no number: JSON knows neither NaN nor infinity."""
    if isinstance(value, dict):
        return {name: finite(one) for name, one in value.items()}
    if isinstance(value, list):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
