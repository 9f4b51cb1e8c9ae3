"""WADO-RS: rendered studies, series, instances and frames (PS3.18 10.4.1.1.3)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from http import HTTPStatus

from django.http.response import HttpResponseBase
from rest_framework.request import Request

from archive.models import Instance
from archive.video_shown import as_shown
from archive.viewing import ensure_view_recorded
from dicomweb.multipart import OutPart, new_boundary, related, write_parts
from dicomweb.rendered_form import RenderedWish, parse_rendered
from dicomweb.rendered_parts import (
    Body,
    Rendition,
    key_of,
    list_presented,
    list_renditions,
    open_rendition,
)
from dicomweb.rendered_targets import find_instances, parse_frames
from dicomweb.rendered_types import (
    HTML,
    MP4,
    PICTURES,
    PLAIN,
    PRESENTED,
    Choice,
    choose_rendered,
    types_of,
)
from dicomweb.statuses import NotAcceptable
from dicomweb.streams import answer_pieces
from dicomweb.views import (
    RetrievingView,
    answer_unchanged,
    keep_private,
    make_etag,
    service_address,
)
from imaging.errors import QueryError
from viewer.object_kinds import STATE, kind_of

# What is opened in a frame can't run, load or send anything, whatever is in it.
LOCKED = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
)
_UTF8 = frozenset({HTML, PLAIN})


class RenderedView(RetrievingView):
    """A study, a series, an instance or some of its frames, as pictures, film or text."""

    def get(self, request: Request, frames: str | None = None, **uids: str) -> HttpResponseBase:
        """Answer with what is accepted: one representation as it is, several in parts."""
        accept = accepted(request)
        wish = parse_rendered(request.query_params)
        instances = find_instances(request.user, uids)
        offered = [types_of(one, wish) for one in instances]
        wanted: Sequence[int] | None = None
        if frames is not None:
            offered = [tuple(one for one in offered[0] if one in PICTURES)]
            wanted = parse_frames(frames, _count_frames(instances[0]) if offered[0] else 0)
        if len(instances) > 1:
            # Beside its images a presentation state is a way to see them, and no picture more.
            kept = [place for place, types in enumerate(offered) if types != PRESENTED]
            instances = [instances[place] for place in kept] or instances
            offered = [offered[place] for place in kept] or offered
        choice = choose_rendered(accept, offered)
        renditions = self._list(instances, choice, wanted, wish)
        ensure_view_recorded(request._request, instances[0].study)
        etag = make_etag([choice.wants_parts, *(key_of(one, wish) for one in renditions)])
        if unchanged := answer_unchanged(request, etag):
            return unchanged
        if len(renditions) == 1 and not choice.wants_parts:
            response = answer_one(request, renditions[0], wish)
        else:
            response = _answer_parts(request, renditions, wish)
        if None in choice.types:
            # Of some nothing that is accepted can be made (10.4.3.2).
            response.status_code = HTTPStatus.PARTIAL_CONTENT
        warn_of(request, response, wish)
        return keep_private(response, etag)

    def _list(
        self,
        instances: list[Instance],
        choice: Choice,
        wanted: Sequence[int] | None,
        wish: RenderedWish,
    ) -> list[Rendition]:
        """Return what is to be sent; states stand for the images that they show."""
        if kind_of(instances[0].sop_class_uid, 0) != STATE:
            return list_renditions(instances, choice, wanted, wish)
        if wish.window is not None:
            raise QueryError("window: a presentation state has a window of its own.")
        return [
            rendition
            for one, media_type in zip(instances, choice.types, strict=True)
            if media_type is not None
            for rendition in list_presented(self.request.user, one, media_type)
        ]


def accepted(request: Request, parameter: str = "accept") -> str:
    """Return what the client accepts; the query wins over the header (8.3.3)."""
    charset = request.query_params.get("charset", "utf-8").lower()
    if not {"utf-8", "*"} & {one.split(";")[0].strip() for one in charset.split(",")}:
        raise NotAcceptable
    return str(request.query_params.get(parameter) or request.headers.get("Accept", ""))


def answer_one(request: Request, rendition: Rendition, wish: RenderedWish) -> HttpResponseBase:
    """Return one representation as a body of its own."""
    body = open_rendition(request.user, rendition, wish)
    kind = _typed(rendition.media_type)
    response = answer_pieces(request, iter(body.pieces), kind, length=body.length)
    if rendition.media_type not in PICTURES and rendition.media_type != MP4:
        response["Content-Security-Policy"] = LOCKED
    return response


# --- several -------------------------------------------------------------------------------------
def _answer_parts(
    request: Request, renditions: Sequence[Rendition], wish: RenderedWish
) -> HttpResponseBase:
    """Return several representations, each made when the one before has left.

    The first is made before the answer begins, so that a failure still has a status; a later
    one breaks the body off, which then lacks its last boundary.
    """
    user = request.user
    first = open_rendition(user, renditions[0], wish)
    rest = ((one, open_rendition(user, one, wish)) for one in renditions[1:])
    parts = (
        _part_of(request, one, body)
        for one, body in itertools.chain([(renditions[0], first)], rest)
    )
    boundary = new_boundary()
    kind = related(renditions[0].media_type, boundary)
    return answer_pieces(request, write_parts(parts, boundary), kind)


def _part_of(request: Request, rendition: Rendition, body: Body) -> OutPart:
    instance = rendition.instance
    address = "/".join(
        (
            f"{service_address(request)}/studies",
            instance.study.study_instance_uid,
            "series",
            instance.series.series_instance_uid,
            "instances",
            instance.sop_instance_uid,
        )
    )
    if rendition.frame is not None:
        address = f"{address}/frames/{rendition.frame + 1}"
    location = f"{address}/rendered"
    return OutPart(_typed(rendition.media_type), body.pieces, location, body.length)


# --- heads ---------------------------------------------------------------------------------------
def _typed(media_type: str) -> str:
    return f"{media_type}; charset=utf-8" if media_type in _UTF8 else media_type


def warn_of(request: Request, response: HttpResponseBase, wish: RenderedWish) -> None:
    """Say which of the annotations asked for there are none of (8.3.5.1.1)."""
    if wish.unknown_annotations:
        values = ",".join(wish.unknown_annotations)
        words = f"The following annotation values are not supported: {values}"
        response["Warning"] = f"299 {service_address(request)}: {words}"


def _count_frames(instance: Instance) -> int:
    return max(as_shown(instance).number_of_frames, 1)
