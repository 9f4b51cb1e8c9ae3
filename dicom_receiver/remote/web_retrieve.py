"""Fetching from DICOMweb peers: WADO-RS, straight into the archive (PS3.18 10.4).

Each object goes from the wire into the archive's intake as it comes; a study is never held, nor
is an object.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from django.utils.translation import gettext as _

from archive.importing import finish_many
from archive.ingest import Intake, Source, open_intake
from dicom_receiver.remote.models import Exchange
from dicom_receiver.remote.multipart import Parts, find_boundary
from dicom_receiver.remote.progress import Tally
from dicom_receiver.remote.web_session import WebSession
from dicom_receiver.remote.web_words import in_words
from dicom_receiver.wire import Stop
from imaging.errors import PeerUnavailableError

DICOM = "application/dicom"
# As it is stored there: nothing is transcoded on the way (PS3.18 8.7.3.5.2).
ACCEPT = f'multipart/related; type="{DICOM}"; transfer-syntax=*'


def fetch(row: Exchange, source: Source, tally: Tally, stop: Stop) -> None:
    """Bring in what a DICOMweb peer has of a study or series, counting as it comes.

    Raises
    ------
    PeerUnavailableError
        It does not answer, or stopped in the middle.
    TransientError
        The archive cannot take it now.
    """
    peer = row.web_peer
    assert peer is not None
    with in_words(peer), WebSession(peer, stop) as session:
        url = f"{session.base_url}/studies/{row.study_instance_uid}"
        if row.series_instance_uid:
            url += f"/series/{row.series_instance_uid}"
        response = session.get(url, headers={"Accept": ACCEPT}, stream=True)
        with contextlib.closing(response):
            if response.status_code == 404:
                words = _("%(peer)s does not have it any more.") % {"peer": peer.name}
                raise PeerUnavailableError(words, trouble="gone")
            response.raise_for_status()
            content_type = response.headers.get("Content-Type", "")
            contents = _objects(content_type, session.pieces(response))
            for verdict in finish_many(_receive(contents, source, row.study_instance_uid)):
                if verdict.is_in:
                    tally.take()
                else:
                    tally.refuse(verdict.reason)


def _objects(content_type: str, pieces: Iterator[bytes]) -> Iterator[Iterator[bytes]]:
    """Yield the content of each object. Raises ValueError when these are no DICOM objects."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == DICOM:
        # One object alone, which some send without a multipart around it.
        yield pieces
        return
    if kind != "multipart/related":
        raise ValueError("not multipart")
    for part in Parts(pieces, find_boundary(content_type)):
        if part.headers.get("content-type", DICOM).partition(";")[0].strip().lower() != DICOM:
            raise ValueError("a part is no DICOM object")
        yield part.content


def _receive(
    contents: Iterator[Iterator[bytes]], source: Source, study_uid: str
) -> Iterator[tuple[Intake, str]]:
    """Yield an intake for each object, written and not finished."""
    for number, content in enumerate(contents, 1):
        intake = open_intake(source, study_instance_uid=study_uid)
        try:
            for piece in content:
                intake.write(piece)
        except BaseException:
            intake.abandon()
            raise
        yield intake, str(number)
