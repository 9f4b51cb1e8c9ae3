"""The parts of a passport that are read from headers: spacing, uptake, what differs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from archive.lookup_tables import read_instance_header
from archive.models import Instance
from imaging.ordering import frame_view
from imaging.suv import PET_CLASSES, PetFacts, SuvVerdict, examine_suv

_CALIBRATED = {"FIDUCIAL", "GEOMETRY"}


def examine_pixel_spacing(images: list[Instance]) -> dict[str, Any]:
    """Return `pixel_spacing_mm` [row, column] and where it comes from; `none` when images differ.

    Localizers beside other images are left aside.
    """
    found = [
        (facts.get("pixel_spacing"), _source(facts))
        for one in images
        if "LOCALIZER" not in (facts := frame_view(one.image, 0)).get("image_type", ())
    ] or [(one.image.get("pixel_spacing"), _source(one.image)) for one in images]
    sources = {source for _spacing, source in found}
    if len(sources) != 1:
        return {"pixel_spacing_mm": None, "pixel_spacing_source": "none"}
    return {"pixel_spacing_mm": found[0][0], "pixel_spacing_source": sources.pop()}


def _source(facts: dict[str, Any]) -> str:
    source = str(facts.get("pixel_spacing_source") or "none")
    if not facts.get("pixel_spacing"):
        return "none"
    if source == "none":
        return "pixel_spacing"
    if facts.get("pixel_spacing_calibration_type") in _CALIBRATED and source == "pixel_spacing":
        return "calibrated"
    return source


def examine_uptake(images: list[Instance]) -> dict[str, Any]:
    """Return the passport's `suv`; reads the header of one file of a PET series."""
    pets = [one for one in images if one.sop_class_uid in PET_CLASSES]
    if not pets:
        return SuvVerdict("not_pet", ("not_pet",)).to_json()
    header = read_instance_header(pets[0])
    if header is None:
        return SuvVerdict("not_ready", ("no_header",)).to_json()
    facts = PetFacts.from_header(header)
    return examine_suv(facts, earliest=_earliest(facts, pets)).to_json()


def _earliest(facts: PetFacts, pets: list[Instance]) -> datetime | None:
    """Return the earliest acquisition: each time on the day that lies nearest to the known file's.

    Only that file's date is at hand; a scan may run over midnight.
    """
    known = facts.acquired_at
    if known is None:
        return None
    times = {one.image["acquisition_time"] for one in pets if "acquisition_time" in one.image}
    moments = [known]
    for text in times:
        same_day = datetime.fromisoformat(f"{known.date().isoformat()}T{text}")
        days = (same_day + timedelta(days=shift) for shift in (-1, 0, 1))
        moments.append(min(days, key=lambda moment: abs(moment - known)))
    return min(moments)


def list_facts(instances: list[Instance], images: list[Instance]) -> dict[str, Any]:
    """Return what later tools want to know: of sizes, bits, syntaxes and marks."""

    def values(name: str) -> list[Any]:
        return sorted({str(one.image[name]) for one in images if one.image.get(name) is not None})

    return {
        "transfer_syntaxes": sorted({one.transfer_syntax_uid for one in instances}),
        "sop_classes": sorted({one.sop_class_uid for one in instances}),
        "sizes_px": sorted(
            [list(size) for size in {(one.rows, one.columns) for one in images}], key=str
        ),
        "bits_stored": sorted(
            {int(one.image["bits_stored"]) for one in images if "bits_stored" in one.image}
        ),
        "laterality": values("image_laterality"),
        "is_lossy": any(one.image.get("lossy_image_compression") == "01" for one in images),
        "burned_in_annotation": values("burned_in_annotation"),
    }
