"""The page that is printed: pictures in a grid, the heading on every sheet."""

from __future__ import annotations

import uuid

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.address import read_address
from accounts.models import User
from imaging.errors import MissingError
from viewer.export_form import PRINT
from viewer.export_pdf import foot_of, heading_of
from viewer.exports import find_export, record
from viewer.marks import Author


@require_safe
@login_required
@never_cache
def print_sheets(request: HttpRequest, export_id: uuid.UUID) -> HttpResponse:
    """Show the sheets of an export, ready for the browser's own printing."""
    assert isinstance(request.user, User)
    try:
        export = find_export(request.user, export_id)
    except MissingError:
        raise Http404 from None
    if export.form != PRINT:
        raise Http404
    columns, rows = export.wish["columns"], export.wish["rows"]
    on_sheet, count = columns * rows, len(export.images)
    pages = -(-count // on_sheet)
    sheets = [
        {
            "foot": foot_of(export, page + 1, pages),
            "pictures": [
                reverse("api:export-picture", args=[export.pk, place])
                for place in range(page * on_sheet, min(count, (page + 1) * on_sheet))
            ],
        }
        for page in range(pages)
    ]
    record(Author(request.user, read_address(request)), export, "export_fetched")
    return render(
        request,
        "viewer/print.html",
        {
            "heading": heading_of(export), "sheets": sheets,
            "grid": f"grid-{columns} rows-{rows}", "columns": columns,
        },
    )  # fmt: skip
