"""What stored values mean in units: real world value mappings (PS3.3 C.7.6.16.2.11), dose."""

from typing import Any

from imaging.elements import ElementView
from imaging.text import clean_line

MAX_MAPPINGS = 8


def real_world_mappings(view: ElementView) -> list[dict[str, Any]]:
    """Return the mappings of an image or of one frame; empty when there are none.

    Each holds `first`, `last` (stored values), `units` (UCUM), `label`, and `slope` and
    `intercept` or, for a table, `lut_entries`, how many values it has. One without a range,
    units or a rule is left out and flagged `bad_mapping`.
    """
    found: list[dict[str, Any]] = []
    for number, item in enumerate(view.iter_items("RealWorldValueMappingSequence")):
        mapping = _mapping(item)
        if mapping is None or number >= MAX_MAPPINGS:
            view.flags.add("bad_mapping")
            if number >= MAX_MAPPINGS:
                break
        else:
            found.append(mapping)
    return found


def _mapping(item: ElementView) -> dict[str, Any] | None:
    first, last = _limit(item, "First"), _limit(item, "Last")
    units = item.item("MeasurementUnitsCodeSequence")
    if first is None or last is None or units is None:
        return None
    mapping: dict[str, Any] = {
        "first": first,
        "last": last,
        "units": clean_line(units.text("CodeValue"))[:64],
        "label": clean_line(item.text("LUTLabel"))[:64],
    }
    table = item.span("RealWorldValueLUTData")
    slope, intercept = item.number("RealWorldValueSlope"), item.number("RealWorldValueIntercept")
    if table is not None:
        return mapping | {"lut_entries": table[1] // 8}
    if slope is None or intercept is None:
        return None
    return mapping | {"slope": slope, "intercept": intercept}


def _limit(item: ElementView, end: str) -> float | None:
    double = item.number(f"DoubleFloatRealWorldValue{end}ValueMapped")
    return item.number(f"RealWorldValue{end}ValueMapped") if double is None else double


def dose_facts(view: ElementView) -> dict[str, Any]:
    """Return the scaling of an RT dose grid as a rescale (PS3.3 C.8.8.3); empty without one."""
    scaling = view.number("DoseGridScaling")
    if scaling is None or scaling <= 0 or "RescaleSlope" in view:
        return {}
    units = clean_line(view.text("DoseUnits"))[:16]
    return {
        "dose_grid_scaling": scaling,
        "rescale_slope": scaling,
        "rescale_intercept": 0.0,
        "rescale_type": units,
    }
