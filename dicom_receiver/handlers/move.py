"""C-MOVE: send instances to another peer (PS3.4 C.4.2)."""

from __future__ import annotations

from django.db import DatabaseError, connections

from dicom_receiver import command as dimse
from dicom_receiver import statuses
from dicom_receiver.association import Request
from dicom_receiver.handlers.retrieve import (
    RefusedError,
    Retrieval,
    find_instances,
    run_retrieval,
)
from dicom_receiver.models import Peer
from dicom_receiver.requestor import Target
from dicom_receiver.sending import Sender
from dicom_receiver.targets import target_of
from dicom_receiver.wire import Stop
from imaging.errors import PeerUnavailableError


def move_instances(request: Request) -> None:
    """Send what the identifier means to the destination, telling the peer as it goes."""
    run_retrieval(request, _move)


def _move(request: Request) -> Retrieval:
    meant = find_instances(request)
    title, target = _find_destination(request)
    retrieval = Retrieval(request, meant, title, str(target))
    if not len(meant):
        return retrieval
    stop = Stop()
    # An object that is under way is finished when we are to end; only the last call breaks it off.
    stop.now = request.association.surroundings.stop.now
    sender = Sender(
        target,
        meant.kinds,
        move_originator=(request.caller.ae_title, request.command.message_id),
        stop=stop,
    )
    with sender:
        retrieval.send_with(sender.send)
    return retrieval


def _find_destination(request: Request) -> tuple[str, Target]:
    """Return title and target of a known peer of the caller's facility that can be called.

    Raises RefusedError: A801 for anybody else, A702 when it cannot be called.
    """
    title = request.command.text(dimse.MOVE_DESTINATION)
    facility_id = request.caller.facility_id
    if facility_id is None:
        raise RefusedError(statuses.MOVE_DESTINATION_UNKNOWN, "Strangers may not move.")
    try:
        peer = (
            Peer.objects.select_related("facility")
            .filter(ae_title=title, facility_id=facility_id)
            .filter(is_active=True, facility__is_active=True, port__isnull=False)
            .exclude(host="")
            .first()
        )
    except DatabaseError as error:
        raise _no_database() from error
    if peer is None:
        words = "Move destination is no active peer with host and port here."
        raise RefusedError(statuses.MOVE_DESTINATION_UNKNOWN, words)
    try:
        return title, target_of(peer)
    except PeerUnavailableError as error:
        raise RefusedError(statuses.CANNOT_PERFORM_SUBOPERATIONS, str(error)) from error


def _no_database() -> RefusedError:
    connections.close_all()
    words = "The database does not answer now."
    return RefusedError(statuses.CANNOT_PERFORM_SUBOPERATIONS, words)
