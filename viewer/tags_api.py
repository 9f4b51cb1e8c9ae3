"""The tag browser's address: what a stored file says of itself."""

from __future__ import annotations

import uuid

from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from archive.tags import read_tags
from archive.viewing import ensure_view_recorded
from viewer.api import PictureView

LONGEST_SEARCH = 100


class TagsView(PictureView):
    """The elements of one instance."""

    @extend_schema(
        operation_id="instance_tags",
        parameters=[
            OpenApiParameter(
                "search", str, description="Part of a tag, keyword, name or value; any case."
            )
        ],
        responses={
            200: OpenApiTypes.OBJECT,
            404: OpenApiResponse(description="It is not there, or belongs to another facility."),
            422: OpenApiResponse(description="The file is damaged or its header too large."),
            503: OpenApiResponse(description="The storage does not answer; come again."),
        },
    )
    def get(self, request: Request, instance_id: uuid.UUID) -> HttpResponseBase:
        """Return the file's elements in the order of their tags, sequences unfolded.

        At most 10,000 rows; `is_cut` says that there are more, which `search` then finds.
        """
        instance = self.find_instance(instance_id)
        ensure_view_recorded(request._request, instance.study)
        search = request.query_params.get("search", "")[:LONGEST_SEARCH]
        rows, is_cut = read_tags(instance, search=search)
        answer = Response(
            {
                "instance": str(instance.pk),
                "sop_instance_uid": instance.sop_instance_uid,
                "instance_number": instance.instance_number,
                "is_cut": is_cut,
                "rows": [row.to_json() for row in rows],
            }
        )
        answer["Cache-Control"] = "private, no-store"
        return answer


urlpatterns: list[URLPattern | URLResolver] = [
    path("instances/<uuid:instance_id>/tags/", TagsView.as_view(), name="instance-tags"),
]
