"""WADO-RS: thumbnails of studies, series, instances and frames (PS3.18 10.4.1.1.4)."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from rest_framework.request import Request

from accounts.models import User
from archive.kept_pictures import read_kept_picture
from archive.models import Instance
from archive.rendering import Rendering, render_picture
from archive.stack import read_stack
from archive.thumbnails import SIZE_PX, make_thumbnail
from archive.video_shown import as_shown
from archive.viewing import ensure_view_recorded
from dicomweb.rendered import accepted
from dicomweb.rendered_form import RenderedWish, parse_thumbnail
from dicomweb.rendered_targets import find_rows, parse_frames
from dicomweb.rendered_types import GIF, JPEG, PICTURES, PNG, choose_rendered, types_of
from dicomweb.views import RetrievingView, answer_unchanged, keep_private, make_etag
from imaging.display import encode_gif, encode_jpeg, encode_png
from imaging.errors import MissingError, NoctisError, TransientError

# A study may begin with objects that are no pictures.
_LOOKED_AT = 200
_ENCODERS = {JPEG: encode_jpeg, PNG: encode_png, GIF: encode_gif}


class ThumbnailView(RetrievingView):
    """A small picture that stands for a study, a series, an instance or a frame."""

    def get(self, request: Request, frames: str | None = None, **uids: str) -> HttpResponseBase:
        """Answer with one picture: the middle one of what is asked for, or the first frame named.

        Without a viewport its longer side has 128 pixels. 404 when nothing of it is a picture.
        """
        accept = accepted(request)
        viewport = parse_thumbnail(request.query_params)
        rows = find_rows(request.user, uids)
        pictures = rows.filter(number_of_frames__gt=0, rows__gt=0)[:_LOOKED_AT]
        shown = next((one for one in pictures if JPEG in types_of(one, RenderedWish())), None)
        media_type = str(choose_rendered(accept, [PICTURES]).types[0])
        if shown is None:
            raise MissingError(_("There is no thumbnail."))
        is_series = "SOPInstanceUID" not in uids
        if is_series and viewport is None and media_type == JPEG:
            content = _of_series(shown)
        else:
            place = _middle_of(request.user, shown) if is_series else _frame_of(shown, frames)
            look = Rendering(longest_px=None if viewport else SIZE_PX, viewport=viewport)
            content = _picture(*place, look, media_type)
        etag = make_etag([content])
        ensure_view_recorded(request._request, shown.study, "view_thumbnail")
        if unchanged := answer_unchanged(request, etag):
            return unchanged
        response = HttpResponse(content, content_type=media_type)
        return keep_private(response, etag)


def _of_series(instance: Instance) -> bytes:
    """Return the series' own thumbnail, which the worklist shows, too."""
    try:
        return make_thumbnail(instance.series_id)
    except TransientError:
        raise
    except NoctisError as reason:
        raise MissingError(_("There is no thumbnail: %s") % reason) from reason


def _middle_of(user: User | AnonymousUser, instance: Instance) -> tuple[Instance, int]:
    """Return the middle image of an instance's series, as the screen orders them."""
    stack = read_stack(instance.series)
    if not len(stack):
        return _frame_of(instance, None)
    instance_id, frame = stack.image(len(stack) // 2)
    rows = Instance.objects.visible_to(user).filter(series_id=instance.series_id)
    return rows.select_related("series").get(pk=instance_id), frame


def _frame_of(instance: Instance, frames: str | None) -> tuple[Instance, int]:
    shown = as_shown(instance)
    count = max(shown.number_of_frames, 1)
    return shown, count // 2 if frames is None else parse_frames(frames, count)[0]


def _picture(instance: Instance, frame: int, look: Rendering, media_type: str) -> bytes:
    encode = _ENCODERS[media_type]
    kept = read_kept_picture(
        instance,
        frame,
        f"{look.key}-thumbnail-{media_type}",
        lambda: encode(render_picture(instance, frame, look)),
    )
    return bytes(kept)
