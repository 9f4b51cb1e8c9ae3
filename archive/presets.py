"""Which window presets a frame may use, by its series and what the passport found."""

from __future__ import annotations

from django.utils.translation import gettext_noop as _

from archive.models import Instance, Series
from imaging.ordering import frame_view
from imaging.presets import HU, RELATIVE_PRESETS, Offer, offer_presets

WHY_SUSPECT = _("The CT values do not look like Hounsfield units: see the passport.")


def offer_for_frame(instance: Instance, frame: int) -> Offer:
    """Return the presets of one frame, counted from 0. Costs a query for the series."""
    series = instance.series
    facts = frame_view(instance.image, frame)
    offer = offer_presets(
        series.modality,
        [(instance.sop_class_uid, facts)],
        body_part=series.body_part_examined,
        suv_factor=suv_factor_of(series),
    )
    return obey_passport(offer, series)


def obey_passport(offer: Offer, series: Series) -> Offer:
    """Return the offer without windows in HU when the pixels prove that the values are none."""
    hu = ((getattr(series, "passport", None) or {}).get("hu")) or {}
    if hu.get("verdict") != "suspect" or not any(one.unit == HU for one in offer.presets):
        return offer
    return Offer(RELATIVE_PRESETS, WHY_SUSPECT)


def suv_factor_of(series: Series) -> float | None:
    """Return the passport's factor from rescaled values to SUV by weight; None: not known."""
    return suv_kinds_of(series).get("bw")


def suv_kinds_of(series: Series) -> dict[str, float]:
    """Return the passport's factors from rescaled values to SUV, by kind; empty: none is known."""
    suv = (getattr(series, "passport", None) or {}).get("suv") or {}
    if suv.get("verdict") != "ready":
        return {}
    factors = suv.get("factors") or {"bw": suv.get("suvbw_factor")}
    return {kind: float(factor) for kind, factor in factors.items() if factor}
