"""A PDF of pictures in a grid, with the patient's heading on every page."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from PIL import Image
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from archive.models import Study
from imaging.lettering import line_picture
from imaging.text import clean_line
from viewer.export_form import JPEG
from viewer.export_marks import patient_lines
from viewer.export_models import Export
from viewer.export_pictures import encode

_FACE, _BOLD = "Vera", "VeraBd"
_MARGIN, _GAP = 12 * mm, 3 * mm
_HEADING, _FOOT = 20 * mm, 8 * mm
# Lines in scripts that the document's own face lacks are drawn as pictures this much finer.
_FINENESS = 4


def write_pdf(path: Path, export: Export, pictures: Iterable[Image.Image]) -> None:
    """Write all pages; each picture is held compressed."""
    register_faces()
    canvas = Canvas(str(path), pagesize=A4, pageCompression=1)
    canvas.setTitle("Noctis")
    columns, rows = export.wish["columns"], export.wish["rows"]
    on_page = columns * rows
    pages = -(-len(export.images) // on_page)
    for place, picture in enumerate(pictures):
        page, cell = divmod(place, on_page)
        if cell == 0:
            if page:
                canvas.showPage()
            _draw_frame(canvas, heading_of(export), foot_of(export, page + 1, pages))
        _draw_picture(canvas, picture, (cell % columns, cell // columns), (columns, rows))
    canvas.showPage()
    canvas.save()


def register_faces() -> None:
    """Make the faces known that documents are written in; safe to repeat."""
    pdfmetrics.registerFont(TTFont(_FACE, "Vera.ttf"))
    pdfmetrics.registerFont(TTFont(_BOLD, "VeraBd.ttf"))


def heading_of(export: Export) -> list[str]:
    """Return the lines above every page: who, when, what; nothing of these when de-identified."""
    if export.wish.get("deidentify"):
        return [_("De-identified pictures")]
    study: Study = export.study
    if not export.wish.get("demographics"):
        return [_("Pictures without the patient's name")]
    name, patient_id, born = patient_lines(study)
    when = date_format(study.study_date, "Y-m-d") if study.study_date else ""
    house = study.facility.name if study.facility else ""
    return [
        name,
        "   ".join(part for part in (patient_id, born) if part),
        "   ".join(p for p in (when, study.study_description, study.accession_number, house) if p),
    ]


def foot_of(export: Export, page: int, pages: int) -> str:
    """Return the line below a page: where it comes from, and which it is."""
    made = date_format(localtime(export.created_at), "Y-m-d H:i")
    words = {"made": made, "page": page, "pages": pages}
    return _("Printed from Noctis, %(made)s · page %(page)d of %(pages)d") % words


def _draw_frame(canvas: Canvas, heading: Sequence[str], foot: str) -> None:
    _width, height = A4
    top = height - _MARGIN
    for number, line in enumerate(heading):
        size = 13 if number == 0 else 9
        top -= size * 1.3
        draw_line(canvas, (_MARGIN, top), line, size, face=_BOLD if number == 0 else _FACE)
    canvas.setLineWidth(0.5)
    canvas.line(_MARGIN, height - _MARGIN - _HEADING + 2 * mm, A4[0] - _MARGIN,
                height - _MARGIN - _HEADING + 2 * mm)  # fmt: skip
    draw_line(canvas, (_MARGIN, _MARGIN), foot, 7.5)


def draw_line(
    canvas: Canvas, at: tuple[float, float], text: str, size: float, *, face: str = _FACE
) -> None:
    """Write a line with the document's face, or draw it when that lacks its script."""
    text = clean_line(text)[:140]
    known = pdfmetrics.getFont(face).face.charToGlyph
    if all(ord(character) in known for character in text):
        canvas.setFont(face, size)
        canvas.drawString(*at, text)
        return
    picture = line_picture(text, round(size * _FINENESS))
    width, height = picture.width / _FINENESS, picture.height / _FINENESS
    canvas.drawImage(ImageReader(picture), at[0], at[1] - size * 0.35, width, height)


def _draw_picture(
    canvas: Canvas, picture: Image.Image, cell: tuple[int, int], grid: tuple[int, int]
) -> None:
    width, height = A4
    room = (
        (width - 2 * _MARGIN + _GAP) / grid[0] - _GAP,
        (height - 2 * _MARGIN - _HEADING - _FOOT + _GAP) / grid[1] - _GAP,
    )
    factor = min(room[0] / picture.width, room[1] / picture.height)
    size = (picture.width * factor, picture.height * factor)
    left = _MARGIN + cell[0] * (room[0] + _GAP) + (room[0] - size[0]) / 2
    top = height - _MARGIN - _HEADING - cell[1] * (room[1] + _GAP)
    grey = picture if picture.mode == "L" else picture.convert("RGB")
    packed = ImageReader(io.BytesIO(encode(grey, JPEG)))
    canvas.drawImage(packed, left, top - (room[1] - size[1]) / 2 - size[1], *size)
