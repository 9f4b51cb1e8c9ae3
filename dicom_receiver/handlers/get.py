"""C-GET: send instances back on the very association that asks for them (PS3.4 C.4.3)."""

from __future__ import annotations

from functools import partial

from dicom_receiver import command as dimse
from dicom_receiver.association import Request
from dicom_receiver.contexts import Service
from dicom_receiver.handlers.retrieve import Retrieval, find_instances, run_retrieval
from dicom_receiver.outflow import Part
from dicom_receiver.requestor import MEDIUM_PRIORITY, Agreed, Response
from dicom_receiver.sending import Sendable, Sent, choose_context, send_one
from dicom_receiver.wire import ProtocolError
from imaging.errors import StorageUnavailableError


def get_instances(request: Request) -> None:
    """Send what the identifier means, each in a context that the peer takes it in."""
    run_retrieval(request, _get)


def _get(request: Request) -> Retrieval:
    meant = find_instances(request)
    retrieval = Retrieval(request, meant, request.caller.ae_title)
    contexts = [
        Agreed(one.context_id, one.abstract_syntax, one.transfer_syntax)
        for one in request.association.contexts.values()
        if one.service is Service.STORE and one.peer_takes
    ]
    if len(meant):
        retrieval.send_with(partial(_send, request, contexts))
    return retrieval


def _send(request: Request, contexts: list[Agreed], item: Sendable) -> Sent:
    return send_one(partial(_store, request), choose_context(contexts, item), item)


def _store(request: Request, context: Agreed, sop_instance_uid: str, part: Part) -> Response:
    """Send one C-STORE request and return its answer."""
    elements: dict[int, int | str | bytes] = {
        dimse.AFFECTED_SOP_CLASS_UID: context.abstract_syntax,
        dimse.AFFECTED_SOP_INSTANCE_UID: sop_instance_uid,
        dimse.COMMAND_FIELD: dimse.C_STORE_RQ,
        dimse.PRIORITY: MEDIUM_PRIORITY,
    }
    try:
        answer = request.association.ask_now(context.context_id, elements, part)
    except StorageUnavailableError as error:
        # Half a data set is out, and there is no way to take it back.
        raise ProtocolError("a file broke off while it was sent") from error
    status = answer.number(dimse.STATUS)
    if status is None:
        raise ProtocolError("response without a status")
    return Response(status, answer, None)
