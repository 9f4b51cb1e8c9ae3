"""Tags of single resources: who has the newest need not read it, who has an old one need not write.

RFC 9110 13: `If-None-Match` on reading gives 304, `If-Match` on changing gives 412.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from django.utils.cache import get_conditional_response, patch_vary_headers
from django.utils.http import parse_etags
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder
from rest_framework.views import APIView


class PreconditionFailed(APIException):
    """Somebody has changed it since it was read."""

    status_code = 412
    default_code = "precondition_failed"
    default_detail = _("It has changed since you read it: read it again.")


class Tagged(APIView):
    """A view of one resource whose JSON answer carries a tag; put before other bases."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Check who asks; then whether what is to be changed is what they have seen."""
        super().initial(request, *args, **kwargs)
        wanted = request.headers.get("If-Match", "")
        if not wanted or request.method not in ("PATCH", "PUT", "DELETE"):
            return
        tag = tag_of(self.get(request, *args, **kwargs).data)  # type: ignore[attr-defined]
        if wanted.strip() != "*" and tag not in parse_etags(wanted):
            raise PreconditionFailed

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Tag the answer, or say that it has not changed."""
        answer = super().finalize_response(request, response, *args, **kwargs)
        is_document = isinstance(answer, Response) and answer.status_code in (200, 201)
        if not is_document or answer.data is None or not isinstance(request, Request):
            return answer
        answer["ETag"] = tag = tag_of(answer.data)
        answer["Cache-Control"] = "private, no-cache"
        patch_vary_headers(answer, ["Cookie", "Authorization"])
        if request.method not in ("GET", "HEAD"):
            return answer
        if "If-None-Match" not in request.headers:
            return answer
        unchanged = get_conditional_response(request._request, etag=tag)
        if unchanged is None or unchanged.status_code != 304:
            return answer
        for name in ("ETag", "Cache-Control", "Vary"):
            unchanged[name] = answer[name]
        return unchanged


def tag_of(data: Any) -> str:
    """Return the tag of a document: equal content has equal tags."""
    text = json.dumps(data, cls=JSONEncoder, sort_keys=True)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
