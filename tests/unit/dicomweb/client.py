"""dicomweb-client, an outside program, against our views without a server between."""

from __future__ import annotations

import io
from typing import Any

import requests
from dicomweb_client.api import DICOMwebClient
from django.test import Client
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

ADDRESS = "http://testserver/dicomweb"


class _ToViews(BaseAdapter):
    """Hands the requests of a `requests` session to Django's test client."""

    def __init__(self, client: Client) -> None:
        super().__init__()
        self._client = client

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Any:
        names = {name: value for name, value in request.headers.items() if value is not None}
        generic: Any = self._client.generic
        answer = generic(
            str(request.method),
            str(request.path_url),
            request.body or b"",
            names.get("Content-Type", "application/octet-stream"),
            headers={name: str(value) for name, value in names.items()},
        )
        body = b"".join(answer.streaming_content) if answer.streaming else answer.content
        response = requests.Response()
        response.status_code = answer.status_code
        response.headers.update(dict(answer.items()))
        response.url = str(request.url)
        response.request = request
        response.raw = HTTPResponse(
            io.BytesIO(body), headers=dict(answer.items()), preload_content=False
        )
        return response

    def close(self) -> None:
        """Nothing is open."""


def open_client(client: Client) -> DICOMwebClient:
    """Return a DICOMweb client that asks as the person who is logged in."""
    session = requests.Session()
    session.mount("http://", _ToViews(client))
    return DICOMwebClient(ADDRESS, session=session)
