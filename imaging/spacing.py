"""How large a pixel is in mm, and how that is known (PS3.3 10.7.1, C.8.5.5, C.8.11.7).

The same source and proportions come out of `frontend/src/io/api.ts`; both are held to
`tests/golden/spacing.json`.
"""

import math
from collections.abc import Sequence
from typing import Any

from imaging.elements import ElementView
from imaging.text import clean_line

MAX_REGIONS = 32
# Spacings that differ by less are the same number, written twice.
SAME_PART = 1e-4
CALIBRATED_TYPES = frozenset({"GEOMETRY", "FIDUCIAL"})
# Nothing is magnified more in a projection, and nothing is made smaller.
MOST_MAGNIFIED = 100.0
# Pixels of other proportions are a mistake in the file.
LEAST_ASPECT, MOST_ASPECT = 0.05, 20.0
# Physical units of a region: cm. Spatial format: 2D (M-mode and spectra have time or speed).
_CENTIMETRES, _PLANAR = 3, 1


def spacing_facts(header: ElementView) -> dict[str, Any]:
    """Return `pixel_spacing` in mm, [between rows, between columns], and its source.

    `pixel_spacing_source` is

    - `pixel_spacing`: in the patient, as cross-sectional images have it;
    - `calibrated`: a projection corrected by geometry or by an object of known size;
    - `imager`: at the detector. `magnification_corrected` says that it was divided by the
      magnification factor that the file gives;
    - `ultrasound_region`: all 2D regions have this spacing;
    - `none`: nothing is known. A spacing that is no spacing is flagged `bad_pixel_spacing`.
    """
    facts: dict[str, Any] = {}
    if regions := ultrasound_regions(header):
        facts["ultrasound_regions"] = regions
    kind = clean_line(header.text("PixelSpacingCalibrationType"))[:64]
    if kind:
        facts["pixel_spacing_calibration_type"] = kind
    imager = _read_pair(header, "ImagerPixelSpacing")
    if imager:
        facts["imager_pixel_spacing"] = imager
    spacing = _read_pair(header, "PixelSpacing")
    nominal = _read_pair(header, "NominalScannedPixelSpacing")
    is_calibrated = kind.upper() in CALIBRATED_TYPES
    at_detector = imager or nominal
    # Equal to that of the detector or scanner means: not corrected (10.7.1.1).
    if spacing and not (at_detector and _same(spacing, at_detector)):
        return facts | {
            "pixel_spacing": spacing,
            "pixel_spacing_source": "calibrated" if is_calibrated else "pixel_spacing",
        }
    if imager:
        # What claims to be corrected and is not must not be corrected twice.
        factor = None if is_calibrated else magnification(header)
        return facts | spacing_at_detector(imager, factor)
    if nominal:
        return facts | spacing_at_detector(nominal, None)
    return facts | _spacing_of_regions(regions)


def spacing_at_detector(spacing: list[float], factor: float | None) -> dict[str, Any]:
    """Return the facts of a spacing at the detector, divided by its magnification if known."""
    if factor is None:
        return {"pixel_spacing": spacing, "pixel_spacing_source": "imager"}
    return {
        "pixel_spacing": [value / factor for value in spacing],
        "pixel_spacing_source": "imager",
        "magnification_corrected": True,
    }


def magnification(header: ElementView) -> float | None:
    """Return Estimated Radiographic Magnification Factor, None when absent or absurd.

    It is not made up from distances: Distance Source to Patient ends at the table or the
    cover of the detector, which the standard itself calls of little use for that (C.8.11.5).
    """
    factor = header.number("EstimatedRadiographicMagnificationFactor")
    return factor if factor is not None and 1.0 <= factor <= MOST_MAGNIFIED else None


def pixel_aspect(facts: dict[str, Any]) -> float:
    """Return the height of a pixel divided by its width; 1 when nothing is known or absurd.

    `facts` are those of one frame. Spacing first (10.7.1.3), then Pixel Aspect Ratio
    (C.7.6.3.1.7): vertical to horizontal in both.
    """
    height, width = facts.get("pixel_spacing") or facts.get("pixel_aspect_ratio") or (1.0, 1.0)
    ratio = float(height) / float(width) if width else 1.0
    return ratio if LEAST_ASPECT <= ratio <= MOST_ASPECT else 1.0


def _spacing_of_regions(regions: list[dict[str, Any]]) -> dict[str, Any]:
    # One calibration for the whole picture, or none: a measurement uses its own region.
    found = [region["pixel_spacing"] for region in regions if "pixel_spacing" in region]
    if found and all(_same(found[0], other) for other in found[1:]):
        return {"pixel_spacing": found[0], "pixel_spacing_source": "ultrasound_region"}
    return {"pixel_spacing_source": "none"}


def ultrasound_regions(header: ElementView) -> list[dict[str, Any]]:
    """Return the calibrated regions of an ultrasound image (PS3.3 C.8.5.5), bounds in pixels.

    A region has `pixel_spacing` when it is a 2D picture in cm; M-mode and spectra have none.
    """
    regions: list[dict[str, Any]] = []
    for item in header.items("SequenceOfUltrasoundRegions")[:MAX_REGIONS]:
        bounds = [
            item.integer(f"RegionLocation{name}") for name in ("MinX0", "MinY0", "MaxX1", "MaxY1")
        ]
        if None in bounds:
            continue
        region: dict[str, Any] = {"bounds_px": bounds}
        for name, keyword in (
            ("region_spatial_format", "RegionSpatialFormat"),
            ("region_data_type", "RegionDataType"),
            ("region_flags", "RegionFlags"),
            ("physical_units_x_direction", "PhysicalUnitsXDirection"),
            ("physical_units_y_direction", "PhysicalUnitsYDirection"),
            ("reference_pixel_x0", "ReferencePixelX0"),
            ("reference_pixel_y0", "ReferencePixelY0"),
        ):
            if (value := item.integer(keyword)) is not None:
                region[name] = value
        for name, keyword in (
            ("physical_delta_x", "PhysicalDeltaX"),
            ("physical_delta_y", "PhysicalDeltaY"),
        ):
            if (number := item.number(keyword)) is not None:
                region[name] = number
        if spacing := _spacing_of_region(region):
            region["pixel_spacing"] = spacing
        regions.append(region)
    return regions


def _spacing_of_region(region: dict[str, Any]) -> list[float] | None:
    units = {region.get(f"physical_units_{axis}_direction") for axis in ("x", "y")}
    if units != {_CENTIMETRES} or region.get("region_spatial_format") not in (_PLANAR, None):
        return None
    # A negative delta tells the direction only.
    return _pair([abs(region.get(f"physical_delta_{axis}", 0)) * 10 for axis in ("y", "x")])


def _read_pair(header: ElementView, keyword: str) -> list[float] | None:
    pair = _pair(header.floats(keyword))
    if pair is None and header.raw(keyword):
        header.flags.add("bad_pixel_spacing")
    return pair


def _pair(values: Sequence[float]) -> list[float] | None:
    if len(values) < 2 or not all(math.isfinite(v) and 0 < v < 1e6 for v in values[:2]):
        return None
    return list(values[:2])


def _same(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(abs(a - b) <= SAME_PART * b for a, b in zip(one, other, strict=True))
