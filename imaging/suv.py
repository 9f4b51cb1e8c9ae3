"""Can a PET series give standardised uptake values, and by which factor? (PS3.3 C.8.9)

The formula is that of the QIBA profile for FDG-PET: body weight over the dose that is left
when the scan begins, decay of the tracer between injection and scan taken into account.
`imaging.suv_body` makes the other kinds from it.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from imaging.elements import ElementView
from imaging.header import Header
from imaging.suv_body import BW, BY_SUV_TYPE, WEIGHTS_KG, Body, checked, convert
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
# Nor when less than a thousandth is left: clocks that differ would make it a day.
LONGEST_HALF_LIVES = 10
# From 10 kBq (an animal's trace) to 1 TBq; a dose below it was written in MBq.
DOSES_BQ = (1e4, 1e12)
_PHILIPS, _PHILIPS_SUV, _PHILIPS_ACTIVITY = "Philips PET Private Group", 0x00, 0x09
_GE, _GE_SCAN = "GEMS_PETD_01", 0x0D
# A date and a time of less than hours and minutes would be midnight, or up to an hour wrong.
_DATETIME_DIGITS, _TIME_DIGITS = 12, 4
_LEADING_DIGITS = re.compile(r"\d*", re.ASCII)

WORDS = {
    "not_pet": "These are no PET images.",
    "no_header": "The file could not be read.",
    "factor_ready": "Activity, weight, dose and times are all known.",
    "in_suv_already": "The values are standardised uptake values already.",
    "unknown_units": "The units of the values are not known or not usable.",
    "no_philips_factor": "The values are counts and the factor to activity is missing.",
    "not_attenuation_corrected": "The images are not corrected for attenuation.",
    "attenuation_unknown": "The file does not say whether it is corrected for attenuation.",
    "not_decay_corrected": "The images are not corrected for decay.",
    "other_suv_type": "The values are relative to something that is not known here.",
    "no_weight": "The patient's weight is missing.",
    "implausible_weight": "The patient's weight cannot be in kilograms.",
    "no_size": "The patient's height is missing.",
    "implausible_size": "The patient's height cannot be in metres.",
    "no_sex": "Lean body mass asks for the patient's sex, male or female.",
    "no_lean_mass": "The formula gives no lean body mass for this weight and height.",
    "implausible_dose": "The injected dose cannot be in becquerels.",
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
    size_m: float | None = None
    sex: str = ""
    suv_type: str = ""
    attenuation_method: str = ""
    ge_scan_at: datetime | None = None

    @classmethod
    def from_header(cls, header: Header) -> "PetFacts":
        """Read the facts from the header of one image."""
        tracers = header.items("RadiopharmaceuticalInformationSequence")
        tracer = tracers[0] if tracers else None

        def number(keyword: str) -> float | None:
            return None if tracer is None else tracer.number(keyword)

        zone = parse_datetime("20000101000000" + header.text("TimezoneOffsetFromUTC").strip())[0]
        return cls(
            units=header.text("Units").strip().upper(),
            decay_correction=header.text("DecayCorrection").strip().upper(),
            corrected_image=tuple(part.strip().upper() for part in header.texts("CorrectedImage")),
            weight_kg=header.number("PatientWeight"),
            dose_bq=number("RadionuclideTotalDose"),
            half_life_s=number("RadionuclideHalfLife"),
            injected_at=_in_zone(_full_moment(tracer), zone),
            injection_time=_full_time(tracer),
            series_at=_moment(header, "Series"),
            acquired_at=_moment(header, "Acquisition"),
            tracers=len(tracers),
            frame_reference_ms=header.number("FrameReferenceTime"),
            frame_duration_ms=header.number("ActualFrameDuration"),
            philips_suv=_private_number(header, _PHILIPS, 0x7053, _PHILIPS_SUV),
            philips_activity=_private_number(header, _PHILIPS, 0x7053, _PHILIPS_ACTIVITY),
            size_m=header.number("PatientSize"),
            sex=header.text("PatientSex").strip().upper(),
            suv_type=header.text("SUVType").strip().upper(),
            attenuation_method=header.text("AttenuationCorrectionMethod").strip(),
            ge_scan_at=_in_zone(_ge_scan(header), zone),
        )

    @property
    def body(self) -> Body:
        """What the file says of the patient."""
        return Body(self.weight_kg, self.size_m, self.sex)


@dataclass(frozen=True, slots=True)
class SuvVerdict:
    """`verdict` is `ready`, `not_ready` or `not_pet`.

    `factors` times the rescaled value is SUV of a kind (`imaging.suv_body`), g/ml or cm2/ml;
    `faults` says of the other kinds why not.
    """

    verdict: str
    codes: tuple[str, ...]
    units: str = ""
    factors: Mapping[str, float] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)

    @property
    def suvbw_factor(self) -> float | None:
        """From rescaled values to SUV by body weight, g/ml; None when it is not known."""
        return self.factors.get(BW)

    def to_json(self) -> dict[str, Any]:
        """Return the passport's `suv`."""
        return {
            "verdict": self.verdict,
            "suvbw_factor": self.suvbw_factor,
            "factors": dict(self.factors),
            "missing": {
                kind: {"reason": WORDS[code], "reason_code": code}
                for kind, code in self.faults.items()
            },
            "units": self.units,
            "reasons": [WORDS[code] for code in self.codes],
            "reason_codes": list(self.codes),
        }


def examine_suv(facts: PetFacts, *, earliest: datetime | None = None) -> SuvVerdict:
    """Return whether rescaled values can become SUV, and the factors.

    `earliest` is the earliest acquisition of the series where it is known: a series time that
    is later belongs to a copy, not to the scan.
    """
    if facts.units in ("GML", "CM2ML"):
        return _examine_made(facts)
    codes, activity = _find_faults(facts), 1.0
    if facts.units == "CNTS" and facts.philips_suv is not None and _is_positive(facts.philips_suv):
        if codes:
            return SuvVerdict("not_ready", tuple(codes), facts.units)
        return _ready(facts, "factor_ready", facts.philips_suv, BW)
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
        return SuvVerdict("not_ready", tuple(codes), facts.units)
    left_bq = facts.dose_bq * 2.0 ** (-decay_s / facts.half_life_s)
    factor = activity * facts.weight_kg * 1000.0 / left_bq
    return _ready(facts, "factor_ready", factor, BW)


def _examine_made(facts: PetFacts) -> SuvVerdict:
    """Return the verdict on values that are SUV already, of the type that the file names.

    Without a type, g/ml is by body weight (PS3.3 C.8.9.1.1.3); cm2/ml is by body surface.
    """
    default = "BW" if facts.units == "GML" else "BSA"
    named = facts.suv_type or default
    kind = BY_SUV_TYPE.get(named)
    if kind is None or (named == "BSA") != (default == "BSA"):
        return SuvVerdict("not_ready", ("other_suv_type",), facts.units)
    return _ready(facts, "in_suv_already", 1.0, kind)


def _ready(facts: PetFacts, code: str, factor: float, kind: str) -> SuvVerdict:
    factors, faults = convert(factor, kind, facts.body)
    return SuvVerdict("ready", (code,), facts.units, factors, faults)


def _find_faults(facts: PetFacts) -> list[str]:
    """Return what speaks against any use of the values: corrections that were not made."""
    codes = []
    if facts.corrected_image and "ATTN" not in facts.corrected_image:
        codes.append("not_attenuation_corrected")
    elif not facts.corrected_image and not facts.attenuation_method:
        codes.append("attenuation_unknown")
    is_denied = bool(facts.corrected_image) and "DECY" not in facts.corrected_image
    if facts.decay_correction not in ("START", "ADMIN") or is_denied:
        codes.append("not_decay_corrected")
    return codes


def _find_missing(facts: PetFacts) -> list[str]:
    codes = []
    if facts.tracers > 1:
        codes.append("several_tracers")
    found = (
        checked(facts.weight_kg, WEIGHTS_KG, "weight"),
        checked(facts.dose_bq, DOSES_BQ, "dose"),
    )
    codes += [one for one in found if isinstance(one, str)]
    if not _is_positive(facts.half_life_s):
        codes.append("no_half_life")
    return codes


def _decay_seconds(facts: PetFacts, earliest: datetime | None) -> tuple[float, str]:
    """Return the time between injection and the moment that values are corrected to, or a code."""
    scan = _scan_start(facts, earliest)
    if scan is None:
        return 0.0, "no_scan_time"
    injected = facts.injected_at
    if injected is None and facts.injection_time is not None:
        injected = datetime.combine(scan.date(), facts.injection_time)
        if injected > scan:
            injected -= timedelta(days=1)
    if injected is None:
        return 0.0, "no_injection_time"
    if not timedelta(0) <= scan - injected <= LONGEST_DECAY:
        return 0.0, "bad_times"
    decay_s = (scan - injected).total_seconds()
    if facts.half_life_s is not None and decay_s > LONGEST_HALF_LIVES * facts.half_life_s > 0:
        return 0.0, "bad_times"
    return decay_s, ""


def _scan_start(facts: PetFacts, earliest: datetime | None) -> datetime | None:
    """Return the moment that START means: series time, or worked out from one frame (QIBA)."""
    earliest = earliest or facts.acquired_at
    if facts.series_at is not None and (earliest is None or facts.series_at <= earliest):
        return facts.series_at
    if facts.ge_scan_at is not None:
        return facts.ge_scan_at
    if facts.acquired_at is None:
        return None
    if facts.frame_reference_ms is None or not _is_positive(facts.half_life_s):
        return earliest
    decay_rate = math.log(2) / (facts.half_life_s or 1.0)
    decay = decay_rate * (facts.frame_duration_ms or 0.0) / 1000.0
    mean_s = math.log(decay / (1 - math.exp(-decay))) / decay_rate if decay > 0 else 0.0
    return facts.acquired_at + timedelta(seconds=mean_s - facts.frame_reference_ms / 1000.0)


def _full_moment(tracer: ElementView | None) -> datetime | None:
    """Return the moment of injection; one without hours and minutes is none."""
    text = "" if tracer is None else tracer.text("RadiopharmaceuticalStartDateTime").strip()
    is_whole = len(_LEADING_DIGITS.match(text)[0]) >= _DATETIME_DIGITS or ":" in text  # type: ignore[index]
    return parse_datetime(text)[0] if is_whole else None


def _full_time(tracer: ElementView | None) -> time | None:
    text = "" if tracer is None else tracer.text("RadiopharmaceuticalStartTime").strip()
    return parse_time(text)[0] if len(text.replace(":", "")) >= _TIME_DIGITS else None


def _in_zone(moment: datetime | None, scan_zone: datetime | None) -> datetime | None:
    """Return the moment as clocks at the scanner showed it.

    A zone of its own counts where the file says the scanner's; else both are the same one.
    """
    if moment is None or moment.tzinfo is None:
        return moment
    if scan_zone is not None and scan_zone.tzinfo is not None:
        moment = moment.astimezone(scan_zone.tzinfo)
    return moment.replace(tzinfo=None)


def _moment(header: Header, name: str) -> datetime | None:
    day: date | None = parse_date(header.text(f"{name}Date"))[0]
    clock = parse_time(header.text(f"{name}Time"))[0]
    return None if day is None or clock is None else datetime.combine(day, clock)


def _private(header: Header, creator: str, group: int, element: int) -> int | None:
    """Return the tag of a private element: its block is the one that the creator reserved."""
    first = group << 16
    for tag in header.tags():
        if first + 0x10 <= tag <= first + 0xFF and header.text(tag).strip() == creator:
            return first + ((tag & 0xFF) << 8) + element
    return None


def _private_number(header: Header, creator: str, group: int, element: int) -> float | None:
    tag = _private(header, creator, group, element)
    try:
        values: Sequence[float] = [] if tag is None else header.floats(tag)
    except (KeyError, ValueError):
        return None
    return values[0] if values else None


def _ge_scan(header: Header) -> datetime | None:
    tag = _private(header, _GE, 0x0009, _GE_SCAN)
    return None if tag is None else parse_datetime(header.text(tag))[0]


def _is_positive(value: float | None) -> bool:
    return value is not None and math.isfinite(value) and value > 0
