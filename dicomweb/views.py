"""What all retrieving views share: what is accepted, who asks, how refusals and answers read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.utils.translation import gettext as _
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from archive.models import Instance
from dicomweb.media_types import Wish, parse_wishes
from dicomweb.search import AnyNegotiation
from dicomweb.statuses import NotAcceptable, Refusal, StoredTrouble
from imaging.errors import LimitExceededError, NoctisError, UnreadableError

_UIDS = {
    "StudyInstanceUID": "study__study_instance_uid",
    "SeriesInstanceUID": "series__series_instance_uid",
    "SOPInstanceUID": "sop_instance_uid",
}


_FIELDS = (
    "sop_instance_uid", "sop_class_uid", "transfer_syntax_uid", "number_of_frames", "image",
    "storage_key", "size_bytes", "dataset_offset", "dataset_sha256", "facts_version",
    "frame_table", "study_id",
)  # fmt: skip


class RetrievingView(APIView):
    """A resource that is retrieved."""

    content_negotiation_class = AnyNegotiation
    # DICOMweb has a document of its own; the REST interface's schema leaves it out.
    schema = None

    def handle_exception(self, exc: Exception) -> Response:
        """Map the house's errors to this door's statuses; what is stored broken is our fault."""
        if isinstance(exc, UnreadableError | LimitExceededError):
            return super().handle_exception(StoredTrouble(str(exc)))
        if isinstance(exc, NoctisError):
            return super().handle_exception(Refusal(exc))
        return super().handle_exception(exc)

    def wishes(self) -> list[Wish]:
        """Return what the client takes; the query wins over the header (PS3.18 8.3.3)."""
        asked = self.request.query_params.get("accept", "")
        # A plus sign that nobody encoded is a space.
        asked = asked.replace("dicom json", "dicom+json").replace("dicom xml", "dicom+xml")
        wishes = parse_wishes(asked or self.request.headers.get("Accept", ""))
        if not wishes:
            raise NotAcceptable
        return wishes


def find_instance(request: Request, uids: Mapping[str, str]) -> Instance:
    """Return one instance as the person may see it; of its row, what an answer needs.

    Where several facilities hold it, the one that came last is meant. Raises NotFound for what
    is not there or belongs to others.
    """
    visible = Instance.objects.visible_to(request.user).only(*_FIELDS)
    found = list(visible.filter(**{_UIDS[keyword]: uid for keyword, uid in uids.items()}))
    if not found:
        raise NotFound(_("Not found."), "not_found")
    return max(found, key=lambda instance: instance.pk)


def service_address(request: Request) -> str:
    """Return where the service is, as the client sees it."""
    return request.build_absolute_uri(reverse("dicomweb:studies")).removesuffix("/studies")


# --- answers -------------------------------------------------------------------------------------
def make_etag(parts: Iterable[Any]) -> str:
    """Return an ETag of what determines an answer, but for the boundary between its parts."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(repr(part).encode())
    return f'W/"{digest.hexdigest()[:40]}"'


def answer_unchanged(request: Request, etag: str) -> HttpResponseBase | None:
    """Return the 304 for a client that has this already; who asked was checked before."""
    answer = get_conditional_response(request._request, etag=etag)
    return keep_private(answer, etag) if isinstance(answer, HttpResponse) else None


def keep_private(response: HttpResponseBase, etag: str = "") -> HttpResponseBase:
    """Let only this person's client keep the answer, and ask each time whether it still may."""
    response["Cache-Control"] = "private, no-cache" if etag else "private, no-store"
    if etag:
        response["ETag"] = etag
    response["X-Content-Type-Options"] = "nosniff"
    patch_vary_headers(response, ["Accept", "Accept-Encoding", "Cookie", "Authorization"])
    return response
