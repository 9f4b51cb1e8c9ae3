"""What each error means over DIMSE: the one table of this door (PS3.7 C, PS3.4 B.2.3)."""

from __future__ import annotations

from imaging import errors

SUCCESS = 0x0000
NO_SUCH_ATTRIBUTE = 0x0105
INVALID_ATTRIBUTE_VALUE = 0x0106
PROCESSING_FAILURE_OF_ANY = 0x0110
DUPLICATE_SOP_INSTANCE = 0x0111
NO_SUCH_SOP_INSTANCE = 0x0112
NO_SUCH_EVENT_TYPE = 0x0113
INVALID_ARGUMENT_VALUE = 0x0115
INVALID_OBJECT_INSTANCE = 0x0117
NO_SUCH_SOP_CLASS = 0x0118
MISSING_ATTRIBUTE = 0x0120
MISSING_ATTRIBUTE_VALUE = 0x0121
SOP_CLASS_NOT_SUPPORTED = 0x0122
NO_SUCH_ACTION = 0x0123
NOT_AUTHORIZED = 0x0124
UNRECOGNIZED_OPERATION = 0x0211
RESOURCE_LIMITATION = 0x0213
OUT_OF_RESOURCES = 0xA700
CANNOT_COUNT_MATCHES = 0xA701
CANNOT_PERFORM_SUBOPERATIONS = 0xA702
MOVE_DESTINATION_UNKNOWN = 0xA801
DATA_SET_DOES_NOT_MATCH = 0xA900
SOME_SUBOPERATIONS_FAILED = 0xB000
WARNING_KEPT_FOR_REVIEW = 0xB000
CANNOT_UNDERSTAND = 0xC000
PROCESSING_FAILURE = 0xC001
CANCELLED = 0xFE00
MATCH = 0xFF00
MATCH_WITHOUT_SOME_KEYS = 0xFF01
PENDING = frozenset({MATCH, MATCH_WITHOUT_SOME_KEYS})

# What a status says when the peer adds no words of its own (PS3.4 B.2.3, PS3.7 C).
_WORDS = {
    SUCCESS: "stored",
    0x0111: "it has this instance already",
    INVALID_OBJECT_INSTANCE: "the instance's UID is not valid",
    SOP_CLASS_NOT_SUPPORTED: "it does not take this kind of object",
    NOT_AUTHORIZED: "we are not allowed to",
    UNRECOGNIZED_OPERATION: "it does not know this operation",
    CANCELLED: "cancelled",
}
_FAMILIES = (
    (0xF000, 0xB000, "stored, with a warning"),
    (0xFF00, 0xA700, "it is out of resources"),
    (0xFF00, 0xA900, "the data set does not match its SOP class"),
    (0xF000, 0xC000, "it cannot understand the data set"),
)


def is_stored(status: int) -> bool:
    """Whether the other side has the instance: success, or a warning (PS3.4 B.2.3)."""
    return status in {SUCCESS, 0x0001, 0x0107, 0x0116} or status & 0xF000 == 0xB000


def words_of(status: int) -> str:
    """Return what a status of C-STORE says, in words, with its number."""
    words = _WORDS.get(status) or next(
        (words for mask, family, words in _FAMILIES if status & mask == family), "it failed"
    )
    return f"{words} ({status:04X}H)"


STATUSES: dict[type[errors.NoctisError], int] = {
    errors.UnreadableError: CANNOT_UNDERSTAND,
    errors.LimitExceededError: CANNOT_UNDERSTAND,
    errors.UnsupportedError: CANNOT_UNDERSTAND,
    errors.IdentityError: CANNOT_UNDERSTAND,
    errors.MismatchError: DATA_SET_DOES_NOT_MATCH,
    errors.ConflictError: CANNOT_UNDERSTAND,
    errors.QueryError: DATA_SET_DOES_NOT_MATCH,
    errors.TooBroadError: OUT_OF_RESOURCES,
    errors.UndecodableError: CANNOT_UNDERSTAND,
    errors.NotAVolumeError: CANNOT_UNDERSTAND,
    errors.NotAllowedError: NOT_AUTHORIZED,
    errors.MissingError: INVALID_OBJECT_INSTANCE,
    errors.StorageUnavailableError: OUT_OF_RESOURCES,
    errors.IndexUnavailableError: OUT_OF_RESOURCES,
    errors.PeerUnavailableError: OUT_OF_RESOURCES,
    errors.BusyError: OUT_OF_RESOURCES,
}


def status_of(error: Exception) -> int:
    """Return the status for an error; one that nobody foresaw is a processing failure."""
    if isinstance(error, errors.NoctisError):
        return STATUSES.get(type(error), PROCESSING_FAILURE)
    return PROCESSING_FAILURE


def comment_of(error: Exception) -> str:
    """Return words for Error Comment (0000,0902); errors of the house hold no patient data."""
    if isinstance(error, errors.NoctisError):
        return str(error)
    return "Processing failed; see the receiver's log."
