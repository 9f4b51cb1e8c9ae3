"""Test a connection: call the peer, say what happened in plain words, and what to do."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext as _

from dicom_receiver.contexts import VERIFICATION
from dicom_receiver.models import Peer
from dicom_receiver.remote import web_query
from dicom_receiver.remote.dimse_query import PLAIN_SYNTAXES
from dicom_receiver.remote.models import WebPeer
from dicom_receiver.requestor import Offer, Requestor
from dicom_receiver.targets import target_of
from imaging.errors import PeerUnavailableError

PATIENCE_SECONDS = 10.0


@dataclass(frozen=True)
class Probe:
    """What came of calling a peer."""

    is_well: bool
    words: str
    advice: str
    took_ms: int


def probe(peer: Peer | WebPeer) -> Probe:
    """Call the peer: C-ECHO (PS3.4 A), or a search for one study by DICOMweb. Never raises."""
    began = time.monotonic()
    try:
        words = _search(peer) if isinstance(peer, WebPeer) else _echo(peer)
    except PeerUnavailableError as error:
        is_web = isinstance(peer, WebPeer)
        return Probe(False, str(error), advise(error, is_web=is_web), _ms_since(began))
    return Probe(True, words, "", _ms_since(began))


def _echo(peer: Peer) -> str:
    target = target_of(peer)
    patience = min(PATIENCE_SECONDS, target.answer_seconds)
    target = dataclasses.replace(
        target,
        connect_seconds=min(patience, target.connect_seconds),
        answer_seconds=patience,
    )
    with Requestor(target, [Offer(VERIFICATION, PLAIN_SYNTAXES)]) as association:
        status = association.echo()
    if status:
        words = _("%(peer)s answers C-ECHO with status %(status)04XH.")
        raise PeerUnavailableError(words % {"peer": peer, "status": status}, trouble="refused")
    return _("%(peer)s answers C-ECHO.") % {"peer": peer}


def _search(peer: WebPeer) -> str:
    web_query.probe(peer)
    return _("%(peer)s answers a search.") % {"peer": peer}


def _ms_since(began: float) -> int:
    return round(1000 * (time.monotonic() - began))


def advise(error: PeerUnavailableError, *, is_web: bool = False) -> str:
    """Return what to do about a trouble; "" when the words say all there is."""
    here = {"title": settings.NOCTIS_AET.strip(), "port": settings.NOCTIS_DICOM[1]}
    said = str(error)
    if error.trouble == "rejected":
        return _advise_on_rejection(said, here)
    if is_web and error.trouble == "tls":
        return _(
            "Is its certificate valid, for this host name, and signed by somebody whom this "
            "machine trusts? The hospital's own authority belongs into the system's certificates."
        )
    advice = {
        "unreachable": _(
            "Is the other machine on, are host and port right, and does a firewall on the way let "
            "us through?"
        ),
        "timed out": _(
            "A firewall that drops what it does not like looks like this, and so does a machine "
            "that is overloaded. Ask who looks after the other side."
        ),
        "tls": _(
            "One side speaks TLS and the other does not, or they do not trust each other's "
            "certificates. Compare the TLS settings of both."
        ),
        "not dicom": _("Something else listens there. Check host and port."),
        "not dicomweb": _(
            "Something else answers there. Check the address, up to before /studies."
        ),
        "no context": _("The other side must offer this service to us; ask who looks after it."),
        "aborted": _("The log of the other side says why."),
        "lost": _("The log of the other side says why."),
        "login": _("Enter user and password, or the token, anew in the administration."),
        "no service": _("Check the address: what stands before /studies."),
        "redirect": _("Write down the address to which it leads, if that is the right one."),
        "address": _("Write down the address that other machines use for it."),
        "destination": _(
            "On the other side an administrator must write down our AE title %(title)s with this "
            "machine's address and port %(port)s. Or choose C-GET for this peer."
        )
        % here,
    }
    return advice.get(error.trouble, "")


def _advise_on_rejection(said: str, here: dict[str, object]) -> str:
    """Return what to do about A-ASSOCIATE-RJ (PS3.8 9.3.4), which names the title it misses."""
    if "called" in said:
        return _("Its AE title is another one: ask for the right spelling, capitals count.")
    if "calling" in said:
        return (
            _(
                "It does not know us: over there an administrator must add our AE title %(title)s "
                "with this machine's address and port %(port)s."
            )
            % here
        )
    return _("It may be busy: try again. If it stays so, its log says why.")
