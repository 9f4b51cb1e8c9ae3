"""WADO-URI: one instance by parameters, as a file or rendered (PS3.18 chapter 9)."""

from __future__ import annotations

from django.http.response import HttpResponseBase
from rest_framework.request import Request

from accounts.address import read_address
from accounts.audit import record_for_user
from accounts.models import User
from archive.models import Instance
from archive.video_shown import as_shown
from archive.viewing import ensure_view_recorded
from dicomweb.anonymous import AnonymousBody
from dicomweb.bodies import Body, content_type_of
from dicomweb.presented import STATES, Presentation, check_meant, read_presentation
from dicomweb.rendered import accepted, answer_one, warn_of
from dicomweb.rendered_parts import Rendition, key_of, list_presented, list_renditions
from dicomweb.rendered_types import GIF, PICTURES, PRESENTED, Choice, choose_rendered, types_of
from dicomweb.statuses import NotAcceptable
from dicomweb.streams import answer_pieces
from dicomweb.syntaxes import UNSAID, choose_syntax
from dicomweb.uri_form import OF_FILES, OF_PICTURES, UriWish, parse_uri
from dicomweb.views import (
    RetrievingView,
    answer_unchanged,
    find_instance,
    keep_private,
    make_etag,
)
from imaging.errors import QueryError

DICOM = "application/dicom"


class WadoUriView(RetrievingView):
    """An instance, as `requestType=WADO` asks for it."""

    http_method_names = ["get", "head", "options"]

    def get(self, request: Request) -> HttpResponseBase:
        """Answer with the file or with one representation."""
        accept = accepted(request, "contentType")
        wish = parse_uri(request.query_params)
        instance = find_instance(request, wish.uids)
        offered = (*types_of(instance, wish.rendered), DICOM)
        if wish.frame is not None:
            offered = (*(one for one in offered if one in PICTURES), DICOM)
        choice = choose_rendered(accept, [offered])
        if choice.wants_parts:
            raise NotAcceptable
        if choice.types[0] == DICOM:
            return _answer_file(request, instance, wish)
        return _answer_rendered(request, instance, wish, choice)


def _answer_file(request: Request, instance: Instance, wish: UriWish) -> HttpResponseBase:
    """Send the file, in the transfer syntax that is wished for or the standard's default."""
    _refuse(wish, OF_PICTURES, DICOM)
    syntax = choose_syntax(instance, [wish.transfer_syntax or UNSAID])
    if syntax is None:
        raise NotAcceptable
    user = request.user
    assert isinstance(user, User)
    body = AnonymousBody(user, instance, syntax) if wish.is_anonymous else Body(instance, syntax)
    etag = make_etag([instance.dataset_sha256, instance.storage_key, syntax, wish.is_anonymous,
                      user.pk if wish.is_anonymous else None])  # fmt: skip
    _record(request, user, instance, wish)
    if unchanged := answer_unchanged(request, etag):
        body.close()
        return unchanged
    response = answer_pieces(
        request,
        iter(body),
        content_type_of(body.syntax),
        length=body.length if isinstance(body, Body) else None,
        then=body.close,
    )
    name = "anonymous" if wish.is_anonymous else instance.sop_instance_uid
    response["Content-Disposition"] = f'attachment; filename="{name}.dcm"'
    return keep_private(response, etag)


def _answer_rendered(
    request: Request, instance: Instance, wish: UriWish, choice: Choice
) -> HttpResponseBase:
    media_type, rendered = str(choice.types[0]), wish.rendered
    _refuse(wish, OF_FILES, media_type)
    if media_type not in PICTURES:
        _refuse(wish, OF_PICTURES, media_type)
        rendition = Rendition(instance, None, media_type)
    else:
        shown = as_shown(instance)
        frame = _frame_of(shown, wish)
        # All frames make an animation; of another type it is one picture.
        frames = None if media_type == GIF and wish.frame is None else [frame]
        if media_type in PRESENTED and instance.sop_class_uid in STATES:
            rendition = list_presented(request.user, instance, media_type)[0]
        elif wish.state is not None:
            presentation = _find_state(request, wish)
            check_meant(presentation, instance)
            rendition = Rendition(shown, frame, media_type, presentation)
        else:
            rendition = list_renditions([instance], choice, frames, rendered)[0]
    ensure_view_recorded(request._request, instance.study)
    etag = make_etag([key_of(rendition, rendered)])
    if unchanged := answer_unchanged(request, etag):
        return unchanged
    response = answer_one(request, rendition, rendered)
    warn_of(request, response, rendered)
    return keep_private(response, etag)


def _find_state(request: Request, wish: UriWish) -> Presentation:
    """Return the presentation state that is named, which lies in the same study."""
    assert wish.state is not None
    study = wish.uids["StudyInstanceUID"]
    uids = dict(zip(("SeriesInstanceUID", "SOPInstanceUID"), wish.state, strict=True))
    instance = find_instance(request, {"StudyInstanceUID": study, **uids})
    if instance.sop_class_uid not in STATES:
        raise QueryError("presentationUID: this is no presentation state that is applied here.")
    return read_presentation(instance)


def _frame_of(shown: Instance, wish: UriWish) -> int:
    """Return the frame that is asked for, the first unless one is named (9.5.2.1)."""
    if wish.frame is None:
        return 0
    if shown.number_of_frames < 2:
        raise QueryError("frameNumber: this is no multi-frame image.")
    if wish.frame >= shown.number_of_frames:
        raise QueryError("frameNumber: the image has fewer frames.")
    return wish.frame


def _refuse(wish: UriWish, names: tuple[str, ...], media_type: str) -> None:
    """Refuse parameters that a media type does not go with."""
    found = [name for name in names if name in wish.named]
    if found:
        raise QueryError(f"{found[0]}: it does not go with {media_type}.")


def _record(request: Request, user: User, instance: Instance, wish: UriWish) -> None:
    """Write into the trail that an object leaves as a file."""
    study = instance.study
    record_for_user(
        user,
        "file_saved",
        address=read_address(request._request),
        facility_id=study.facility_id,
        patient_id=study.patient.patient_id,
        study_instance_uid=study.study_instance_uid,
        detail={
            "by": "WADO-URI",
            "sop_instance_uid": instance.sop_instance_uid,
            "deidentified": wish.is_anonymous,
        },
    )
