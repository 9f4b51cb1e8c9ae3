"""Window presets: the one table of them, and which of them a series may use.

CT has units that all scanners share, so its presets are centre and width in HU. No other
grey has: there a preset is a pair of percentiles of what the picture counts
(`imaging.automatic_window`). Activity of PET has presets in SUV when the factor is known.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from imaging.body_parts import find_parts
from imaging.hounsfield import WORDS, rescale_fault, why_not_hounsfield

HU, SUV, SHARE = "HU", "SUV", "percentile"
_NO_PRESETS = "There are no presets for pictures in colour."


@dataclass(frozen=True, slots=True)
class Preset:
    """One window by name.

    With unit `HU` or `SUV`, `first` and `second` are centre and width; with `percentile` they
    are where the window begins and ends, from 0 to 100. `key` is the key that always means it.
    """

    code: str
    label: str
    unit: str
    first: float
    second: float
    regions: tuple[str, ...] = ()
    key: int | None = None


# Widths and centres as they are taught and as scanners ship them; regions are parts of
# `imaging.body_parts` for which a preset comes first.
CT_PRESETS = (
    Preset("lung", "Lung", HU, -600, 1500, ("CHEST", "LUNG"), 1),
    Preset("bone", "Bone", HU, 500, 2000, ("SPINE", "EXTREMITY", "FACE"), 2),
    Preset("brain", "Brain", HU, 40, 80, ("HEAD", "BRAIN", "SKULL"), 3),
    Preset("stroke", "Stroke", HU, 35, 40, ("HEAD", "BRAIN"), 4),
    Preset("mediastinum", "Mediastinum", HU, 50, 350, ("CHEST", "LUNG", "HEART"), 5),
    Preset("abdomen", "Abdomen", HU, 50, 400, ("ABDOMEN", "PELVIS", "KIDNEY"), 6),
    Preset("liver", "Liver", HU, 90, 150, ("ABDOMEN", "LIVER", "PANCREAS"), 7),
    Preset("angio", "Angio", HU, 300, 700, ("HEART", "VESSELS"), 8),
    Preset("subdural", "Subdural", HU, 75, 215, ("HEAD", "BRAIN"), 9),
    Preset("pulmonary_embolism", "Pulmonary embolism", HU, 100, 700, ("CHEST", "LUNG")),
    Preset("temporal_bone", "Temporal bone", HU, 600, 2800, ("EAR", "SKULL")),
    Preset("neck", "Neck", HU, 50, 250, ("NECK",)),
    Preset("spine_soft", "Spine, soft tissue", HU, 50, 250, ("SPINE",)),
    Preset("pelvis", "Pelvis", HU, 40, 400, ("PELVIS",)),
)
RELATIVE_PRESETS = (
    Preset("full", "Full range", SHARE, 0, 100, (), 1),
    Preset("wide", "Wide", SHARE, 0.1, 99.9, (), 2),
    Preset("soft", "Soft", SHARE, 0.5, 99.9, (), 3),
    Preset("contrast", "Contrast", SHARE, 5, 97, (), 4),
)
SUV_PRESETS = (
    Preset("suv5", "SUV 0 to 5", SUV, 2.5, 5, (), 5),
    Preset("suv7", "SUV 0 to 7", SUV, 3.5, 7, (), 6),
    Preset("suv10", "SUV 0 to 10", SUV, 5, 10, (), 7),
)
EVERY_PRESET = (*CT_PRESETS, *RELATIVE_PRESETS, *SUV_PRESETS)


@dataclass(frozen=True, slots=True)
class Offer:
    """The presets of a series, most fitting first, and why those in HU or SUV are missing."""

    presets: tuple[Preset, ...]
    why_not: str = ""
    suv_factor: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the offer as pages and the stack document carry it."""
        return {
            "presets": [self._describe(preset) for preset in self.presets],
            "why_not": self.why_not,
        }

    def find(self, code: str) -> Preset | None:
        """Return the offered preset of this code."""
        return next((preset for preset in self.presets if preset.code == code), None)

    def levels(self, preset: Preset) -> tuple[float, float]:
        """Return centre and width of a preset in modality units (never of percentiles)."""
        factor = self.suv_factor if preset.unit == SUV and self.suv_factor else 1.0
        return preset.first / factor, preset.second / factor

    def _describe(self, preset: Preset) -> dict[str, Any]:
        about = {"code": preset.code, "label": preset.label, "key": preset.key}
        if preset.unit == SHARE:
            return {**about, "percentiles": [preset.first, preset.second]}
        centre, width = self.levels(preset)
        return {**about, "center": centre, "width": width, "unit": preset.unit}


def offer_presets(
    modality: str,
    images: Iterable[tuple[str, dict[str, Any]]],
    *,
    body_part: str = "",
    suv_factor: float | None = None,
) -> Offer:
    """Return what a series may use.

    Parameters
    ----------
    modality
        Of the series.
    images
        SOP Class UID and facts (`InstanceFacts.image`, seen by `frame_view`) of its images;
        one that is not in HU refuses the presets in HU for all.
    body_part
        BodyPartExamined; presets of the parts that it or Anatomic Region Sequence of an image
        names come first.
    suv_factor
        Rescaled value to SUV, from the passport; None when it is not known.
    """
    known = list(images)
    if any(int(facts.get("samples_per_pixel") or 1) > 1 for _uid, facts in known):
        return Offer((), _NO_PRESETS)
    if modality == "CT":
        faults = (why_not_hounsfield(uid, facts) or rescale_fault(facts) for uid, facts in known)
        fault = next((fault for fault in faults if fault), "")
        if fault:
            return Offer(RELATIVE_PRESETS, f"These values are not HU: {WORDS[fault]}")
        concepts = {
            tuple(one) for _uid, facts in known for one in facts.get("anatomic_regions", ())
        }
        return Offer(_by_relevance(CT_PRESETS, find_parts(body_part, concepts)))
    if modality == "PT":
        if suv_factor is None or not suv_factor > 0:
            return Offer(RELATIVE_PRESETS, "The factor to SUV is not known.")
        return Offer((*SUV_PRESETS, *RELATIVE_PRESETS), "", suv_factor)
    return Offer(RELATIVE_PRESETS)


def _by_relevance(presets: tuple[Preset, ...], parts: frozenset[str]) -> tuple[Preset, ...]:
    """Return presets of the parts first; otherwise the order of the table."""
    return tuple(sorted(presets, key=lambda one: parts.isdisjoint(one.regions)))
