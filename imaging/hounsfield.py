"""Are the values of a CT really Hounsfield units? (PS3.3 C.8.2.1, C.11.1.1.2)

On the scale of Hounsfield air is -1000 and water 0, whatever the scanner. A wrong intercept
moves both, a wrong slope moves them apart. Only what the pixels prove is called suspect.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from imaging.body_region import Expectation, expectation_of

CT_CLASSES = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.2",
        "1.2.840.10008.5.1.4.1.1.2.1",
        "1.2.840.10008.5.1.4.1.1.2.2",
    }
)
AIR_HU = -1000.0
# Air of real scanners, the gas of the bowel included, has its peak here.
AIR_RANGE_HU = (-1060.0, -930.0)
# Nothing in the patient is thinner than air: below this lies what is outside the field.
OUTSIDE_HU = -1100.0
# Fat, water, muscle, brain.
TISSUE_RANGE_HU = (-150.0, 150.0)
# Where only lung and misplaced air have a peak, beside air itself.
THIN_RANGE_HU = (-1300.0, -600.0)
BODY_FROM_HU = -500.0
# Soft tissue lies this far above air: fat 900, water 1000, muscle 1060.
AIR_TO_TISSUE_HU = (880.0, 1180.0)
LEAST_PIXELS = 1024
AIR_SHARE = 0.005
BODY_SHARE = 0.02
SMOOTH_HU = 4.0
_LEVELS_LIMIT = 1 << 18

# Values that are no Hounsfield units although the object is a CT (PS3.3 C.8.2.1.1.1, C.8.15.2).
_NOT_HU_TYPES = {
    "LOCALIZER": "localizer",
    "PROJECTION IMAGE": "projection",
    "MIP": "projection",
    "MINIP": "projection",
    "MAT_SPECIFIC": "material",
    "MAT_FRACTIONAL": "material",
    "EFF_ATOMIC_NUM": "material",
    "ELECTRON_DENSITY": "material",
    "MAT_MODIFIED": "material",
    "MAT_VALUE_BASED": "material",
}
WORDS = {
    "not_ct": "These are no CT images.",
    "no_pixels": "There are no pixels.",
    "localizer": "A localizer does not measure Hounsfield units.",
    "projection": "A projection through slices does not hold Hounsfield units.",
    "material": "The values speak of a material, not of Hounsfield units.",
    "other_units": "The file says that its values are not Hounsfield units.",
    "rescale_missing": "Rescale slope and intercept are missing.",
    "rescale_implausible": "The rescale slope is not above 0, or not a number.",
    "pixels_unread": "No pixels could be read: judged by the rescale alone.",
    "too_few_pixels": "The picture is too small to judge by: judged by the rescale alone.",
    "air_and_tissue": "Air and soft tissue lie where they belong.",
    "air_alone": "Air lies where it belongs; there is little else in the picture.",
    "no_air": "There is no air in the picture: judged by soft tissue.",
    "phantom": "A phantom: its materials are not those of a body, so they prove nothing.",
    "air_elsewhere": "Air and soft tissue are both shifted: the intercept is wrong.",
    "air_misplaced": "Air does not lie where it belongs: the intercept is wrong.",
    "no_tissue": "Air lies where it belongs, soft tissue does not: the slope is wrong.",
    "neither": "Neither air nor soft tissue lies where it belongs.",
}


@dataclass(frozen=True, slots=True)
class HuVerdict:
    """`verdict` is `calibrated`, `suspect` or `not_ct`; peaks are in HU, None where there is none.

    `judged_by` is `pixels` or `header`.
    """

    verdict: str
    codes: tuple[str, ...]
    air_peak_hu: float | None = None
    tissue_peak_hu: float | None = None
    outside_share: float | None = None
    judged_by: str = "header"

    def to_json(self) -> dict[str, Any]:
        """Return the passport's `hu`."""
        return {
            "verdict": self.verdict,
            "air_peak_hu": self.air_peak_hu,
            "tissue_peak_hu": self.tissue_peak_hu,
            "outside_share": self.outside_share,
            "judged_by": self.judged_by,
            "reasons": [WORDS[code] for code in self.codes],
            "reason_codes": list(self.codes),
        }


def why_not_hounsfield(sop_class_uid: str, image: dict[str, Any]) -> str:
    """Return the code of why values cannot be HU by what the header says; empty when they can."""
    if sop_class_uid not in CT_CLASSES:
        return "not_ct"
    if not image:
        return "no_pixels"
    types = [str(value).strip().upper() for value in image.get("image_type", [])]
    rescale_type = str(image.get("rescale_type", "")).strip().upper()
    for value in types:
        code = _NOT_HU_TYPES.get(value)
        if code and not (code == "material" and rescale_type == "HU"):
            return code
    return "other_units" if rescale_type not in ("", "HU") else ""


def rescale_fault(image: dict[str, Any]) -> str:
    """Return the code of what is wrong with the rescale as written; empty when nothing is."""
    slope, intercept = image.get("rescale_slope"), image.get("rescale_intercept")
    if slope is None or intercept is None:
        return "rescale_missing"
    if not np.isfinite([slope, intercept]).all() or slope <= 0:
        return "rescale_implausible"
    return ""


def in_hounsfield(stored: np.ndarray, image: dict[str, Any]) -> np.ndarray:
    """Return the pixels in HU, float32, flat, without those that the file calls padding."""
    values = np.asarray(stored).ravel()
    padding = image.get("pixel_padding_value")
    if padding is not None:
        limit = image.get("pixel_padding_range_limit", padding)
        values = values[(values < min(padding, limit)) | (values > max(padding, limit))]
    slope, intercept = image.get("rescale_slope", 1.0), image.get("rescale_intercept", 0.0)
    return values.astype(np.float32) * np.float32(slope) + np.float32(intercept)


def judge_pixels(
    slices: Sequence[np.ndarray], *, slope: float = 1.0, region: str = ""
) -> HuVerdict:
    """Return the verdict on slices in HU, padding left out (see `in_hounsfield`).

    `slope` is the distance in HU between neighbouring stored values, `region` what
    `imaging.body_region.find_region` found.
    """
    finite = [values[np.isfinite(values)] for values in map(np.ravel, slices)]
    # A detail of a few pixels may be all bone, however many such details there are.
    large = [values.astype(np.float64) for values in finite if values.size >= LEAST_PIXELS]
    if not large:
        return HuVerdict("calibrated", ("too_few_pixels",))
    values = np.concatenate(large)
    histogram = _Histogram(values, smooth_hu=max(SMOOTH_HU, slope))
    outside = round(histogram.share(None, OUTSIDE_HU), 4)
    verdict, codes, air = _judge(histogram, expectation_of(region))
    tissue = histogram.peak(*TISSUE_RANGE_HU)
    has_tissue = verdict == "calibrated" and histogram.share(*TISSUE_RANGE_HU) >= AIR_SHARE
    return HuVerdict(verdict, codes, air, tissue if has_tissue else None, outside, "pixels")


def _judge(
    histogram: "_Histogram", expected: Expectation
) -> tuple[str, tuple[str, ...], float | None]:
    air = histogram.peak(*AIR_RANGE_HU)
    has_air = histogram.share(*AIR_RANGE_HU) >= AIR_SHARE
    body = histogram.share(BODY_FROM_HU, None)
    tissue = histogram.share(*TISSUE_RANGE_HU)
    has_tissue = body >= BODY_SHARE and tissue >= expected.tissue_share * body
    could_be_lung = expected.has_lung or body < BODY_SHARE
    misplaced = None if could_be_lung else _find_misplaced_air(histogram)
    if misplaced is not None:
        return "suspect", ("air_misplaced",), misplaced
    if has_air and has_tissue:
        return "calibrated", ("air_and_tissue",), air
    shifted = _find_shifted_air(histogram)
    if shifted is not None:
        return "suspect", ("air_elsewhere",), shifted
    if has_air and histogram.share(-700.0, None) < BODY_SHARE:
        return "calibrated", ("air_alone",), air
    if not expected.needs_tissue:
        return "calibrated", ("phantom",), air if has_air else None
    if has_air:
        return "suspect", ("no_tissue",), air
    return ("calibrated", ("no_air",), None) if has_tissue else ("suspect", ("neither",), None)


def _find_misplaced_air(histogram: "_Histogram") -> float | None:
    """Return the peak of air when all of it lies elsewhere; for regions without lung."""
    low, high = THIN_RANGE_HU
    thin = [peak for peak in histogram.prominent_peaks() if low <= peak <= high]
    if not thin or any(AIR_RANGE_HU[0] <= peak <= AIR_RANGE_HU[1] for peak in thin):
        return None
    return thin[0]


def _find_shifted_air(histogram: "_Histogram") -> float | None:
    """Return the peak of air when air and soft tissue stand together elsewhere, else None.

    Air is the lowest thing in a picture, and soft tissue a narrow peak some 1000 HU above it.
    Bone, the only other thing far above soft tissue, is spread wide.
    """
    for low in histogram.prominent_peaks():
        if AIR_RANGE_HU[0] <= low <= AIR_RANGE_HU[1]:
            continue
        if histogram.share(None, low - 200.0) > AIR_SHARE / 2:
            continue
        high = histogram.peak(low + AIR_TO_TISSUE_HU[0], low + AIR_TO_TISSUE_HU[1])
        if high is None or TISSUE_RANGE_HU[0] <= high <= TISSUE_RANGE_HU[1]:
            # Lung below soft tissue, which is where it belongs.
            continue
        there = histogram.share(high - 50.0, high + 50.0)
        beside = max(
            histogram.share(low + 550.0, low + 650.0), histogram.share(low + 1450.0, low + 1550.0)
        )
        if there >= BODY_SHARE and there >= 3.0 * beside:
            return low
    return None


class _Histogram:
    """Counts by whole HU, smoothed where a peak is looked for."""

    def __init__(self, values: np.ndarray, *, smooth_hu: float) -> None:
        rounded = np.rint(values)
        self._first = float(rounded.min())
        span = int(min(rounded.max() - self._first + 1, _LEVELS_LIMIT))
        places = np.minimum(rounded - self._first, span - 1).astype(np.int64)
        self._counts = np.bincount(places, minlength=span)
        self._sums = np.concatenate([[0], np.cumsum(self._counts)])
        reach = int(np.ceil(3 * smooth_hu))
        kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / smooth_hu) ** 2)
        padded = np.pad(self._counts.astype(np.float64), reach)
        self._smooth = np.convolve(padded, kernel / kernel.sum(), "valid")
        self._total = int(self._sums[-1])

    def share(self, low: float | None, high: float | None) -> float:
        """Return the part of all pixels from `low` to `high` HU; None is without an end."""
        first, last = self._places(low, high)
        return float(self._sums[last] - self._sums[first]) / self._total

    def peak(self, low: float, high: float) -> float | None:
        """Return where the smoothed counts are highest from `low` to `high`, to a tenth of a HU."""
        first, last = self._places(low, high)
        part = self._smooth[first:last]
        if not part.size or part.max() <= 0:
            return None
        at = first + int(np.argmax(part))
        shift = 0.0
        if 0 < at < len(self._smooth) - 1:
            left, top, right = self._smooth[at - 1 : at + 2]
            bend = left - 2 * top + right
            shift = float(0.5 * (left - right) / bend) if bend < 0 else 0.0
        return round(self._first + at + max(-0.5, min(0.5, shift)), 1)

    def prominent_peaks(self) -> list[float]:
        """Return the tops, lowest first, that a good part of the pixels stand around."""
        smooth = np.pad(self._smooth, 1)
        tops = np.flatnonzero((smooth[1:-1] >= smooth[:-2]) & (smooth[1:-1] > smooth[2:]))
        found: list[float] = []
        for top in tops:
            hu = self._first + float(top)
            if self.share(hu - 50.0, hu + 50.0) < BODY_SHARE or self._is_spike(int(top)):
                continue
            if found and hu - found[-1] < 100.0:
                if self._smooth[top] > self._smooth[int(found[-1] - self._first)]:
                    found[-1] = hu
                continue
            found.append(hu)
        return found

    def _is_spike(self, top: int) -> bool:
        """Whether one value below all air holds nearly all of a peak: undeclared padding."""
        around = self._counts[max(0, top - 25) : top + 26]
        is_below = self._first + top < OUTSIDE_HU
        return is_below and bool(around.max() >= 0.9 * around.sum())

    def _places(self, low: float | None, high: float | None) -> tuple[int, int]:
        size = len(self._counts)
        first = 0 if low is None else int(np.clip(np.ceil(low - self._first), 0, size))
        last = size if high is None else int(np.clip(np.floor(high - self._first) + 1, 0, size))
        return first, max(first, last)
