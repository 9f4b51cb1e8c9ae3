"""Reports, lists and documents as text for people: HTML, plain text, PDF (PS3.18 8.7.4)."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.template.loader import render_to_string
from django.utils.formats import date_format
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from accounts.models import User
from archive.models import Instance
from dicomweb.rendered_types import ENCAPSULATED_PDF, HTML, PLAIN
from imaging.errors import UndecodableError
from viewer.export_marks import patient_lines
from viewer.export_pdf import draw_line, register_faces
from viewer.file_stream import open_document
from viewer.object_kinds import Document, open_header
from viewer.objects import describe_object

_MARGIN, _LINE, _SIZE = 18 * mm, 12.0, 9.0
# What fits on a line of A4 in the document's face, on average.
_LETTERS = 96
_PDF_HEAD = b"%PDF-"


def open_text(
    user: User | AnonymousUser, instance: Instance, media_type: str
) -> tuple[Iterable[bytes], int]:
    """Return the pieces of a text and their length.

    An encapsulated PDF is given as it is stored. Raises UndecodableError when it is none.
    """
    if instance.sop_class_uid == ENCAPSULATED_PDF:
        return _open_pdf(instance)
    document = describe_object(user, instance)
    if media_type == HTML:
        content = _to_html(instance, document).encode()
    elif media_type == PLAIN:
        content = "\n".join([*_lines_of(instance, document), ""]).encode()
    else:
        content = _to_pdf(_lines_of(instance, document))
    return [content], len(content)


def _open_pdf(instance: Instance) -> tuple[Iterable[bytes], int]:
    header = open_header(instance)
    with open_document(instance, header) as piece:
        if not piece.read(1024).lstrip().startswith(_PDF_HEAD):
            raise UndecodableError("The document is no PDF.")
    piece = open_document(instance, header)
    return piece, piece.length


# --- who it is about ---------------------------------------------------------------------------
def _heading_of(instance: Instance) -> list[str]:
    """Return the lines above a text: who, when, what."""
    study = instance.study
    when = date_format(study.study_date, "Y-m-d") if study.study_date else ""
    name, patient_id, born = patient_lines(study)
    about = (when, study.study_description, study.accession_number)
    lines = [name, "   ".join(part for part in (patient_id, born) if part)]
    return [line for line in (*lines, "   ".join(part for part in about if part)) if line]


# --- forms -------------------------------------------------------------------------------------
def _to_html(instance: Instance, document: Document) -> str:
    return render_to_string(
        "dicomweb/object.html",
        {
            "language": get_language() or "en",
            "heading": _heading_of(instance),
            "document": document,
            "branches": [_branch(document["tree"])] if document.get("tree") else [],
            "images": list(_image_lines(document.get("images") or [])),
        },
    )


def _lines_of(instance: Instance, document: Document) -> list[str]:
    """Return a document as lines of plain text; what lies deeper in a report is set in."""
    lines = [*_heading_of(instance), "", str(document["title"]), ""]
    lines += [f"{one['name']}: {one['value']}" for one in document["facts"]]
    lines += [f"({note})" for note in document["notes"]]
    for depth, name, value in _walk(document.get("tree")):
        lines += textwrap.indent(": ".join(p for p in (name, value) if p), "  " * depth).split("\n")
    lines += _image_lines(document.get("images") or [])
    if document.get("text"):
        lines += ["", *str(document["text"]).split("\n")]
    return lines


def _walk(branch: Document | None, depth: int = 0) -> Iterator[tuple[int, str, str]]:
    """Yield depth, name and value of each content item, in the order of the report."""
    if branch is None:
        return
    yield depth, str(branch["name"]), _value_of(branch)
    for child in branch.get("children") or []:
        yield from _walk(child, depth + 1)


def _branch(branch: Document) -> dict[str, Any]:
    """Return a content item and those below it as the page wants them."""
    below = [_branch(child) for child in branch.get("children") or []]
    return {"name": branch["name"], "value": _value_of(branch), "branches": below}


def _value_of(branch: Document) -> str:
    lines = _image_lines(branch.get("images") or [])
    return "; ".join(part for part in (str(branch["value"]), *lines) if part)


def _image_lines(images: list[dict[str, Any]]) -> Iterator[str]:
    """Yield a line for each image that is named."""
    for one in images:
        frames = ", ".join(str(frame + 1) for frame in one["frames"])
        if one["instance"] is None:
            yield _("Image that is not here: %(uid)s") % {"uid": one["sop_instance_uid"]}
        else:
            words = {"series": one["series_number"], "image": one["instance_number"]}
            place = _("Series %(series)s, image %(image)s") % words
            yield f"{place}, {_('frame')} {frames}" if frames else place


def _to_pdf(lines: list[str]) -> bytes:
    """Return lines as pages of A4; scripts that the face lacks are drawn."""
    register_faces()
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4, pageCompression=1, invariant=1)
    canvas.setTitle("Noctis")
    top = A4[1] - _MARGIN
    at = top
    for line in lines:
        indent = len(line) - len(line.lstrip(" "))
        wrapped = textwrap.wrap(line.strip(), _LETTERS - indent % 60) or [""]
        for part in wrapped:
            if at < _MARGIN:
                canvas.showPage()
                at = top
            draw_line(canvas, (_MARGIN + indent % 60 * _SIZE * 0.4, at), part, _SIZE)
            at -= _LINE
    canvas.showPage()
    canvas.save()
    return out.getvalue()
