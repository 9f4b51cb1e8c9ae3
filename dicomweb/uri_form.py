"""What a request by URI may say, parsed strictly (PS3.18 chapter 9)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from django.http import QueryDict

from dicomweb.rendered_form import (
    RenderedWish,
    check_size,
    parse_annotation,
    parse_quality,
    read_decimal,
    read_once,
    read_uint,
    read_window,
)
from imaging.errors import QueryError
from imaging.viewport import Viewport

_UID = re.compile(r"[0-9](?:[0-9.]{0,62}[0-9])?", re.ASCII)
_UIDS = {
    "studyUID": "StudyInstanceUID",
    "seriesUID": "SeriesInstanceUID",
    "objectUID": "SOPInstanceUID",
}
# Each belongs to one of the two transactions alone (9.4.1.2, 9.5.1.2).
OF_PICTURES = (
    "frameNumber", "annotation", "imageQuality", "rows", "columns", "region", "windowCenter",
    "windowWidth", "presentationUID", "presentationSeriesUID",
)  # fmt: skip
OF_FILES = ("anonymize", "transferSyntax")


@dataclass(frozen=True, slots=True)
class UriWish:
    """What is asked for.

    `frame` counts from 0. `state` are series and instance of a presentation state. `named` are
    the parameters that go with one kind of answer alone.
    """

    uids: dict[str, str]
    frame: int | None
    rendered: RenderedWish
    state: tuple[str, str] | None
    is_anonymous: bool
    transfer_syntax: str
    named: frozenset[str]


def parse_uri(query: QueryDict) -> UriWish:
    """Read the parameters. Raises QueryError, whose sentence names the parameter."""
    if read_once(query, "requestType") != "WADO":
        raise QueryError("requestType: it is WADO.")
    uids = {}
    for name, keyword in _UIDS.items():
        uids[keyword] = _read_uid(query, name)
    annotations, unknown = parse_annotation(read_once(query, "annotation"))
    frame = read_once(query, "frameNumber")
    rendered = RenderedWish(
        window=None,
        viewport=_parse_region(read_once(query, "region"), _parse_size(query)),
        quality=parse_quality(read_once(query, "imageQuality"), "imageQuality"),
        annotations=annotations,
        unknown_annotations=unknown,
    )
    center, width = read_once(query, "windowCenter"), read_once(query, "windowWidth")
    if (center is None) != (width is None):
        raise QueryError("windowCenter and windowWidth: give both or none.")
    if center is not None and width is not None:
        rendered = replace(rendered, window=read_window(center, width))
    named = frozenset(name for name in (*OF_PICTURES, *OF_FILES) if name in query)
    return UriWish(
        uids=uids,
        frame=None if frame is None else read_uint(frame, "frameNumber") - 1,
        rendered=rendered,
        state=_parse_state(query),
        is_anonymous=_parse_anonymize(read_once(query, "anonymize")),
        transfer_syntax=_read_uid(query, "transferSyntax") if "transferSyntax" in query else "",
        named=named,
    )


def _read_uid(query: QueryDict, name: str) -> str:
    text = read_once(query, name)
    if text is None or not _UID.fullmatch(text):
        raise QueryError(f"{name}: give a UID.")
    return text


def _parse_size(query: QueryDict) -> Viewport | None:
    """Return the box of `rows` and `columns`; one of them alone bounds one side."""
    texts = [read_once(query, name) for name in ("columns", "rows")]
    names = ("columns", "rows")
    sizes = [
        None if text is None else read_uint(text, name)
        for text, name in zip(texts, names, strict=True)
    ]
    columns, rows = sizes
    if columns is None and rows is None:
        return None
    check_size(columns or 1, rows or 1, "rows and columns")
    return Viewport(width_px=columns, height_px=rows)


def _parse_region(text: str | None, box: Viewport | None) -> Viewport | None:
    if text is None:
        return box
    parts = text.split(",")
    if len(parts) != 4:
        raise QueryError("region: give xmin,ymin,xmax,ymax.")
    left, top, right, bottom = (read_decimal(part.strip(), "region") for part in parts)
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise QueryError("region: give parts of the image from 0 to 1, the lower ones first.")
    return replace(
        box or Viewport(),
        left=left,
        top=top,
        region_width=right - left,
        region_height=bottom - top,
        is_in_parts=True,
    )


def _parse_state(query: QueryDict) -> tuple[str, str] | None:
    """Return series and instance of a presentation state, which brings its own window."""
    names = ("presentationSeriesUID", "presentationUID")
    if not any(name in query for name in names):
        return None
    series, instance = (_read_uid(query, name) for name in names)
    if "windowCenter" in query:
        raise QueryError("presentationUID: a presentation state has a window of its own.")
    return series, instance


def _parse_anonymize(text: str | None) -> bool:
    if text not in (None, "yes"):
        raise QueryError("anonymize: it is yes, or is left out.")
    return text == "yes"
