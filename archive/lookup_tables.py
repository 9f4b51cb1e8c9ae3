"""Modality and VOI lookup tables of an instance: too large for the index, read from the file."""

from __future__ import annotations

from typing import Any

from archive import storage
from archive.models import Instance
from imaging.elements import ElementView
from imaging.errors import NoctisError
from imaging.header import Header, read_header
from imaging.lut import LookupTable, usable_rescale

TABLES_LIMIT = 8


def read_lookup_tables(instance: Instance) -> dict[str, Any]:
    """Return `modality_lut`, `voi_luts`, `presentation_lut` of an instance (PS3.3 C.11).

    A table is {first, bits, entries, explanation}; inputs beyond its ends
    take the first or last entry. Reads the file's header when the index says
    that there are tables; a file that is missing or damaged gives none, and
    its pictures say so themselves.
    """
    image = instance.image
    if not any(image.get(f"has_{kind}_lut") for kind in ("modality", "voi", "presentation")):
        return {}
    header = read_instance_header(instance)
    return {} if header is None else _tables(header, image)


def read_instance_header(instance: Instance) -> Header | None:
    """Return the header of the stored file, None when it cannot be read."""
    try:
        with storage.open_instance(instance.storage_key) as file:
            return read_header(file, size=instance.size_bytes)
    except NoctisError:
        return None


def _tables(header: Header, image: dict[str, Any]) -> dict[str, Any]:
    tables: dict[str, Any] = {}
    for item in header.items("ModalityLUTSequence")[:1]:
        if table := LookupTable.from_item(item, signed_input=header.signed):
            tables["modality_lut"] = _describe(table, item)
    # The output of a modality table is unsigned; a rescale may go below 0.
    slope, intercept = usable_rescale(image.get("rescale_slope"), image.get("rescale_intercept"))
    below = "modality_lut" not in tables and (header.signed or slope < 0 or intercept < 0)
    found = [
        _describe(table, item)
        for item in header.items("VOILUTSequence")[:TABLES_LIMIT]
        if (table := LookupTable.from_item(item, signed_input=below))
    ]
    if found:
        tables["voi_luts"] = found
    for item in header.items("PresentationLUTSequence")[:1]:
        if table := LookupTable.from_item(item, signed_input=False):
            tables["presentation_lut"] = _describe(table, item)
    return tables


def _describe(table: LookupTable, item: ElementView) -> dict[str, Any]:
    return {
        "first": table.first_mapped,
        "bits": table.bits,
        "entries": table.values.tolist(),
        "explanation": item.text("LUTExplanation")[:64],
    }
