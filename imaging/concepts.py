"""Codes for what is measured, and units: (value, scheme, meaning) of PS3.16 and UCUM.

Reports are written with these and read by them; what other programs write for the same thing is
known, too. A code of our own (99NOCTIS) stands only where the standard has none.
"""

from __future__ import annotations

import re

Code = tuple[str, str, str]
OWN = "99NOCTIS"

LENGTH: Code = ("410668003", "SCT", "Length")
PATH: Code = ("121055", "DCM", "Path")
ANGLE: Code = ("1483009", "SCT", "Angle")
COBB: Code = ("285285000", "SCT", "Cobb angle")
AREA: Code = ("42798000", "SCT", "Area")
PERIMETER: Code = ("131191004", "SCT", "Perimeter")
LONG_AXIS: Code = ("103339001", "SCT", "Long axis")
SHORT_AXIS: Code = ("103340004", "SCT", "Short axis")
CARDIOTHORACIC: Code = ("cardiothoracic", OWN, "Cardiothoracic ratio")
HORIZONTAL: Code = ("horizontal", OWN, "Horizontal extent")
VERTICAL: Code = ("vertical", OWN, "Vertical extent")
ATTENUATION: Code = ("112031", "DCM", "Attenuation Coefficient")
UPTAKE: Code = ("126400", "DCM", "Standardized Uptake Value")
PIXEL_VALUE: Code = ("pixel_value", OWN, "Pixel value")
PIXEL_COUNT: Code = ("pixel_count", OWN, "Number of pixels")
PLANE: Code = ("plane", OWN, "Reformatted plane")
PROVENANCE: Code = ("provenance", OWN, "Origin of the scale")
NOTE: Code = ("note", OWN, "Note on the measurement")

DERIVATIONS: dict[str, Code] = {
    "mean": ("373098007", "SCT", "Mean"),
    "sd": ("386136009", "SCT", "Standard Deviation"),
    "min": ("255605001", "SCT", "Minimum"),
    "max": ("56851009", "SCT", "Maximum"),
    "median": ("373099004", "SCT", "Median"),
}
# Kind of measurement -> what its value is.
VALUES: dict[str, Code] = {
    "length": LENGTH,
    "polyline": PATH,
    "angle": ANGLE,
    "cobb": COBB,
    "bidirectional": LONG_AXIS,
    "cardiothoracic": CARDIOTHORACIC,
    "rectangle": AREA,
    "ellipse": AREA,
    "circle": AREA,
    "polygon": AREA,
}
PROVENANCES: dict[str, str] = {
    "pixel_spacing": "Pixel spacing in the patient",
    "calibrated": "Calibrated spacing",
    "imager": "At the detector",
    "imager_corrected": "At the detector, corrected",
    "ultrasound_region": "Ultrasound region",
    "reader_calibrated": "Calibrated by the reader",
    "reformatted": "Computed plane",
    "uncalibrated": "Not calibrated",
}
# What other programs write for these; SRT is what SNOMED CT was called before.
SAME: dict[tuple[str, str], str] = {
    ("410668003", "SCT"): "length",
    ("G-D7FE", "SRT"): "length",
    ("121206", "DCM"): "length",
    ("121055", "DCM"): "length",
    ("81827009", "SCT"): "length",
    ("M-02550", "SRT"): "length",
    ("1483009", "SCT"): "angle",
    ("110859", "DCM"): "angle",
    ("285285000", "SCT"): "angle",
    ("103339001", "SCT"): "long_axis",
    ("G-A185", "SRT"): "long_axis",
    ("103340004", "SCT"): "short_axis",
    ("G-A186", "SRT"): "short_axis",
    ("42798000", "SCT"): "area",
    ("G-A166", "SRT"): "area",
    ("131191004", "SCT"): "perimeter",
    ("cardiothoracic", OWN): "cardiothoracic",
    ("horizontal", OWN): "horizontal",
    ("vertical", OWN): "vertical",
    ("pixel_count", OWN): "count",
}
DERIVED: dict[tuple[str, str], str] = {
    **{code[:2]: name for name, code in DERIVATIONS.items()},
    ("R-00317", "SRT"): "mean",
    ("R-10047", "SRT"): "sd",
    ("R-404FB", "SRT"): "min",
    ("G-A437", "SRT"): "max",
    ("113061", "DCM"): "sd",
    ("130290", "DCM"): "median",
}

# Our units -> UCUM code and meaning.
_UCUM: dict[str, tuple[str, str]] = {
    "mm": ("mm", "millimeter"),
    "mm2": ("mm2", "square millimeter"),
    "deg": ("deg", "degree"),
    "px": ("{pixels}", "pixels"),
    "px2": ("{pixels2}", "square pixels"),
    "ratio": ("{ratio}", "ratio"),
    "HU": ("[hnsf'U]", "Hounsfield unit"),
    "SUV": ("{SUVbw}g/ml", "Standardized Uptake Value body weight"),
    "SUVbw": ("{SUVbw}g/ml", "Standardized Uptake Value body weight"),
    "ms": ("ms", "millisecond"),
    "Hz": ("Hz", "hertz"),
    "cm/s": ("cm/s", "centimeter per second"),
    "BQML": ("Bq/ml", "becquerels per milliliter"),
    "CNTS": ("{counts}", "counts"),
    "OD": ("{OD}", "optical density"),
    "": ("1", "no units"),
    "stored": ("{stored}", "stored value"),
    "unnamed": ("{unnamed}", "unit not named"),
}
_OURS: dict[str, str] = {code: unit for unit, (code, _) in _UCUM.items()} | {
    "{SUVbw}g/ml": "SUVbw",
    "g/ml{SUVbw}": "SUVbw",
    "cm": "cm",
    "{pixels}": "px",
    "{pixel}": "px",
    "{pixels}^2": "px2",
    "degree": "deg",
    "{hounsfield unit}": "HU",
}


def ucum_of(unit: str) -> Code:
    """Return the UCUM code of a unit of ours; one that is not known becomes an annotation."""
    known = _UCUM.get(unit)
    if known is None:
        word = re.sub(r"[^!-z|~]", "_", unit)[:14]
        known = (f"{{{word}}}", unit[:64])
    return known[0], "UCUM", known[1]


def unit_of(code: str) -> str:
    """Return our word for a UCUM code; a code that is not known stays as it is."""
    return _OURS.get(code, code)
