"""What standardised uptake values are relative to: weight, lean body mass, body surface.

An uptake value is activity over dose, times one of these measures of the patient. All of them
follow from the value by body weight, times measure over weight.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

BW, LBM, LBM_JAMES, BSA = "bw", "lbm", "lbm_james", "bsa"
# Older software used 120 in place of James' 128 for men; such values are read, never made.
LBM_JAMES_120 = "lbm_james_120"

# Of SUV Type (0054,1006), PS3.3 C.8.9.1; ideal body weight (IBW) is not known here.
BY_SUV_TYPE = {
    "BW": BW,
    "LBM": LBM_JAMES_120,
    "LBMJAMES128": LBM_JAMES,
    "LBMJANMA": LBM,
    "BSA": BSA,
}


@dataclass(frozen=True, slots=True)
class SuvType:
    """One kind of uptake value: its sign on pages, its UCUM unit and meaning (PS3.16 CID 85)."""

    code: str
    sign: str
    ucum: str
    meaning: str


TYPES = (
    SuvType(BW, "SUVbw", "{SUVbw}g/ml", "Standardized Uptake Value body weight"),
    SuvType(
        LBM,
        "SUVlbm",
        "{SUVlbm(Janma)}g/ml",
        "Standardized Uptake Value lean body mass (Janmahasatian)",
    ),
    SuvType(
        LBM_JAMES,
        "SUVlbm(James)",
        "{SUVlbm(James128)}g/ml",
        "Standardized Uptake Value lean body mass (James)",
    ),
    SuvType(BSA, "SUVbsa", "{SUVbsa}cm2/ml", "Standardized Uptake Value body surface area"),
)
BY_CODE = {one.code: one for one in TYPES}

# Beyond these the number is in another unit (g for kg, cm for m), or wrong.
WEIGHTS_KG = (0.2, 650.0)
SIZES_M = (0.2, 2.6)


@dataclass(frozen=True, slots=True)
class Body:
    """The patient as the file tells: kg, m, and `M`, `F` or anything else."""

    weight_kg: float | None
    size_m: float | None
    sex: str

    def measure(self, kind: str) -> float | str:
        """Return what the value of this kind is relative to, in g (surface: cm2), or a code."""
        weight = checked(self.weight_kg, WEIGHTS_KG, "weight")
        if isinstance(weight, str) or kind == BW:
            return weight if isinstance(weight, str) else weight * 1000
        size = checked(self.size_m, SIZES_M, "size")
        if isinstance(size, str):
            return size
        if kind == BSA:
            # Du Bois and Du Bois: 0.007184 m2 for kg and cm.
            return float(71.84 * weight**0.425 * (size * 100) ** 0.725)
        if self.sex not in ("M", "F"):
            return "no_sex"
        lean_kg = _LEAN[kind](weight, size, self.sex == "M")
        # James' parabola comes down again in very heavy people.
        return lean_kg * 1000 if lean_kg > 0 else "no_lean_mass"


def _janmahasatian(weight_kg: float, size_m: float, is_male: bool) -> float:
    """Return lean body mass (Clin Pharmacokinet 2005; 44: 1051), kg."""
    index = weight_kg / size_m**2
    factor, slope = (6680, 216) if is_male else (8780, 244)
    return 9270 * weight_kg / (factor + slope * index)


def _james(weight_kg: float, size_m: float, is_male: bool, of_men: float = 128.0) -> float:
    """Return lean body mass by James (1976), kg."""
    ratio = weight_kg / (size_m * 100)
    return 1.10 * weight_kg - of_men * ratio**2 if is_male else 1.07 * weight_kg - 148 * ratio**2


_LEAN: dict[str, Callable[[float, float, bool], float]] = {
    LBM: _janmahasatian,
    LBM_JAMES: _james,
    LBM_JAMES_120: lambda weight, size, is_male: _james(weight, size, is_male, 120.0),
}


def checked(value: float | None, bounds: tuple[float, float], name: str) -> float | str:
    """Return a number that can be one, or the code of what is wrong with it."""
    if value is None or not math.isfinite(value) or value <= 0:
        return f"no_{name}"
    return value if bounds[0] <= value <= bounds[1] else f"implausible_{name}"


def convert(factor: float, kind: str, body: Body) -> tuple[Mapping[str, float], Mapping[str, str]]:
    """Return the factors of all kinds for the one of `kind`, and why others have none.

    A kind that the file gives already needs nothing of the patient.
    """
    factors, faults = {}, {}
    source = body.measure(kind)
    for one in TYPES:
        if one.code == kind:
            factors[one.code] = factor
            continue
        wanted = body.measure(one.code)
        if isinstance(wanted, str) or isinstance(source, str):
            faults[one.code] = wanted if isinstance(wanted, str) else str(source)
        else:
            factors[one.code] = factor * wanted / source
    return factors, faults
