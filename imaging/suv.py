"""Can a PET series give standardised uptake values, and by which factor? (PS3.3 C.8.9)

The formula is that of the QIBA profile for FDG-PET: body weight over the dose that is left
when the scan begins, decay of the tracer between injection and scan taken into account.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from imaging.header import Header
from imaging.text import parse_date, parse_datetime, parse_time

PET_CLASSES = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.128",
        "1.2.840.10008.5.1.4.1.1.130",
        "1.2.840.10008.5.1.4.1.1.128.1",
    }
)
# Nobody images a tracer later than this after giving it.
LONGEST_DECAY = timedelta(days=30)
_PHILIPS_SUV, _PHILIPS_ACTIVITY = 0x70531000, 0x70531009

WORDS = {
    "not_pet": "These are no PET images.",
    "no_header": "The file could not be read.",
    "factor_ready": "Activity, weight, dose and times are all known.",
    "in_suv_already": "The values are standardised uptake values already.",
    "unknown_units": "The units of the values are not known or not usable.",
    "no_philips_factor": "The values are counts and the factor to activity is missing.",
    "not_attenuation_corrected": "The images are not corrected for attenuation.",
    "not_decay_corrected": "The images are not corrected for decay.",
    "no_weight": "The patient's weight is missing.",
    "no_dose": "The injected dose is missing.",
    "no_half_life": "The tracer's half-life is missing.",
    "no_injection_time": "The time of injection is missing.",
    "no_scan_time": "The time of the scan is missing.",
    "bad_times": "The injection is later than the scan, or very long before it.",
    "several_tracers": "Several tracers are named; which one the values show is not known.",
}


@dataclass(frozen=True, slots=True)
class PetFacts:
    """What a factor needs, as written in one file. Dose in Bq, half-life in s, weight in kg."""

    units: str
    decay_correction: str
    corrected_image: tuple[str, ...]
    weight_kg: float | None
    dose_bq: float | None
    half_life_s: float | None
    injected_at: datetime | None
    injection_time: time | None
    series_at: datetime | None
    acquired_at: datetime | None
    tracers: int = 1
    frame_reference_ms: float | None = None
    frame_duration_ms: float | None = None
    philips_suv: float | None = None
    philips_activity: float | None = None

    @classmethod
    def from_header(cls, header: Header) -> "PetFacts":
        """Read the facts from the header of one image."""
        tracers = header.items("RadiopharmaceuticalInformationSequence")
        tracer = tracers[0] if tracers else None

        def number(keyword: str) -> float | None:
            return None if tracer is None else tracer.number(keyword)

        def text(keyword: str) -> str:
            return "" if tracer is None else tracer.text(keyword)

        return cls(
            units=header.text("Units").strip().upper(),
            decay_correction=header.text("DecayCorrection").strip().upper(),
            corrected_image=tuple(part.strip().upper() for part in header.texts("CorrectedImage")),
            weight_kg=header.number("PatientWeight"),
            dose_bq=number("RadionuclideTotalDose"),
            half_life_s=number("RadionuclideHalfLife"),
            injected_at=parse_datetime(text("RadiopharmaceuticalStartDateTime"))[0],
            injection_time=parse_time(text("RadiopharmaceuticalStartTime"))[0],
            series_at=_moment(header, "Series"),
            acquired_at=_moment(header, "Acquisition"),
            tracers=len(tracers),
            frame_reference_ms=header.number("FrameReferenceTime"),
            frame_duration_ms=header.number("ActualFrameDuration"),
            philips_suv=_private(header, _PHILIPS_SUV),
            philips_activity=_private(header, _PHILIPS_ACTIVITY),
        )


@dataclass(frozen=True, slots=True)
class SuvVerdict:
    """`verdict` is `ready`, `not_ready` or `not_pet`.

    `suvbw_factor` times the rescaled value is SUV by body weight, g/ml.
    """

    verdict: str
    codes: tuple[str, ...]
    suvbw_factor: float | None = None
    units: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the passport's `suv`."""
        return {
            "verdict": self.verdict,
            "suvbw_factor": self.suvbw_factor,
            "units": self.units,
            "reasons": [WORDS[code] for code in self.codes],
            "reason_codes": list(self.codes),
        }


def examine_suv(facts: PetFacts, *, earliest: datetime | None = None) -> SuvVerdict:
    """Return whether rescaled values can become SUV, and the factor.

    `earliest` is the earliest acquisition of the series where it is known: a series time that
    is later belongs to a copy, not to the scan.
    """
    if facts.units == "GML":
        return SuvVerdict("ready", ("in_suv_already",), 1.0, facts.units)
    if facts.units == "CNTS" and _is_positive(facts.philips_suv):
        return SuvVerdict("ready", ("factor_ready",), facts.philips_suv, facts.units)
    codes, activity = [], 1.0
    if facts.units == "CNTS":
        if facts.philips_activity is not None and _is_positive(facts.philips_activity):
            activity = facts.philips_activity
        else:
            codes.append("no_philips_factor")
    elif facts.units != "BQML":
        codes.append("unknown_units")
    codes += _find_missing(facts)
    decay_s = 0.0
    if facts.decay_correction == "START":
        decay_s, fault = _decay_seconds(facts, earliest)
        codes += [fault] if fault else []
    if codes or facts.weight_kg is None or facts.dose_bq is None or facts.half_life_s is None:
        return SuvVerdict("not_ready", tuple(codes), None, facts.units)
    left_bq = facts.dose_bq * 2.0 ** (-decay_s / facts.half_life_s)
    factor = activity * facts.weight_kg * 1000.0 / left_bq
    return SuvVerdict("ready", ("factor_ready",), factor, facts.units)


def _find_missing(facts: PetFacts) -> list[str]:
    codes = []
    if facts.corrected_image and "ATTN" not in facts.corrected_image:
        codes.append("not_attenuation_corrected")
    if facts.decay_correction not in ("START", "ADMIN"):
        codes.append("not_decay_corrected")
    if facts.tracers > 1:
        codes.append("several_tracers")
    for code, value in (
        ("no_weight", facts.weight_kg),
        ("no_dose", facts.dose_bq),
        ("no_half_life", facts.half_life_s),
    ):
        if not _is_positive(value):
            codes.append(code)
    return codes


def _decay_seconds(facts: PetFacts, earliest: datetime | None) -> tuple[float, str]:
    """Return the time between injection and the moment that values are corrected to, or a code."""
    scan = _scan_start(facts, earliest)
    if scan is None:
        return 0.0, "no_scan_time"
    injected = facts.injected_at
    if injected is not None:
        # The zone of the injection is that of the scan, which names none.
        injected = injected.replace(tzinfo=None)
    elif facts.injection_time is not None:
        injected = datetime.combine(scan.date(), facts.injection_time)
        if injected > scan:
            injected -= timedelta(days=1)
    else:
        return 0.0, "no_injection_time"
    if not timedelta(0) <= scan - injected <= LONGEST_DECAY:
        return 0.0, "bad_times"
    return (scan - injected).total_seconds(), ""


def _scan_start(facts: PetFacts, earliest: datetime | None) -> datetime | None:
    """Return the moment that START means: series time, or worked out from one frame (QIBA)."""
    earliest = earliest or facts.acquired_at
    if facts.series_at is not None and (earliest is None or facts.series_at <= earliest):
        return facts.series_at
    if facts.acquired_at is None:
        return None
    if facts.frame_reference_ms is None or not _is_positive(facts.half_life_s):
        return earliest
    decay_rate = math.log(2) / (facts.half_life_s or 1.0)
    decay = decay_rate * (facts.frame_duration_ms or 0.0) / 1000.0
    mean_s = math.log(decay / (1 - math.exp(-decay))) / decay_rate if decay > 0 else 0.0
    return facts.acquired_at + timedelta(seconds=mean_s - facts.frame_reference_ms / 1000.0)


def _moment(header: Header, name: str) -> datetime | None:
    day: date | None = parse_date(header.text(f"{name}Date"))[0]
    clock = parse_time(header.text(f"{name}Time"))[0]
    return None if day is None or clock is None else datetime.combine(day, clock)


def _private(header: Header, tag: int) -> float | None:
    try:
        values: Sequence[float] = header.floats(tag)
    except (KeyError, ValueError):
        return None
    return values[0] if values else None


def _is_positive(value: float | None) -> bool:
    return value is not None and math.isfinite(value) and value > 0
