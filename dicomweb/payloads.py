"""One data set as the payload of a request: DICOM JSON or Native DICOM Model (PS3.18 8.7.3)."""

from __future__ import annotations

from django.http import UnreadablePostError
from pydicom import Dataset
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.request import Request

from dicomweb.media_types import parse_accept
from dicomweb.multipart import CHUNK_BYTES, PartReader, parse_body_type
from imaging.errors import LimitExceededError, UnreadableError
from imaging.json_reader import read_documents, read_metadata
from imaging.xml_reader import read_native_model

PAYLOAD_BYTES = 8 << 20
JSON_KINDS = frozenset({"application/dicom+json", "application/json"})
XML_KINDS = frozenset({"application/dicom+xml", "application/xml", "text/xml"})


def read_payload(request: Request) -> Dataset:
    """Return the one data set that a request's body holds.

    Raises
    ------
    UnreadableError
        It is none, or there are several.
    LimitExceededError
        It is too large.
    UnsupportedMediaType
        It is of another kind.
    """
    content_type = request._request.headers.get("Content-Type", "")
    body_type = parse_body_type(content_type)
    try:
        if body_type is None:
            kinds = [one.kind for one in parse_accept(content_type)]
            bodies = [(kinds[0] if kinds else "", _read(request._request))]
        else:
            parts = PartReader(request._request, body_type.boundary)  # type: ignore[arg-type]
            bodies = [(part.kind or body_type.inner, _read(part)) for part in parts]
    except (UnreadablePostError, ConnectionError) as error:
        raise UnreadableError("The body ended before it was whole.") from error
    documents = []
    for kind, text in bodies:
        if kind in JSON_KINDS:
            documents += list(read_documents(text))
        elif kind in XML_KINDS:
            documents.append(read_native_model(text))
        else:
            raise UnsupportedMediaType(kind[:100])
    if len(documents) != 1:
        raise UnreadableError("The body holds no data set, or several.")
    metadata = read_metadata(documents[0])
    if metadata.bulk:
        raise UnreadableError("Bulk data are not taken here.")
    return metadata.dataset


def _read(stream: object) -> bytes:
    text = b""
    while chunk := stream.read(CHUNK_BYTES):  # type: ignore[attr-defined]
        text += chunk
        if len(text) > PAYLOAD_BYTES:
            raise LimitExceededError("The body is too large.")
    return text
