"""Asking another archive for a person: the same for DIMSE and DICOMweb, bounded, in the trail."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from accounts.models import User
from archive.models import Series, Study
from dicom_receiver.models import Peer
from dicom_receiver.remote import dimse_query, web_query
from dicom_receiver.remote.answers import Found, Question, RemoteSeries, RemoteStudy
from dicom_receiver.remote.exchanges import AnyPeer
from dicom_receiver.remote.models import Exchange
from imaging.errors import BusyError

# Questions of all people at one time in one process: each holds a thread until its answer.
AT_ONCE = 8
_turns = threading.BoundedSemaphore(AT_ONCE)


@dataclass
class Known:
    """What we have of what another archive has: by UID."""

    here: dict[str, Study | Series] = field(default_factory=dict)
    under_way: dict[str, Exchange] = field(default_factory=dict)


def find_studies(peer: AnyPeer, question: Question) -> Found[RemoteStudy]:
    """Ask for studies. Raises PeerUnavailableError, BusyError."""
    with _one_of_few():
        if isinstance(peer, Peer):
            return dimse_query.find_studies(peer, question)
        return web_query.find_studies(peer, question)


def find_series(peer: AnyPeer, study_uid: str) -> Found[RemoteSeries]:
    """Ask for a study's series. Raises PeerUnavailableError, BusyError."""
    with _one_of_few():
        if isinstance(peer, Peer):
            return dimse_query.find_series(peer, study_uid)
        return web_query.find_series(peer, study_uid)


@contextmanager
def _one_of_few() -> Iterator[None]:
    if not _turns.acquire(blocking=False):
        raise BusyError(_("Too many questions to other archives are under way; try again."))
    try:
        yield
    finally:
        _turns.release()


def know_studies(user: User, peer: AnyPeer, uids: list[str]) -> Known:
    """Return which of these studies are in the archive at the peer's facility, or on their way."""
    studies = Study.objects.visible_to(user).filter(
        facility=peer.facility_id, study_instance_uid__in=uids
    )
    ways = _ways(user, peer).filter(study_instance_uid__in=uids, series_instance_uid="")
    return Known(
        {study.study_instance_uid: study for study in studies},
        {row.study_instance_uid: row for row in ways},
    )


def know_series(user: User, peer: AnyPeer, study_uid: str) -> Known:
    """Return which series of a study are in the archive at the peer's facility."""
    series = Series.objects.visible_to(user).filter(
        facility=peer.facility_id, study__study_instance_uid=study_uid
    )
    ways = _ways(user, peer).filter(study_instance_uid=study_uid).exclude(series_instance_uid="")
    return Known(
        {one.series_instance_uid: one for one in series},
        {row.series_instance_uid: row for row in ways},
    )


def _ways(user: User, peer: AnyPeer) -> Any:
    mine = {"peer": peer} if isinstance(peer, Peer) else {"web_peer": peer}
    return Exchange.objects.visible_to(user).open().filter(**mine)
