"""Answers of which a client may ask for a range (RFC 9110, section 14)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http import HTTPStatus

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from dicomweb.streams import answer_pieces
from viewer.byte_range import NotSatisfiableError, parse_range
from viewer.compression import Coding


def answer_range(
    request: Request,
    length: int,
    part: Callable[[int, int], Iterator[bytes]],
    content_type: str,
    etag: str,
    then: Callable[[], None],
    coding: Coding | None = None,
) -> HttpResponseBase:
    """Answer with the whole, or with the range that is asked for; `part` gives bytes by place.

    A coded answer is whole: ranges are of what is not coded. `then` is called at the end.
    """
    wanted = request.headers.get("Range", "")
    if request.headers.get("If-Range", etag) != etag:
        wanted = ""
    try:
        span = parse_range(wanted, length) if wanted else None
    except NotSatisfiableError:
        then()
        refused = HttpResponse(status=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
        refused["Content-Range"] = f"bytes */{length}"
        return refused
    start, end = span or (0, length)
    response = answer_pieces(
        request,
        part(start, end),
        content_type,
        length=end - start,
        coding=None if span else coding,
        then=then,
    )
    response["Accept-Ranges"] = "bytes"
    if span:
        response.status_code = HTTPStatus.PARTIAL_CONTENT
        response["Content-Range"] = f"bytes {start}-{end - 1}/{length}"
    return response
