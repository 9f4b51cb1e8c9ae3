"""What was said at the port, in words for people: services, statuses, faults of TLS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop
from pydicom.uid import UID

from dicom_receiver import command
from dicom_receiver.contexts import Service

Words = str | Promise

COMMANDS = {
    command.C_ECHO_RQ: "C-ECHO",
    command.C_STORE_RQ: "C-STORE",
    command.C_FIND_RQ: "C-FIND",
    command.C_GET_RQ: "C-GET",
    command.C_MOVE_RQ: "C-MOVE",
    command.N_EVENT_REPORT_RQ: "N-EVENT-REPORT",
    command.N_GET_RQ: "N-GET",
    command.N_SET_RQ: "N-SET",
    command.N_ACTION_RQ: "N-ACTION",
    command.N_CREATE_RQ: "N-CREATE",
    command.N_DELETE_RQ: "N-DELETE",
}

# What a peer has no right to.
RIGHTS: dict[Service, Words] = {
    Service.ECHO: gettext_lazy("to be echoed"),
    Service.STORE: gettext_lazy("to store"),
    Service.FIND: gettext_lazy("to query"),
    Service.MOVE: gettext_lazy("to have studies sent (C-MOVE)"),
    Service.GET: gettext_lazy("to fetch studies (C-GET)"),
    Service.MWL: gettext_lazy("to ask the modality worklist"),
    Service.MPPS: gettext_lazy("to report procedure steps (MPPS)"),
    Service.COMMIT: gettext_lazy("to ask for storage commitment"),
    Service.PROMISE: gettext_lazy("to report storage commitment"),
}

# Words of the wire and of TLS, which reach the diary in English; here for translators.
_NOTED = [
    gettext_noop("PDV is cut short"),
    gettext_noop("PDV length is wrong"),
    gettext_noop("PDU is longer than negotiated"),
    gettext_noop("idle too long"),
    gettext_noop("PDU came too slowly"),
    gettext_noop("data set came too slowly"),
    gettext_noop("data set is interrupted"),
    gettext_noop("command set is interrupted"),
    gettext_noop("command set is too long"),
    gettext_noop("context is not accepted"),
    gettext_noop("request before the last one was answered"),
    gettext_noop("response to a request that was not sent"),
    gettext_noop("connection closed by the peer"),
    gettext_noop("aborted by the application"),
    gettext_noop("the peer does not take what we send"),
    gettext_noop("the peer takes what we send too slowly"),
    gettext_noop("request is too short"),
    gettext_noop("request has too many items"),
    gettext_noop("more than 128 presentation contexts"),
    gettext_noop("presentation context ids are not odd and unique"),
    gettext_noop("its certificate is not valid or of no authority we trust"),
    gettext_noop("it speaks HTTP"),
    gettext_noop("it offers no cipher suite that we accept"),
    gettext_noop("it shows no certificate, which we require"),
    gettext_noop("it does not accept our certificate"),
    gettext_noop("it finds our certificate expired"),
    gettext_noop("it finds nothing that both sides can do"),
    gettext_noop("it does not know the authority of our certificate"),
    gettext_noop("it expects another name than our certificate's"),
    gettext_noop("it offers only versions of TLS that are no longer safe"),
    gettext_noop("what it sends is not TLS"),
    gettext_noop("it hung up"),
    gettext_noop("handshake and association request came too slowly"),
]


@dataclass(frozen=True)
class StatusWords:
    """What a status says, and what to do about it."""

    meaning: Words
    fix: Words = ""


_AT_FAULT = gettext_lazy("The device is at fault; its maker must see to it.")
_WE_FAILED = StatusWords(
    gettext_lazy("We failed."), gettext_lazy("See the receiver's log at this time.")
)
_FULL = StatusWords(
    gettext_lazy("We could not take it now: storage or database is unavailable, or full."),
    gettext_lazy("See free disk space and the state of all parts; the sender may try again."),
)
_ONE = {
    0x0000: StatusWords(gettext_lazy("Done.")),
    0x0105: StatusWords(gettext_lazy("It sent an attribute that is not allowed there."), _AT_FAULT),
    0x0106: StatusWords(gettext_lazy("An attribute that it sent has a wrong value."), _AT_FAULT),
    0x0110: _WE_FAILED,
    0x0111: StatusWords(
        gettext_lazy("There is such an object already."),
        gettext_lazy("The device used one UID twice; its maker must see to it."),
    ),
    0x0113: StatusWords(gettext_lazy("We do not know this kind of report."), _AT_FAULT),
    0x0115: StatusWords(gettext_lazy("What it asks for is incomplete or wrong."), _AT_FAULT),
    0x0118: StatusWords(gettext_lazy("It names another kind of object."), _AT_FAULT),
    0x0120: StatusWords(gettext_lazy("A required attribute is missing."), _AT_FAULT),
    0x0121: StatusWords(gettext_lazy("A required attribute is empty."), _AT_FAULT),
    0x0123: StatusWords(gettext_lazy("We do not know this action."), _AT_FAULT),
    0x0213: StatusWords(
        gettext_lazy("It is more than we can take now."),
        gettext_lazy("The database is away, or the request is too long; it may try again."),
    ),
    0xC001: _WE_FAILED,
    0x0112: StatusWords(
        gettext_lazy("We have no such object."),
        gettext_lazy("The device speaks of something that it has not announced here before."),
    ),
    0x0117: StatusWords(
        gettext_lazy("What it sent as the object's UID is none."),
        _AT_FAULT,
    ),
    0x0122: StatusWords(
        gettext_lazy("The kind of object is not the one that the connection was made for."),
        _AT_FAULT,
    ),
    0x0124: StatusWords(
        gettext_lazy("It may not do this."), gettext_lazy("Give the peer the right, if it should.")
    ),
    0x0211: StatusWords(
        gettext_lazy("We do not know this operation."),
        gettext_lazy("Switch it off in the device, if you can."),
    ),
    0xA701: StatusWords(gettext_lazy("We could not count what was asked for."), _FULL.fix),
    0xA702: StatusWords(
        gettext_lazy("Nothing of what was asked for could be sent."),
        gettext_lazy("See whether the destination runs and accepts what is stored."),
    ),
    0xA801: StatusWords(
        gettext_lazy("The destination it named is no peer that we know."),
        gettext_lazy("Add the destination's AE title as a peer, with host and port."),
    ),
    0xA900: StatusWords(
        gettext_lazy("What it sent does not fit together."),
        gettext_lazy("The device is at fault: UIDs or query level contradict each other."),
    ),
    0xFE00: StatusWords(gettext_lazy("It cancelled.")),
    0xFF00: StatusWords(gettext_lazy("Answers.")),
    0xFF01: StatusWords(gettext_lazy("Answers; some of the keys it asked for are not kept.")),
}
_FAMILIES = [
    (0xF000, 0xB000, StatusWords(gettext_lazy("Done, with a reservation."))),
    (0xFF00, 0xA700, _FULL),
    (0xFF00, 0xA900, _ONE[0xA900]),
    (
        0xF000,
        0xC000,
        StatusWords(
            gettext_lazy("We could not read what it sent."),
            gettext_lazy("The object is damaged or not valid DICOM; send it again."),
        ),
    ),
]
_STORE_WARNING = StatusWords(
    gettext_lazy("Kept for review: it contradicts what is stored."),
    gettext_lazy("Settle it under Discrepancies."),
)
_MOVE_WARNING = StatusWords(
    gettext_lazy("Some of what was asked for could not be sent."),
    gettext_lazy("See whether the destination runs and accepts what is stored."),
)
_OTHER = StatusWords(gettext_lazy("Another answer."))


def status_words(command_field: int, status: int) -> StatusWords:
    """Return what a status says that answered a command."""
    if status & 0xF000 == 0xB000:
        if command_field == command.C_STORE_RQ:
            return _STORE_WARNING
        if command_field in {command.C_MOVE_RQ, command.C_GET_RQ}:
            return _MOVE_WARNING
    found = _ONE.get(status)
    families = (words for mask, family, words in _FAMILIES if status & mask == family)
    return found or next(families, _OTHER)


def command_name(field: int) -> str:
    """Return a command's name."""
    return COMMANDS.get(field, f"{field:04X}H")


def uid_name(uid: str) -> str:
    """Return what the standard calls a UID; the UID itself when it does not know it."""
    if not uid:
        return _("(no UID)")
    return str(UID(uid).name).replace(" (Retired)", "")


def noted(detail: str) -> str:
    """Return words of the diary in the reader's language."""
    return _(detail) if detail else ""


def names_of(context: dict[str, Any], *, most: int = 3) -> str:
    """Return the classes of a group of contexts, the first few by name."""
    names = [uid_name(uid) for uid in context["classes"]]
    more = len(names) - most
    shown = ", ".join(names[:most])
    return (
        _("%(names)s and %(count)d more") % {"names": shown, "count": more} if more > 0 else shown
    )
