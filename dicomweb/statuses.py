"""What each error means over DICOMweb: the one table of this door (PS3.18 8.5)."""

from __future__ import annotations

from http import HTTPStatus

from rest_framework.exceptions import APIException

from imaging import errors

STATUSES: dict[type[errors.NoctisError], HTTPStatus] = {
    errors.UnreadableError: HTTPStatus.BAD_REQUEST,
    errors.LimitExceededError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.UnsupportedError: HTTPStatus.NOT_ACCEPTABLE,
    errors.IdentityError: HTTPStatus.BAD_REQUEST,
    errors.MismatchError: HTTPStatus.CONFLICT,
    errors.ConflictError: HTTPStatus.CONFLICT,
    errors.QueryError: HTTPStatus.BAD_REQUEST,
    errors.TooBroadError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.UndecodableError: HTTPStatus.NOT_ACCEPTABLE,
    errors.NotAVolumeError: HTTPStatus.NOT_ACCEPTABLE,
    errors.NotAllowedError: HTTPStatus.FORBIDDEN,
    errors.MissingError: HTTPStatus.NOT_FOUND,
    errors.StorageUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.IndexUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.PeerUnavailableError: HTTPStatus.BAD_GATEWAY,
    errors.BusyError: HTTPStatus.SERVICE_UNAVAILABLE,
}


# Failure Reason and Warning Reason (PS3.18 Tables I.2-2 and I.2-3, PS3.3 C.14.1.1).
OUT_OF_RESOURCES = 0xA700
DOES_NOT_MATCH = 0xA900
CANNOT_UNDERSTAND = 0xC000
SYNTAX_NOT_SUPPORTED = 0xC122
PROCESSING_FAILURE = 0x0110
NOT_AUTHORIZED = 0x0124
KEPT_FOR_REVIEW = 0xB000

# What each of our errors means of one object among several.
REASONS: dict[type[errors.NoctisError], int] = {
    errors.UnreadableError: CANNOT_UNDERSTAND,
    errors.LimitExceededError: CANNOT_UNDERSTAND,
    errors.UnsupportedError: SYNTAX_NOT_SUPPORTED,
    errors.IdentityError: CANNOT_UNDERSTAND,
    errors.MismatchError: DOES_NOT_MATCH,
    errors.ConflictError: CANNOT_UNDERSTAND,
    errors.QueryError: DOES_NOT_MATCH,
    errors.TooBroadError: OUT_OF_RESOURCES,
    errors.UndecodableError: CANNOT_UNDERSTAND,
    errors.NotAVolumeError: CANNOT_UNDERSTAND,
    errors.NotAllowedError: NOT_AUTHORIZED,
    errors.MissingError: CANNOT_UNDERSTAND,
    errors.StorageUnavailableError: OUT_OF_RESOURCES,
    errors.IndexUnavailableError: OUT_OF_RESOURCES,
    errors.PeerUnavailableError: OUT_OF_RESOURCES,
    errors.BusyError: OUT_OF_RESOURCES,
}


class Refusal(APIException):
    """An error of the house on its way out."""

    def __init__(self, error: errors.NoctisError) -> None:
        leaf = next(kind for kind in type(error).__mro__ if kind in STATUSES)
        super().__init__(str(error))
        self.status_code = STATUSES[leaf]


class StoredTrouble(APIException):
    """What is stored is broken: nothing that the client could mend."""

    status_code = HTTPStatus.INTERNAL_SERVER_ERROR
    default_code = "damaged"


class NotAcceptable(APIException):
    """None of the media types that the client takes can be given (PS3.18 8.7.5)."""

    status_code = HTTPStatus.NOT_ACCEPTABLE
    default_detail = "None of the media types that are accepted can be given."
