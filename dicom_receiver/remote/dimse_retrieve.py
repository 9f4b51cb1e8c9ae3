"""Fetching from DIMSE peers: C-MOVE to our own port, or C-GET (PS3.4 C.4.2, C.4.3)."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import threading

from django.conf import settings
from django.utils.translation import gettext as _

from archive.ingest import Source, open_intake
from archive.part10 import file_meta
from dicom_receiver import command as dimse
from dicom_receiver import limits, statuses
from dicom_receiver.contexts import STUDY_ROOT_GET, STUDY_ROOT_MOVE
from dicom_receiver.models import Peer, RetrieveSyntaxes
from dicom_receiver.remote import answers
from dicom_receiver.remote.dimse_query import (
    PLAIN_SYNTAXES,
    encode_keys,
    find_sop_classes,
    say_status,
)
from dicom_receiver.remote.models import Exchange
from dicom_receiver.remote.progress import Tally
from dicom_receiver.remote.storage_offers import offer_storage
from dicom_receiver.requestor import Agreed, Incoming, Offer, Requestor, Response
from dicom_receiver.targets import target_of
from dicom_receiver.wire import Stop, WireError
from imaging.errors import NoctisError, PeerUnavailableError

logger = logging.getLogger("noctis.dimse")

MOVE_DESTINATION_UNKNOWN = 0xA801
SUCCESSES = frozenset({statuses.SUCCESS, statuses.WARNING_KEPT_FOR_REVIEW})
# A peer that sends elsewhere, to us, may say nothing on this association meanwhile.
MOVE_SILENCE_SECONDS = 600.0


def move(row: Exchange, tally: Tally, cancelled: threading.Event, stop: Stop) -> None:
    """Have a peer send to our port, and count what it says of it. Raises PeerUnavailableError."""
    peer = _peer_of(row)
    target = dataclasses.replace(target_of(peer), answer_seconds=MOVE_SILENCE_SECONDS)
    elements: dict[int, int | str | bytes] = {
        dimse.AFFECTED_SOP_CLASS_UID: STUDY_ROOT_MOVE,
        dimse.COMMAND_FIELD: dimse.C_MOVE_RQ,
        dimse.PRIORITY: 0,
        dimse.MOVE_DESTINATION: settings.NOCTIS_AET.strip(),
    }
    with Requestor(target, [Offer(STUDY_ROOT_MOVE, PLAIN_SYNTAXES)], stop=stop) as association:
        context = association.accepted[0]
        identifier = _identifier(row, context)
        is_told = False
        for response in association.request(context, elements, identifier):
            _count(response, tally)
            if cancelled.is_set() and response.is_pending and not is_told:
                association.cancel(context)
                is_told = True
        check_last(peer, response, tally)


def get(
    row: Exchange, source: Source, tally: Tally, cancelled: threading.Event, stop: Stop
) -> None:
    """Have a peer send on our own association, straight into the archive.

    Raises PeerUnavailableError.
    """
    peer = _peer_of(row)
    known = find_sop_classes(peer, row.study_instance_uid)
    is_compressed = peer.retrieve_syntaxes == RetrieveSyntaxes.ANY
    room = limits.PRESENTATION_CONTEXTS - 1
    storage = offer_storage(known, room, is_compressed=is_compressed)
    elements: dict[int, int | str | bytes] = {
        dimse.AFFECTED_SOP_CLASS_UID: STUDY_ROOT_GET,
        dimse.COMMAND_FIELD: dimse.C_GET_RQ,
        dimse.PRIORITY: 0,
    }
    taker = _Taker(row, source, tally)
    offers = [Offer(STUDY_ROOT_GET, PLAIN_SYNTAXES), *storage]
    with Requestor(target_of(peer), offers, stop=stop) as association:
        context = association.context_for(STUDY_ROOT_GET)
        if context is None:
            words = _("%(peer)s does not offer C-GET.") % {"peer": peer}
            raise PeerUnavailableError(words, trouble="no context")
        identifier = _identifier(row, context)
        is_told = False
        for response in association.request(context, elements, identifier, serve=taker.store):
            tally.expected = _expected(response) or tally.expected
            if cancelled.is_set() and response.is_pending and not is_told:
                association.cancel(context)
                is_told = True
        if failed := response.command.number(dimse.NUMBER_OF_FAILED_SUBOPERATIONS):
            words = _("The other side could not send it: %(why)s") % {"why": say_status(response)}
            for _number in range(max(0, failed - tally.failed)):
                tally.refuse(words)
        check_last(peer, response, tally)


class _Taker:
    """Stores what a peer sends during a C-GET."""

    def __init__(self, row: Exchange, source: Source, tally: Tally) -> None:
        self._study_uid = row.study_instance_uid
        self._source = source
        self._tally = tally

    def store(self, incoming: Incoming) -> int:
        """Store one instance and return the status of the answer."""
        if incoming.command.field != dimse.C_STORE_RQ:
            return statuses.UNRECOGNIZED_OPERATION
        try:
            return self._take(incoming)
        except WireError:
            raise
        except NoctisError as error:
            self._tally.refuse(str(error))
            return statuses.status_of(error)
        except Exception:
            logger.exception("an instance of a C-GET was not stored")
            self._tally.refuse(_("An unexpected error was logged."))
            return statuses.PROCESSING_FAILURE

    def _take(self, incoming: Incoming) -> int:
        sop_class = incoming.command.uid(dimse.AFFECTED_SOP_CLASS_UID)
        instance = incoming.command.uid(dimse.AFFECTED_SOP_INSTANCE_UID)
        if sop_class != incoming.context.abstract_syntax or instance is None:
            self._tally.refuse(_("Its command names no class or instance that may be stored."))
            return statuses.INVALID_OBJECT_INSTANCE
        head = file_meta(
            sop_class_uid=sop_class,
            sop_instance_uid=instance,
            transfer_syntax_uid=incoming.context.transfer_syntax,
            source_ae_title=self._source.sender,
        )
        intake = open_intake(self._source, study_instance_uid=self._study_uid)
        with contextlib.closing(intake):
            intake.write(head)
            intake.begin_dataset()
            for piece in incoming.pieces:
                intake.write(piece)
            outcome = intake.finish((sop_class, instance))
        if outcome.status == "conflict":
            self._tally.refuse(_("It contradicts what is stored, and is kept for review."))
            return statuses.WARNING_KEPT_FOR_REVIEW
        self._tally.take()
        return statuses.SUCCESS


def _peer_of(row: Exchange) -> Peer:
    assert row.peer is not None
    return row.peer


def _identifier(row: Exchange, context: Agreed) -> bytes:
    """Return what is meant: a study, or one series of it."""
    keys = {answers.STUDY_UID: row.study_instance_uid}
    level = "STUDY"
    if row.series_instance_uid:
        keys[answers.SERIES_UID] = row.series_instance_uid
        level = "SERIES"
    return encode_keys(level, keys, context.transfer_syntax)


def _count(response: Response, tally: Tally) -> None:
    """Take over the counters of a C-MOVE answer (PS3.7 9.1.4.1.7)."""
    command = response.command
    done = command.number(dimse.NUMBER_OF_COMPLETED_SUBOPERATIONS)
    warned = command.number(dimse.NUMBER_OF_WARNING_SUBOPERATIONS) or 0
    failed = command.number(dimse.NUMBER_OF_FAILED_SUBOPERATIONS) or 0
    if done is not None:
        tally.set(done=done + warned, failed=failed, expected=_expected(response))


def _expected(response: Response) -> int | None:
    """Return how many there are in all, where the counters say so."""
    counters = (
        dimse.NUMBER_OF_REMAINING_SUBOPERATIONS,
        dimse.NUMBER_OF_COMPLETED_SUBOPERATIONS,
        dimse.NUMBER_OF_FAILED_SUBOPERATIONS,
        dimse.NUMBER_OF_WARNING_SUBOPERATIONS,
    )
    numbers = [response.command.number(counter) for counter in counters]
    return None if numbers[1] is None else sum(number or 0 for number in numbers)


def check_last(peer: Peer, response: Response, tally: Tally) -> None:
    """Raise PeerUnavailableError unless the peer did what was asked, at least in part."""
    if response.status in SUCCESSES or response.status == statuses.CANCELLED:
        return
    if response.status == MOVE_DESTINATION_UNKNOWN:
        words = _(
            "%(peer)s does not know where to send: it has no entry for the AE title %(title)s."
        ) % {"peer": peer, "title": settings.NOCTIS_AET.strip()}
        raise PeerUnavailableError(words, trouble="destination")
    words = _("%(peer)s could not send: %(why)s") % {"peer": peer, "why": say_status(response)}
    trouble = "refused" if tally.done == 0 else "partly"
    raise PeerUnavailableError(words, trouble=trouble)
