"""Questions to DICOMweb peers: QIDO-RS (PS3.18 10.6)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from time import monotonic
from typing import Any

from dicomweb_client import DICOMwebClient

from dicom_receiver.remote import answers
from dicom_receiver.remote.answers import Found, Question, Reader, RemoteSeries, RemoteStudy
from dicom_receiver.remote.models import WebPeer
from dicom_receiver.remote.web_session import WebSession
from dicom_receiver.remote.web_words import in_words

_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_VALUES_LIMIT = 64


def find_studies(peer: WebPeer, question: Question) -> Found[RemoteStudy]:
    """Ask for studies. Raises PeerUnavailableError."""
    began = monotonic()
    limit = answers.ANSWERS_LIMIT
    filters = {f"{tag:08X}": value for tag, value in question.keys().items()}
    with in_words(peer), WebSession(peer) as session:
        rows = _client(session).search_for_studies(
            limit=limit + 1, fields=_fields(answers.STUDY_TAGS), search_filters=filters
        )
        found = answers.gather(_readers(rows), answers.read_study, limit)
        _check_usable(found)
    found.took_ms = round(1000 * (monotonic() - began))
    return found


def find_series(peer: WebPeer, study_uid: str) -> Found[RemoteSeries]:
    """Ask for the series of a study. Raises PeerUnavailableError."""
    began = monotonic()
    limit = answers.SERIES_LIMIT
    with in_words(peer), WebSession(peer) as session:
        rows = _client(session).search_for_series(
            study_uid, limit=limit + 1, fields=_fields(answers.SERIES_TAGS)
        )
        found = answers.gather(_readers(rows), answers.read_series, limit)
        _check_usable(found)
    found.took_ms = round(1000 * (monotonic() - began))
    return found


def probe(peer: WebPeer) -> None:
    """Ask for one study at most. Raises PeerUnavailableError."""
    with in_words(peer), WebSession(peer) as session:
        list(_readers(_client(session).search_for_studies(limit=1)))


def _check_usable(found: Found[RemoteStudy] | Found[RemoteSeries]) -> None:
    """Raise ValueError when there are answers, and none names anything."""
    if found.unusable and not found.rows:
        raise ValueError("no studies or series")


def _client(session: WebSession) -> DICOMwebClient:
    client = DICOMwebClient(session.base_url, session=session, timeout=session.watch.seconds)
    client.set_http_retry_params(retry=False)
    return client


def _fields(tags: tuple[int, ...]) -> list[str]:
    return [f"{tag:08X}" for tag in tags]


def _readers(rows: Any) -> Iterator[Reader]:
    """Yield a reader for each answer. Raises ValueError when these are no answers."""
    if not isinstance(rows, list):
        raise ValueError("no list")
    for row in rows:
        if not isinstance(row, dict):
            raise ValueError("no DICOM JSON")
        yield partial(_read, row)


def _read(row: dict[str, Any], tag: int) -> list[str]:
    """Return the values of one attribute as text (PS3.18 F.2)."""
    element = row.get(f"{tag:08X}") or row.get(f"{tag:08x}")
    values = element.get("Value") if isinstance(element, dict) else None
    if not isinstance(values, list):
        return []
    return [_as_text(value) for value in values[:_VALUES_LIMIT]]


def _as_text(value: Any) -> str:
    if isinstance(value, dict):
        groups = [value.get(name) for name in _GROUPS]
        return "=".join(one if isinstance(one, str) else "" for one in groups).rstrip("=")
    return value if isinstance(value, str) else str(value) if isinstance(value, int | float) else ""
