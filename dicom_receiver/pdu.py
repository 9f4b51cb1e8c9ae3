"""The fixed forms of the upper layer: PDU types and those PDUs that never vary (PS3.8 9.3)."""

from __future__ import annotations

import struct

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

RELEASE_RP_BYTES = bytes([RELEASE_RP, 0, 0, 0, 0, 4, 0, 0, 0, 0])

# Reasons of a service-provider abort (PS3.8 9.3.8).
REASON_NOT_SPECIFIED = 0
UNRECOGNIZED_PDU = 1
UNEXPECTED_PDU = 2
INVALID_PARAMETER_VALUE = 6

SERVICE_USER = 0
SERVICE_PROVIDER = 2


class RejectedError(Exception):
    """An association request is answered with A-ASSOCIATE-RJ (PS3.8 9.3.4)."""

    def __init__(self, result: int, source: int, reason: int, why: str) -> None:
        super().__init__(why)
        self.code = (result, source, reason)

    def encode(self) -> bytes:
        """Return the A-ASSOCIATE-RJ PDU."""
        return bytes([ASSOCIATE_RJ, 0, 0, 0, 0, 4, 0, *self.code])


def calling_ae_unknown(why: str) -> RejectedError:
    """Return the answer to a caller whom policy does not admit."""
    return RejectedError(1, 1, 3, why)


def called_ae_unknown() -> RejectedError:
    """Return the answer to a caller who wants somebody else."""
    return RejectedError(1, 1, 7, "called AE title is not ours")


def local_limit() -> RejectedError:
    """Return the answer when all places are taken: try again later."""
    return RejectedError(2, 3, 2, "local limit exceeded")


def temporary_congestion(why: str) -> RejectedError:
    """Return the answer when we cannot decide now: try again later."""
    return RejectedError(2, 3, 1, why)


def abort(source: int, reason: int) -> bytes:
    """Return an A-ABORT PDU; the reason counts only from the provider (PS3.8 9.3.8)."""
    return bytes([ABORT, 0, 0, 0, 0, 4, 0, 0, source, reason if source else 0])
