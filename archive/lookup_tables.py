"""Modality and VOI lookup tables of an instance: too large for the index, read from the file."""

from __future__ import annotations

from typing import Any

from archive import storage
from archive.models import Instance
from imaging.elements import ElementView
from imaging.errors import NoctisError
from imaging.header import Header, read_header
from imaging.lut import LookupTable, find_voi_items, usable_rescale, voi_items_of
from imaging.ordering import frame_view
from imaging.palette import Palette

TABLES_LIMIT = 8
# So many entries of tables that differ from frame to frame go into one document.
ENTRIES_LIMIT = 1 << 20


def read_lookup_tables(instance: Instance) -> dict[str, Any]:
    """Return `modality_lut`, `voi_luts`, `presentation_lut`, `supplemental_palette` of an instance.

    A table is {first, bits, entries, explanation}; inputs beyond its ends
    take the first or last entry (PS3.3 C.11). A palette is {first, rgb}: three
    numbers an entry (C.7.6.19). Reads the file's header when the index says
    that there are tables; a file that is missing or damaged gives none, and
    its pictures say so themselves.
    """
    image = instance.image
    has_table = any(image.get(f"has_{kind}_lut") for kind in ("modality", "voi", "presentation"))
    if not has_table and not image.get("has_supplemental_palette"):
        return {}
    header = read_instance_header(instance)
    return {} if header is None else _tables(header, image)


def read_frame_tables(instance: Instance) -> dict[int, list[dict[str, Any]]]:
    """Return `voi_luts` of each frame, from 0, that has tables of its own; mostly none has.

    Frames behind `ENTRIES_LIMIT` entries are left out; the server's pictures have theirs.
    """
    per_frame = instance.image.get("frames", {}).get("per_frame", [])
    wanted = [frame for frame, facts in enumerate(per_frame) if facts.get("has_voi_lut")]
    header = read_instance_header(instance) if wanted else None
    if header is None:
        return {}
    found: dict[int, list[dict[str, Any]]] = {}
    left, asked, has_modality = ENTRIES_LIMIT, set(wanted), _modality_table(header) is not None
    # One walk over the frames: to find each anew would take the square of their number.
    for frame, groups in enumerate(header.iter_items("PerFrameFunctionalGroupsSequence")):
        if frame not in asked:
            continue
        below = _goes_below(header, frame_view(instance.image, frame), has_modality)
        tables = _voi_tables(voi_items_of(groups), below)
        left -= sum(len(table["entries"]) for table in tables)
        if left < 0:
            break
        found[frame] = tables
    return found


def read_instance_header(instance: Instance) -> Header | None:
    """Return the header of the stored file, None when it cannot be read."""
    try:
        with storage.open_instance(instance.storage_key) as file:
            return read_header(file, size=instance.size_bytes)
    except NoctisError:
        return None


def _tables(header: Header, image: dict[str, Any]) -> dict[str, Any]:
    tables: dict[str, Any] = {}
    if modality := _modality_table(header):
        tables["modality_lut"] = modality
    below = _goes_below(header, image, modality is not None)
    if found := _voi_tables(find_voi_items(header, 0), below):
        tables["voi_luts"] = found
    for item in header.items("PresentationLUTSequence")[:1]:
        if table := LookupTable.from_item(item, signed_input=False):
            tables["presentation_lut"] = _describe(table, item)
    palette = Palette.supplemental(header) if image.get("has_supplemental_palette") else None
    if palette is not None:
        rgb = palette.table.ravel().tolist()
        tables["supplemental_palette"] = {"first": palette.first_mapped, "rgb": rgb}
    return tables


def _modality_table(header: Header) -> dict[str, Any] | None:
    for item in header.items("ModalityLUTSequence")[:1]:
        if table := LookupTable.from_item(item, signed_input=header.signed):
            return _describe(table, item)
    return None


def _goes_below(header: Header, facts: dict[str, Any], has_modality: bool) -> bool:
    """Whether modality values may be below 0: a table's are unsigned, a rescale's need not be."""
    slope, intercept = usable_rescale(facts.get("rescale_slope"), facts.get("rescale_intercept"))
    return not has_modality and (header.signed or slope < 0 or intercept < 0)


def _voi_tables(items: list[ElementView], below: bool) -> list[dict[str, Any]]:
    return [
        _describe(table, item)
        for item in items[:TABLES_LIMIT]
        if (table := LookupTable.from_item(item, signed_input=below))
    ]


def _describe(table: LookupTable, item: ElementView) -> dict[str, Any]:
    return {
        "first": table.first_mapped,
        "bits": table.bits,
        "entries": table.values.tolist(),
        "explanation": item.text("LUTExplanation")[:64],
    }
