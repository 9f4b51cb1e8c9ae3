"""Stored objects that are no pictures, as documents that a page can show.

One document an object: what it is, facts in words, and what belongs to its kind: a tree of
content, images that it names, what it applies, its regions. Names and values are plain text.
"""

from __future__ import annotations

from collections.abc import Callable

from django.contrib.auth.models import AnonymousUser
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import User
from archive.models import Instance
from imaging.errors import PermanentError
from imaging.header import Header
from imaging.key_objects import read_key_objects
from imaging.segmentation import FRACTIONAL, read_segmentation
from imaging.sr_tree import Node, read_report
from imaging.structure_set import read_structure_set
from imaging.waveform import describe_group, read_waveforms
from viewer.cda import read_cda_text
from viewer.file_stream import open_document
from viewer.object_kinds import (
    FILE,
    KEY_OBJECTS,
    REFERENCES_LIMIT,
    REPORT,
    SEGMENTATION,
    STATE,
    STRUCTURES,
    WAVEFORM,
    Document,
    Places,
    facts_of,
    kind_of,
    name_of,
    name_of_class,
    open_header,
)
from viewer.pdf_pages import count_pages
from viewer.presentation_sheet import describe_state

PDF = "application/pdf"
_XML = frozenset({"text/xml", "application/xml", "application/hl7-v3+xml"})
TEXT_LIMIT_BYTES = 1 << 20
# What people look for first in a dose report (PS3.16 CID 10013, 10015, TID 10002, 10005).
_KEY_VALUES = frozenset(
    {"113812", "113813", "113722", "113725", "113730", "113855", "111637", "113507"}
)


def describe_object(user: User | AnonymousUser, instance: Instance) -> Document:
    """Return the document of an object that the person may see.

    Raises UnreadableError and LimitExceededError for what cannot be read.
    """
    kind = kind_of(instance.sop_class_uid, instance.number_of_frames)
    document: Document = {
        "id": str(instance.pk),
        "series": str(instance.series_id),
        "kind": kind,
        "name": name_of(kind),
        "title": instance.series.series_description or name_of(kind),
        "sop_class_uid": instance.sop_class_uid,
        "sop_instance_uid": instance.sop_instance_uid,
        "facts": [],
        "notes": [],
        "file_url": reverse("api:instance-file", args=[instance.pk]),
    }
    describe = _DESCRIBERS.get(kind)
    if describe is None:
        # The standard's own name of the class says most.
        document["title"] = instance.series.series_description or name_of_class(
            instance.sop_class_uid
        )
        document["name"] = name_of_class(instance.sop_class_uid)
        document["notes"].append(_("There is no view of this kind of object yet; save the file."))
        return document
    document |= describe(user, instance, open_header(instance))
    return document


# --- each kind ------------------------------------------------------------------------------
def _report(user: User | AnonymousUser, instance: Instance, header: Header) -> Document:
    report = read_report(header)
    nodes = list(report.root.walk())
    places = Places(user, instance, [one for node in nodes for one in node.references])
    key_values = [
        (node.name, node.value)
        for node in nodes
        if node.value_type == "NUM" and node.concept[0] in _KEY_VALUES and node.value
    ]
    notes = [_("This report is longer than what is shown.")] if report.left_out else []
    return {
        "title": report.root.name or name_of(REPORT),
        "facts": facts_of(
            (_("Completeness"), report.completion),
            (_("Verification"), report.verification),
            *((_("Verified by"), name) for name in report.verifiers),
            *key_values[:40],
        ),
        "notes": notes,
        "tree": _branch(report.root, places),
    }


def _branch(node: Node, places: Places) -> Document:
    branch: Document = {"name": node.name, "value": node.value, "type": node.value_type}
    if node.references:
        branch["images"] = [places.describe(one) for one in node.references]
    if node.children:
        branch["children"] = [_branch(child, places) for child in node.children]
    return branch


def _key_objects(user: User | AnonymousUser, instance: Instance, header: Header) -> Document:
    selection = read_key_objects(header)
    places = Places(user, instance, selection.references)
    return {
        "title": selection.title or name_of(KEY_OBJECTS),
        "facts": facts_of(
            (_("Description"), selection.description), (_("Chosen by"), selection.observer)
        ),
        "images": [places.describe(one) for one in selection.references[:REFERENCES_LIMIT]],
    }


def _segmentation(_user: User | AnonymousUser, instance: Instance, header: Header) -> Document:
    found = read_segmentation(header)
    frames: dict[int, int] = {}
    for frame in found.frames:
        frames[frame.segment] = frames.get(frame.segment, 0) + 1
    notes = []
    if found.kind == FRACTIONAL:
        notes.append(_("Outlines lie at half of the largest value."))
    return {
        "facts": facts_of((_("Kind"), found.kind.capitalize()), (_("Frames"), len(found.frames))),
        "notes": notes,
        "outlines_url": reverse("api:instance-outlines", args=[instance.pk]),
        "parts": [
            {
                "number": one.number,
                "name": one.label or one.kind,
                "words": " · ".join(part for part in (one.kind, one.algorithm) if part),
                "colour": one.colour,
                "count": frames.get(one.number, 0),
            }
            for one in found.segments
        ],
    }


def _structures(_user: User | AnonymousUser, instance: Instance, header: Header) -> Document:
    found = read_structure_set(header)
    notes = [_("There are more contours than are read.")] if found.left_out else []
    return {
        "title": found.label or found.name or name_of(STRUCTURES),
        "facts": facts_of((_("Name"), found.name), (_("Description"), found.description)),
        "notes": notes,
        "outlines_url": reverse("api:instance-outlines", args=[instance.pk]),
        "parts": [
            {
                "number": one.number,
                "name": one.name or str(one.number),
                "words": one.kind,
                "colour": one.colour,
                "count": one.contours,
            }
            for one in found.regions
        ],
    }


def _waveform(_user: User | AnonymousUser, instance: Instance, header: Header) -> Document:
    groups = read_waveforms(header)
    address = reverse("api:instance-waveform", args=[instance.pk])
    return {
        "groups": [
            {**describe_group(group), "url": f"{address}?group={number}"}
            for number, group in enumerate(groups)
        ],
    }


def _document(_user: User | AnonymousUser, instance: Instance, header: Header) -> Document:
    mime = header.text("MIMETypeOfEncapsulatedDocument")[:64].lower()
    text = ""
    if mime in _XML:
        with open_document(instance, header) as piece:
            text = read_cda_text(piece.read(TEXT_LIMIT_BYTES))
    notes, pages = [], 0
    if mime == PDF:
        try:
            pages = count_pages(instance, header)
        except PermanentError as error:
            notes.append(str(error))
    elif not text:
        notes.append(_("There is no view of this kind of document yet; save it."))
    return {
        "title": header.text("DocumentTitle")[:1024] or instance.series.series_description,
        "facts": facts_of((_("Type"), mime), (_("Pages"), pages or None)),
        "notes": notes,
        "pages": [
            reverse("api:instance-page", args=[instance.pk, number]) for number in range(pages)
        ],
        "mime": mime,
        "text": text,
        "document_url": reverse("api:instance-document", args=[instance.pk]),
    }


_DESCRIBERS: dict[str, Callable[[User | AnonymousUser, Instance, Header], Document]] = {
    REPORT: _report,
    KEY_OBJECTS: _key_objects,
    STATE: describe_state,
    SEGMENTATION: _segmentation,
    STRUCTURES: _structures,
    WAVEFORM: _waveform,
    FILE: _document,
}
