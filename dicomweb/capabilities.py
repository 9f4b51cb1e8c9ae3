"""What the service says of itself (PS3.18 8.9): resources, methods, media types, parameters."""

from __future__ import annotations

import json
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from django.http import HttpResponse
from rest_framework.request import Request

from dicomweb.frames import SYNTAXES_OF
from dicomweb.statuses import NotAcceptable
from dicomweb.views import RetrievingView, keep_private, service_address
from imaging.encoders import ENCODED

WADL = "application/vnd.sun.wadl+xml"
_JSON = {"application/json", "application/dicom+json"}
_NAMESPACE = "http://wadl.dev.java.net/2009/02"
_RELATED = 'multipart/related; type="{}"'
_SEARCHED = ["application/dicom+json", _RELATED.format("application/dicom+xml")]
_SEARCH = [
    "{attribute}", "includefield", "fuzzymatching", "emptyvaluematching",
    "multiplevaluematching", "limit", "offset",
]  # fmt: skip
_FILES = [_RELATED.format("application/dicom")]
_METADATA = ["application/dicom+json", _RELATED.format("application/dicom+xml")]
_PIXELS = [_RELATED.format(kind) for kind in ("application/octet-stream", *SYNTAXES_OF)]
_RENDERED = ["image/jpeg", "image/png", "image/gif", "video/mp4", "text/html", "text/plain"]
_RENDERING = ["window", "viewport", "quality", "annotation"]
_STUDY, _SERIES = "/studies/{study}", "/studies/{study}/series/{series}"
_INSTANCE = f"{_SERIES}/instances/{{instance}}"
_FRAMES = f"{_INSTANCE}/frames/{{frames}}"
_COMMITMENT = "/commitment-requests/{transaction}"
_PERFORMED = "/modality-performed-procedure-steps/{uid}"
# Path, method, name, media types, parameters of the query.
_RESOURCES: list[tuple[str, str, str, list[str], list[str]]] = [
    ("/studies", "GET", "SearchForStudies", _SEARCHED, _SEARCH),
    ("/studies", "POST", "StoreInstances", _SEARCHED, []),
    (_STUDY, "GET", "RetrieveStudy", _FILES, []),
    (_STUDY, "POST", "StoreInstancesInStudy", _SEARCHED, []),
    (f"{_STUDY}/metadata", "GET", "RetrieveStudyMetadata", _METADATA, []),
    (f"{_STUDY}/rendered", "GET", "RetrieveRenderedStudy", _RENDERED, _RENDERING),
    (f"{_STUDY}/thumbnail", "GET", "RetrieveStudyThumbnail", ["image/jpeg"], ["viewport"]),
    (f"{_STUDY}/series", "GET", "SearchForStudySeries", _SEARCHED, _SEARCH),
    (f"{_STUDY}/instances", "GET", "SearchForStudyInstances", _SEARCHED, _SEARCH),
    ("/series", "GET", "SearchForSeries", _SEARCHED, _SEARCH),
    (_SERIES, "GET", "RetrieveSeries", _FILES, []),
    (f"{_SERIES}/metadata", "GET", "RetrieveSeriesMetadata", _METADATA, []),
    (f"{_SERIES}/rendered", "GET", "RetrieveRenderedSeries", _RENDERED, _RENDERING),
    (f"{_SERIES}/thumbnail", "GET", "RetrieveSeriesThumbnail", ["image/jpeg"], ["viewport"]),
    (f"{_SERIES}/instances", "GET", "SearchForSeriesInstances", _SEARCHED, _SEARCH),
    ("/instances", "GET", "SearchForInstances", _SEARCHED, _SEARCH),
    (_INSTANCE, "GET", "RetrieveInstance", [*_FILES, "application/dicom"], []),
    (f"{_INSTANCE}/metadata", "GET", "RetrieveInstanceMetadata", _METADATA, []),
    (f"{_INSTANCE}/rendered", "GET", "RetrieveRenderedInstance", _RENDERED, _RENDERING),
    (f"{_INSTANCE}/thumbnail", "GET", "RetrieveInstanceThumbnail", ["image/jpeg"], ["viewport"]),
    (_FRAMES, "GET", "RetrieveFrames", _PIXELS, []),
    (f"{_FRAMES}/rendered", "GET", "RetrieveRenderedFrames", _RENDERED, _RENDERING),
    (f"{_FRAMES}/thumbnail", "GET", "RetrieveFrameThumbnail", ["image/jpeg"], ["viewport"]),
    (f"{_INSTANCE}/bulkdata/{{path}}", "GET", "RetrieveBulkdata", _PIXELS, []),
    (_STUDY, "DELETE", "DeleteStudy", [], []),
    (_SERIES, "DELETE", "DeleteSeries", [], []),
    (_INSTANCE, "DELETE", "DeleteInstance", [], []),
    (_COMMITMENT, "POST", "RequestStorageCommitment", _SEARCHED, []),
    (_COMMITMENT, "GET", "CheckStorageCommitment", _SEARCHED, []),
    ("/modality-scheduled-procedure-steps", "GET", "SearchForScheduledSteps", _SEARCHED, _SEARCH),
    (_PERFORMED, "POST", "CreateOrUpdatePerformedStep", _SEARCHED, ["update"]),
    (_PERFORMED, "GET", "RetrievePerformedStep", _SEARCHED, []),
]  # fmt: skip


class CapabilitiesView(RetrievingView):
    """The service's own resource."""

    def get(self, request: Request) -> HttpResponse:
        """Describe the service, as a WADL document or as JSON."""
        return self._describe(request)

    def options(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:  # type: ignore[override]
        """Describe the service, as the standard's Retrieve Capabilities asks."""
        response = self._describe(request)
        response["Allow"] = "GET, HEAD, OPTIONS"
        return response

    def _describe(self, request: Request) -> HttpResponse:
        base = service_address(request)
        for wish in self.wishes():
            if wish.is_multipart:
                continue
            if wish.kind in {WADL, "application/xml", "*/*", "application/*"}:
                return _private(HttpResponse(_as_wadl(base), content_type=WADL))
            if wish.kind in _JSON:
                return _private(_as_json(base))
        raise NotAcceptable


def _private(response: HttpResponse) -> HttpResponse:
    keep_private(response)
    return response


def _as_json(base: str) -> HttpResponse:
    document = {
        "base": base,
        "transferSyntaxes": {"transcodedTo": ["1.2.840.10008.1.2.1", *ENCODED]},
        "resources": [
            {
                "path": path, "method": method, "name": name, "mediaTypes": types,
                "query": ["accept", *query],
            }
            for path, method, name, types, query in _RESOURCES
        ],
    }  # fmt: skip
    return HttpResponse(json.dumps(document), content_type="application/json")


def _as_wadl(base: str) -> bytes:
    root = Element("application", {"xmlns": _NAMESPACE})
    resources = SubElement(root, "resources", {"base": base})
    nodes: dict[str, Element] = {}
    for path, method, name, types, query in _RESOURCES:
        if path not in nodes:
            nodes[path] = SubElement(resources, "resource", {"path": path.removeprefix("/")})
        node = SubElement(nodes[path], "method", {"name": method, "id": name})
        request = SubElement(node, "request")
        SubElement(request, "param", {"name": "Accept", "style": "header"})
        for parameter in ("accept", *query):
            SubElement(request, "param", {"name": parameter, "style": "query"})
        response = SubElement(node, "response", {"status": "200"})
        for media_type in types:
            SubElement(response, "representation", {"mediaType": media_type})
    indent(root)
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True))
