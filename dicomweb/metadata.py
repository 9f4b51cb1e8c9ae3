"""WADO-RS: metadata of studies, series and instances, from stored documents (PS3.18 10.4.1.1.2)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from archive.metadata import FIELDS, Described, cut_into_sheets, read_metadata, read_sheet
from archive.models import Study
from archive.viewing import ensure_view_recorded
from dicomweb import media_types
from dicomweb.multipart import OutPart, new_boundary, related, write_parts
from dicomweb.rendered_targets import find_rows
from dicomweb.statuses import NotAcceptable
from dicomweb.streams import answer_pieces
from dicomweb.views import (
    RetrievingView,
    answer_unchanged,
    keep_private,
    make_etag,
    service_address,
)
from imaging.dicom_xml import xml_of_json
from viewer.compression import choose_coding, is_near

XML = "application/dicom+xml"


class MetadataView(RetrievingView):
    """The headers below a study, a series or an instance."""

    def get(self, request: Request, **uids: str) -> HttpResponseBase:
        """Return them as DICOM JSON, or each as an XML document; large values as addresses."""
        is_xml = _choose(self.wishes())
        found = find_rows(request.user, uids).select_related(None).order_by("series_id", "pk")
        rows = [Described(*row) for row in found.values_list(*FIELDS)]
        if not rows:
            raise NotFound(_("Not found."), "not_found")
        study = Study.objects.select_related("patient").get(
            study_instance_uid=rows[0].study_instance_uid, series_set=rows[0].series_id
        )
        ensure_view_recorded(request._request, study, "view_metadata")
        base = service_address(request)
        etag = make_etag([base, is_xml, *((row.dataset_sha256, row.address) for row in rows)])
        if unchanged := answer_unchanged(request, etag):
            return unchanged
        sheets = _sheets(rows, base, is_one=len(uids) == 3)
        # The first sheet is made before the answer begins, so that a refusal can be one.
        first = next(sheets)
        coding = choose_coding(
            request.headers.get("Accept-Encoding", ""), is_near=is_near(request.META)
        )
        all_sheets = _with_first(first, sheets)
        # Few instances are few bytes: they need no stream.
        length = len(first) + 2 if len(rows) == 1 else None
        if is_xml:
            boundary = new_boundary()
            pieces = write_parts(_documents(all_sheets), boundary)
            content_type, length = related(XML, boundary), None
        else:
            pieces, content_type = _as_list(all_sheets), media_types.JSON
        response = answer_pieces(request, pieces, content_type, length=length, coding=coding)
        return keep_private(response, etag)


def _choose(wishes: list[media_types.Wish]) -> bool:
    """Return whether XML is wanted rather than JSON; raises NotAcceptable when neither is."""
    for wish in wishes:
        if wish.kind in {"*/*", "application/*", "application/json", media_types.JSON}:
            if not wish.is_multipart or wish.kind == "*/*":
                return False
        elif wish.kind == XML and wish.is_multipart is not False:
            return True
    raise NotAcceptable


def _sheets(rows: list[Described], base: str, *, is_one: bool) -> Iterator[bytes]:
    if is_one:
        # One header is read faster than the sheet that it is on.
        found = read_metadata(rows[0], f"{base}{rows[0].address}/bulkdata/")
        yield json.dumps(found, ensure_ascii=False).encode("utf-8", "replace")
        return
    for sheet in cut_into_sheets(rows):
        yield read_sheet(sheet, base)


def _with_first(first: bytes, others: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from others


def _as_list(sheets: Iterator[bytes]) -> Iterator[bytes]:
    before = b"["
    for sheet in sheets:
        yield before
        yield sheet
        before = b","
    yield b"]"


def _documents(sheets: Iterator[bytes]) -> Iterator[OutPart]:
    for sheet in sheets:
        attributes: list[dict[str, Any]] = json.loads(b"[" + sheet + b"]")
        for one in attributes:
            document = xml_of_json(one)
            yield OutPart(XML, [document], length=len(document))
