"""What is wrong with a call, and what to do: findings in plain words, each with its fix.

Pure but for translation and addresses of pages: takes a call and what is
known of its peer, asks no database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from dicom_receiver import contexts, limits
from dicom_receiver.causes import Cause
from dicom_receiver.diary import is_trouble
from dicom_receiver.doctor import words
from dicom_receiver.doctor.models import Call
from dicom_receiver.models import Peer

BROKEN, ADVICE = "broken", "advice"
_NONE = "\N{EN DASH}"


@dataclass(frozen=True)
class Finding:
    """What is the matter, how bad it is, what to do, and where that is done."""

    level: str
    words: str
    fix: str = ""
    link: str = ""
    link_words: str = ""


def examine(call: Call, peer: Peer | None, *, may_change: bool) -> list[Finding]:
    """Return what there is to say of a call, the worst first.

    `peer` is who has the call's AE title; links are given to those who may
    change peers.
    """
    found = [*_about_end(call, peer), *_about_contexts(call, peer), *_about_answers(call, peer)]
    if not may_change:
        found = [Finding(one.level, one.words, one.fix) for one in found]
    return sorted(dict.fromkeys(found), key=lambda one: one.level != BROKEN)


# --- how it ended ---------------------------------------------------------------
def _about_end(call: Call, peer: Peer | None) -> Iterator[Finding]:
    if not call.cause:
        return
    cause = next((one for one in Cause if one.code == call.cause), Cause.FAILED)
    make = _ENDS.get(cause)
    if make is not None:
        yield make(call, peer)
        return
    meaning, fix = _plain_end(cause)
    detail = words.noted(call.detail)
    yield Finding(BROKEN, f"{meaning} ({detail})" if detail else meaning, fix)


def _plain_end(cause: Cause) -> tuple[str, str]:
    """Return meaning and fix of causes that need nothing of the call."""
    at_fault = _("The device is at fault; its maker must see to it.")
    try_again = _("It may try again. If this goes on, raise the limits in the settings.")
    known = {
        Cause.NOT_DICOM: (
            _("What came is not DICOM."),
            _("Another program uses this port: a scanner for open ports, or a wrong address."),
        ),
        Cause.IMPOSSIBLE_LENGTH: (_("Its request has an impossible length."), at_fault),
        Cause.TOO_SLOW: (
            _("Its request did not come whole in time."),
            _("The network is bad, or the other side is no DICOM device."),
        ),
        Cause.NO_TLS: (
            _("It speaks DICOM without TLS on the port with TLS."),
            _("Switch TLS on in the device, or enter the port without TLS there."),
        ),
        Cause.TLS_ON_PLAIN_PORT: (
            _("It begins TLS on the port without TLS."),
            _("Enter the port with TLS in the device (NOCTIS_DICOM_TLS), or switch TLS off there."),
        ),
        Cause.TLS: (
            _("We did not agree on TLS."),
            _("Compare certificates, authorities and versions of TLS on both sides."),
        ),
        Cause.MALFORMED: (_("Its association request is broken."), at_fault),
        Cause.LIMIT: (_("All places for associations were taken."), try_again),
        Cause.NO_PROCESS: (
            _("No process of the receiver was ready."),
            _("The receiver was starting, or the machine is overloaded; see the log."),
        ),
        Cause.NO_PEERS: (
            _("The peers could not be read from the database."),
            _("See whether the database runs. The device may try again."),
        ),
        Cause.PROTOCOL_VERSION: (_("It speaks another version of the protocol."), at_fault),
        Cause.APPLICATION_CONTEXT: (_("Its application context is not DICOM's."), at_fault),
        Cause.TITLE_UNREADABLE: (
            _("Its own AE title is empty or not readable."),
            _("Enter an AE title of 1 to 16 plain characters in the device."),
        ),
        Cause.LOST: (
            _("The other side is gone without saying goodbye."),
            _("It was switched off, gave up or lost the network; see its own log."),
        ),
        Cause.PROTOCOL: (_("It broke the protocol, so we ended the association."), at_fault),
        Cause.STOPPING: (_("Noctis was stopped."), _("It may try again.")),
        Cause.FAILED: (_("Noctis failed."), _("See the receiver's log at this time.")),
    }
    return known.get(cause, known[Cause.FAILED])


def _called_unknown(call: Call, _peer: Peer | None) -> Finding:
    ours = settings.NOCTIS_AET.strip()
    meaning = _("It calls “%(called)s”, but we are “%(ours)s”.")
    fix = _("Enter %(ours)s as the called AE title in the device; capitals matter.")
    named = {"called": call.called_ae_title or _NONE, "ours": ours}
    return Finding(BROKEN, meaning % named, fix % named)


def _calling_unknown(call: Call, _peer: Peer | None) -> Finding:
    return Finding(
        BROKEN,
        _("Nobody with the AE title “%(title)s” is known.") % {"title": call.ae_title},
        _("Add it as a peer, if it belongs to you."),
        _address_to_add(call),
        _("Add peer"),
    )


def _inactive(call: Call, peer: Peer | None) -> Finding:
    meaning = _("The peer %(title)s, or its facility, is switched off.") % {"title": call.ae_title}
    return Finding(BROKEN, meaning, _("Switch it on, if it may call."), *_change(peer))


def _other_address(call: Call, peer: Peer | None) -> Finding:
    told = {
        "title": call.ae_title,
        "address": call.address,
        "host": peer.host if peer and peer.host else _NONE,
    }
    return Finding(
        BROKEN,
        _("%(title)s calls from %(address)s, but its host is %(host)s.") % told,
        _("Correct the peer's host, or do not check its address."),
        *_change(peer),
    )


def _certificate(call: Call, peer: Peer | None) -> Finding:
    told = {"title": call.ae_title}
    if call.cause == Cause.NO_CERTIFICATE.code:
        meaning = _("%(title)s is bound to a certificate, and shows none.") % told
    else:
        meaning = _("%(title)s shows another certificate than it is bound to.") % told
    fix = _("Have it call by TLS with its certificate, or correct the peer's.")
    return Finding(BROKEN, meaning, fix, *_change(peer))


def _pdu_too_small(call: Call, _peer: Peer | None) -> Finding:
    told = {"theirs": call.max_pdu_bytes, "least": limits.SMALLEST_PEER_PDU_BYTES}
    return Finding(
        BROKEN,
        _("It takes PDUs of %(theirs)d bytes at most; an answer needs %(least)d.") % told,
        _("Raise the longest PDU in the device; 16384 and more is usual."),
    )


_ENDS: dict[Cause, Callable[[Call, Peer | None], Finding]] = {
    Cause.CALLED_UNKNOWN: _called_unknown,
    Cause.CALLING_UNKNOWN: _calling_unknown,
    Cause.INACTIVE: _inactive,
    Cause.OTHER_ADDRESS: _other_address,
    Cause.OTHER_CERTIFICATE: _certificate,
    Cause.NO_CERTIFICATE: _certificate,
    Cause.PDU_TOO_SMALL: _pdu_too_small,
}


# --- what was agreed on -----------------------------------------------------------
def _about_contexts(call: Call, peer: Peer | None) -> Iterator[Finding]:
    is_stranger = bool(call.contexts) and call.facility_id is None
    if is_stranger and peer is None:
        yield Finding(
            ADVICE,
            _("Nobody with the AE title “%(title)s” is known: what it stores is in quarantine.")
            % {"title": call.ae_title},
            _("Add it as a peer, and assign what it has stored."),
            _address_to_add(call),
            _("Add peer"),
        )
    elif is_stranger:
        meaning = _("%(title)s did not prove to be the peer: what it stores is in quarantine.")
        yield Finding(ADVICE, meaning % {"title": call.ae_title})
    for context in call.contexts:
        if context["result"] == contexts.USER_REJECTION:
            yield from _no_right(context, call, peer)
        elif context["result"] == contexts.TRANSFER_SYNTAXES_NOT_SUPPORTED:
            yield _no_syntax(context)
        elif context["result"]:
            yield _not_offered(context)


def _no_right(context: dict[str, Any], call: Call, peer: Peer | None) -> Iterator[Finding]:
    services = dict.fromkeys(
        contexts.find_service(uid, accept_private=True) for uid in context["classes"]
    )
    for service in services:
        if service is None:
            continue
        told = {"right": words.RIGHTS[service]}
        if call.facility_id is None:
            yield Finding(
                ADVICE,
                _("It asked %(right)s, which strangers may not.") % told,
                _("Add it as a peer with this right."),
                _address_to_add(call, service),
                _("Add peer"),
            )
        else:
            yield Finding(
                BROKEN,
                _("It has no right %(right)s.") % told,
                _("Give the peer this right, if it should."),
                *_change(peer, _("Allow it here")),
            )


def _no_syntax(context: dict[str, Any]) -> Finding:
    told = {
        "classes": words.names_of(context),
        "offered": ", ".join(words.uid_name(uid) for uid in context["syntaxes"]) or _NONE,
    }
    if not context["syntaxes"]:
        meaning = _("For %(classes)s it offers no transfer syntax at all.")
        fix = _("The device is at fault; its maker must see to it.")
    else:
        meaning = _("For %(classes)s it offers only %(offered)s, which is not taken there.")
        fix = _("Switch on Explicit or Implicit VR Little Endian for this service in the device.")
    return Finding(BROKEN, meaning % told, fix)


def _not_offered(context: dict[str, Any]) -> Finding:
    told = {"classes": words.names_of(context)}
    is_private = all(
        contexts.find_service(uid, accept_private=True) for uid in context["classes"] if uid
    )
    if is_private and settings.NOCTIS_PRIVATE_SOP_CLASSES != "accept":
        return Finding(
            ADVICE,
            _("Private classes are not accepted: %(classes)s.") % told,
            _("Set NOCTIS_PRIVATE_SOP_CLASSES=accept to store them."),
        )
    return Finding(
        ADVICE,
        _("We do not offer %(classes)s.") % told,
        _("Most devices ask for more than they need: it matters only if something is missing."),
    )


# --- what was answered ------------------------------------------------------------
def _about_answers(call: Call, peer: Peer | None) -> Iterator[Finding]:
    for field, status, comment, count in call.answers:
        if not is_trouble(status):
            continue
        said = words.status_words(field, status)
        told = {
            "count": count,
            "command": words.command_name(field),
            "meaning": said.meaning,
            "status": f"{status:04X}H",
        }
        meaning = _("%(command)s %(status)s (%(count)d): %(meaning)s") % told
        link = _change(peer, _("Allow it here")) if status == _NOT_AUTHORIZED else ("", "")
        full = f"{meaning} ({_(comment)})" if comment else meaning
        yield Finding(BROKEN, full, str(said.fix), *link)


_NOT_AUTHORIZED = 0x0124


# --- where it is mended --------------------------------------------------------------
def _address_to_add(call: Call, *services: contexts.Service) -> str:
    """Return the form of a new peer, filled in with what the call has told."""
    known = {"ae_title": call.ae_title, "host": call.address, "may_store": "on"}
    asked = {
        contexts.find_service(uid, accept_private=True)
        for context in call.contexts
        if context["result"] == contexts.USER_REJECTION
        for uid in context["classes"]
    }
    for service in {*asked, *services} - {None, contexts.Service.ECHO}:
        name = f"may_{service.value}" if service else ""
        if hasattr(Peer, name):
            known[name] = "on"
    return f"{reverse('admin:dicom_receiver_peer_add')}?{urlencode(known)}"


def _change(peer: Peer | None, link_words: str = "") -> tuple[str, str]:
    """Return where the peer is changed, and words for that."""
    if peer is None:
        return "", ""
    link = reverse("admin:dicom_receiver_peer_change", args=[peer.pk])
    return link, link_words or _("Change peer")
