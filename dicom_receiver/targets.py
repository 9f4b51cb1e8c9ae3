"""Where a peer is called: its address, its title, its patience, TLS when it asks for that."""

from __future__ import annotations

from functools import lru_cache

from dicom_receiver import tls
from dicom_receiver.models import Peer
from dicom_receiver.requestor import Target
from imaging.errors import PeerUnavailableError


def target_of(peer: Peer) -> Target:
    """Return where an association to the peer goes.

    Raises PeerUnavailableError when the administrator wrote down no address.
    """
    host = peer.host.strip()
    if not host or not peer.port:
        words = f"{peer.ae_title} has no host or port: an administrator must write them down."
        raise PeerUnavailableError(words, trouble="unreachable")
    try:
        context = _calling(peer.certificate.strip()).get() if peer.use_tls else None
    except tls.UnusableError as error:
        words = f"{peer.ae_title} wants TLS, and our own is not usable: {error}"
        raise PeerUnavailableError(words, trouble="tls") from error
    return Target(
        host=host,
        port=peer.port,
        called_ae=peer.ae_title,
        tls=context,
        answer_seconds=float(peer.timeout_seconds),
    )


@lru_cache(maxsize=256)
def _calling(binding: str) -> tls.ReloadedContext:
    return tls.calling_context(binding)
