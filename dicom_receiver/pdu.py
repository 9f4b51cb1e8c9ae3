"""The fixed forms of the upper layer: PDU types and those PDUs that never vary (PS3.8 9.3)."""

from __future__ import annotations

import struct

from dicom_receiver.causes import Cause

ASSOCIATE_RQ = 0x01
ASSOCIATE_AC = 0x02
ASSOCIATE_RJ = 0x03
P_DATA_TF = 0x04
RELEASE_RQ = 0x05
RELEASE_RP = 0x06
ABORT = 0x07

HEADER = struct.Struct(">BxI")
PDV_HEADER = struct.Struct(">IBB")
PDV_HEADER_BYTES = PDV_HEADER.size

# The message control header (PS3.8 E.2).
IS_COMMAND = 0x01
IS_LAST = 0x02

RELEASE_RQ_BYTES = bytes([RELEASE_RQ, 0, 0, 0, 0, 4, 0, 0, 0, 0])
RELEASE_RP_BYTES = bytes([RELEASE_RP, 0, 0, 0, 0, 4, 0, 0, 0, 0])

# Reasons of a service-provider abort (PS3.8 9.3.8).
REASON_NOT_SPECIFIED = 0
UNRECOGNIZED_PDU = 1
UNEXPECTED_PDU = 2
INVALID_PARAMETER_VALUE = 6

SERVICE_USER = 0
SERVICE_PROVIDER = 2


# What an A-ASSOCIATE-RJ says, by source and reason (PS3.8 9.3.4).
_REJECTIONS = {
    (1, 1): "no reason given",
    (1, 2): "it does not support the application context",
    (1, 3): "it does not know our calling AE title",
    (1, 7): "it does not know the called AE title",
    (2, 1): "no reason given",
    (2, 2): "it does not support the protocol version",
    (3, 1): "it is congested now",
    (3, 2): "its limit of associations is reached",
}
# What an A-ABORT of the service provider says (PS3.8 9.3.8).
_ABORTS = {
    0: "no reason given",
    1: "it did not recognise a PDU",
    2: "it did not expect a PDU",
    4: "it did not recognise a PDU parameter",
    5: "it did not expect a PDU parameter",
    6: "a PDU parameter has an invalid value",
}


def rejection_words(result: int, source: int, reason: int) -> str:
    """Return what a rejection says, in words."""
    how_long = "for now" if result == 2 else "permanently"
    why = _REJECTIONS.get((source, reason), f"reason {source}/{reason}")
    return f"rejected {how_long}: {why}"


def abort_words(source: int, reason: int) -> str:
    """Return what an abort says, in words."""
    if source != SERVICE_PROVIDER:
        return "aborted by the application"
    return f"aborted: {_ABORTS.get(reason, f'reason {reason}')}"


class RejectedError(Exception):
    """An association request is answered with A-ASSOCIATE-RJ (PS3.8 9.3.4)."""

    def __init__(self, result: int, source: int, reason: int, cause: Cause) -> None:
        super().__init__(cause.value)
        self.code = (result, source, reason)
        self.cause = cause

    def encode(self) -> bytes:
        """Return the A-ASSOCIATE-RJ PDU."""
        return bytes([ASSOCIATE_RJ, 0, 0, 0, 0, 4, 0, *self.code])


def calling_ae_unknown(cause: Cause) -> RejectedError:
    """Return the answer to a caller whom policy does not admit."""
    return RejectedError(1, 1, 3, cause)


def called_ae_unknown() -> RejectedError:
    """Return the answer to a caller who wants somebody else."""
    return RejectedError(1, 1, 7, Cause.CALLED_UNKNOWN)


def local_limit() -> RejectedError:
    """Return the answer when all places are taken: try again later."""
    return RejectedError(2, 3, 2, Cause.LIMIT)


def temporary_congestion(cause: Cause) -> RejectedError:
    """Return the answer when we cannot decide now: try again later."""
    return RejectedError(2, 3, 1, cause)


def abort(source: int, reason: int) -> bytes:
    """Return an A-ABORT PDU; the reason counts only from the provider (PS3.8 9.3.8)."""
    return bytes([ABORT, 0, 0, 0, 0, 4, 0, 0, source, reason if source else 0])
