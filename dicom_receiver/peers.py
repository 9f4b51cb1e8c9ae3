"""Who is calling: known peers, their facility and rights, and the policy for strangers.

An AE title is a label, not a credential: it chooses a facility only together
with what the administrator wrote down, and a peer whose address does not fit
is a stranger.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import threading
import time
import uuid
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass

from django.conf import settings
from django.db import DatabaseError

from dicom_receiver import pdu
from dicom_receiver.causes import Cause
from dicom_receiver.certificates import Certificate
from dicom_receiver.contexts import Service
from dicom_receiver.database import DatabaseThread
from dicom_receiver.models import Peer

logger = logging.getLogger("noctis.dimse")

FRESH_SECONDS = 1.0
PATIENCE_SECONDS = 5.0
NAME_SECONDS = 30.0


@dataclass(frozen=True)
class Caller:
    """The other side of an association. `facility_id` None means quarantine."""

    ae_title: str
    address: str
    facility_id: uuid.UUID | None
    allowed: frozenset[Service]
    why_stranger: Cause | None = None


@dataclass(frozen=True)
class KnownPeer:
    """What the database says of one peer."""

    host: str
    check_address: bool
    facility_id: uuid.UUID
    is_active: bool
    allowed: frozenset[Service]
    certificate: str = ""


class PeerDirectory:
    """All peers, read again when older than a second.

    When the database does not answer, the last known peers count; when there
    never were any, nobody can be told apart and callers are asked to try later.
    """

    def __init__(self, database: DatabaseThread) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._peers: dict[str, KnownPeer] | None = None
        self._read_at = float("-inf")
        self._reading: Future[dict[str, KnownPeer]] | None = None
        self._addresses: dict[str, tuple[float, frozenset[str]]] = {}

    def admit(self, ae_title: str, address: str, certificate: Certificate | None = None) -> Caller:
        """Return the caller with facility and rights; `certificate` is what it has proved.

        Raises RejectedError when policy does not admit them or cannot be asked.
        """
        peer = self._known_peers().get(ae_title)
        if peer is not None and not peer.is_active:
            raise pdu.calling_ae_unknown(Cause.INACTIVE)
        why = self._why_stranger(peer, address, certificate)
        if peer is not None and why is None:
            return Caller(ae_title, address, peer.facility_id, peer.allowed)
        if settings.NOCTIS_UNKNOWN_AE != "quarantine":
            raise pdu.calling_ae_unknown(why or Cause.CALLING_UNKNOWN)
        return Caller(ae_title, address, None, frozenset({Service.ECHO, Service.STORE}), why)

    def _known_peers(self) -> dict[str, KnownPeer]:
        with self._lock:
            if time.monotonic() - self._read_at > FRESH_SECONDS:
                self._read_again()
            if self._peers is None:
                raise pdu.temporary_congestion(Cause.NO_PEERS)
            return self._peers

    def _read_again(self) -> None:
        """Ask the database; keep what is known when it fails or takes too long."""
        if self._reading is None:
            self._reading = self._database.submit(read_peers)
        patience = PATIENCE_SECONDS if self._peers is None else FRESH_SECONDS
        try:
            self._peers = self._reading.result(patience)
        except FutureTimeoutError:
            logger.error("peers could not be read: the database does not answer")
            self._read_at = time.monotonic()
            return
        except DatabaseError as error:
            logger.error("peers could not be read: %s", type(error).__name__)
        self._reading = None
        self._read_at = time.monotonic()

    def _why_stranger(
        self, peer: KnownPeer | None, address: str, certificate: Certificate | None
    ) -> Cause | None:
        """Return why a caller is not the peer whose title it uses; None when it is."""
        if peer is None:
            return Cause.CALLING_UNKNOWN
        if peer.check_address and not self._calls_from(peer.host, address):
            return Cause.OTHER_ADDRESS
        if peer.certificate and (certificate is None or not certificate.fits(peer.certificate)):
            return Cause.OTHER_CERTIFICATE if certificate else Cause.NO_CERTIFICATE
        return None

    def _calls_from(self, host: str, address: str) -> bool:
        """Whether an address belongs to a peer's host; no host, no check."""
        if not host:
            return True
        try:
            return plain_address(host) == address
        except ValueError:
            return address in self._resolve(host)

    def _resolve(self, host: str) -> frozenset[str]:
        """Return the addresses of a host name, remembered for half a minute."""
        known = self._addresses.get(host)
        now = time.monotonic()
        if known and now - known[0] < NAME_SECONDS:
            return known[1]
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            addresses = frozenset(plain_address(str(entry[4][0])) for entry in found)
        except (OSError, UnicodeError, ValueError):
            logger.warning("a peer's host name has no address")
            addresses = frozenset()
        self._addresses[host] = (now, addresses)
        return addresses


def read_peers() -> dict[str, KnownPeer]:
    """Return all peers by AE title; one query. A peer is active when its facility is too."""
    return {
        peer.ae_title: KnownPeer(
            host=peer.host.strip(),
            check_address=peer.check_address,
            facility_id=peer.facility_id,
            is_active=peer.is_active and peer.facility.is_active,
            allowed=_rights(peer),
            certificate=peer.certificate.strip(),
        )
        for peer in Peer.objects.select_related("facility", "line")
    }


def _rights(peer: Peer) -> frozenset[Service]:
    """Return the services that the administrator allows; an echo is for everybody we know."""
    allowed = {service for service in Service if getattr(peer, f"may_{service.value}", False)}
    line = getattr(peer, "line", None)
    if line is not None and line.asks_commitment:
        allowed.add(Service.PROMISE)
    return frozenset({Service.ECHO, *allowed})


def plain_address(text: str) -> str:
    """Return an IP address in its one plain form; IPv4 mapped into IPv6 is IPv4.

    Raises ValueError when the text is not an address.
    """
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(address)
