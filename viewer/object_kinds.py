"""Kinds of stored objects, and what all their documents share: facts, and places of references."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy
from pydicom.uid import UID

from accounts.models import User
from archive import storage
from archive.models import Instance
from archive.rows import in_facility
from imaging.header import Header, read_header
from imaging.sr_tree import Reference

Document = dict[str, Any]

REPORT, KEY_OBJECTS, STATE = "report", "key_objects", "presentation"
SEGMENTATION, STRUCTURES, WAVEFORM, FILE = "segmentation", "structures", "waveform", "document"
OTHER, PICTURE = "other", "picture"
# Kinds whose outlines lie on pictures.
OUTLINED = frozenset({SEGMENTATION, STRUCTURES})
REFERENCES_LIMIT = 2_000

_STORAGE = "1.2.840.10008.5.1.4.1.1."
# By the longest beginning of the SOP Class UID that fits (PS3.4 B.5).
_KINDS = {
    "9.": WAVEFORM,
    "11.": STATE,
    "66.4": SEGMENTATION,
    "66.7": SEGMENTATION,
    "88.": REPORT,
    "88.59": KEY_OBJECTS,
    "104.": FILE,
    "481.3": STRUCTURES,
}
_NAMES: dict[str, str | Promise] = {
    REPORT: gettext_lazy("Structured report"),
    KEY_OBJECTS: gettext_lazy("Key images"),
    STATE: gettext_lazy("Presentation state"),
    SEGMENTATION: gettext_lazy("Segmentation"),
    STRUCTURES: gettext_lazy("Radiotherapy structures"),
    WAVEFORM: gettext_lazy("Waveform"),
    FILE: gettext_lazy("Document"),
    OTHER: gettext_lazy("Object"),
    PICTURE: gettext_lazy("Picture"),
}


def kind_of(sop_class_uid: str, frames: int) -> str:
    """Return the kind of an object by its class."""
    rest = sop_class_uid.removeprefix(_STORAGE)
    fitting = [
        start
        for start in _KINDS
        if rest == start or rest.startswith(start if start.endswith(".") else f"{start}.")
    ]
    if rest != sop_class_uid and fitting:
        return _KINDS[max(fitting, key=len)]
    return PICTURE if frames else OTHER


def name_of(kind: str) -> str:
    """Return what a kind of object is called."""
    return str(_NAMES[kind])


def name_of_class(sop_class_uid: str) -> str:
    """Return what the standard calls a class of objects."""
    known = UID(sop_class_uid)
    return name_of(OTHER) if known.name == known else known.name.removesuffix(" Storage")


def open_header(instance: Instance) -> Header:
    """Read the header of a stored object. Raises as the storage and the reader do."""
    with storage.open_instance(instance.storage_key) as file:
        return read_header(file, size=instance.size_bytes)


def facts_of(*pairs: tuple[str, Any]) -> list[dict[str, str]]:
    """Return names and values of what is known."""
    return [{"name": name, "value": str(value)} for name, value in pairs if value not in ("", None)]


# --- references -----------------------------------------------------------------------------
class Places:
    """Where the objects are that a document names, as far as the person may see them."""

    def __init__(
        self, user: User | AnonymousUser, instance: Instance, references: Iterable[Reference]
    ) -> None:
        uids = list(dict.fromkeys(one.sop_instance_uid for one in references))[:REFERENCES_LIMIT]
        visible = Instance.objects.visible_to(user).filter(sop_instance_uid__in=uids)
        rows = in_facility(visible, instance.facility_id)
        self._rows = {
            row.sop_instance_uid: row
            for row in rows.select_related("series").defer("frame_table", "image")
        }

    def describe(self, reference: Reference) -> Document:
        """Return a reference; `instance` is null for what is not here. Frames count from 0."""
        row = self._rows.get(reference.sop_instance_uid)
        frames = [frame - 1 for frame in reference.frames if frame > 0]
        if row is None:
            return {
                "instance": None,
                "sop_instance_uid": reference.sop_instance_uid,
                "frames": frames,
            }
        return {
            "instance": str(row.pk),
            "series": str(row.series_id),
            "study": str(row.study_id),
            "sop_instance_uid": row.sop_instance_uid,
            "series_number": row.series.series_number,
            "instance_number": row.instance_number,
            "frames": frames,
        }
