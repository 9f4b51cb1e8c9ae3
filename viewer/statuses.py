"""What each error means over HTTP: the one table of this room's addresses."""

from __future__ import annotations

from http import HTTPStatus

from rest_framework.exceptions import APIException

from imaging import errors

STATUSES: dict[type[errors.NoctisError], HTTPStatus] = {
    errors.UnreadableError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.LimitExceededError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.UnsupportedError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.IdentityError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.MismatchError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.ConflictError: HTTPStatus.CONFLICT,
    errors.QueryError: HTTPStatus.BAD_REQUEST,
    errors.TooBroadError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.UndecodableError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.NotAVolumeError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.NotAllowedError: HTTPStatus.FORBIDDEN,
    errors.MissingError: HTTPStatus.NOT_FOUND,
    errors.StorageUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.IndexUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.PeerUnavailableError: HTTPStatus.BAD_GATEWAY,
    errors.BusyError: HTTPStatus.SERVICE_UNAVAILABLE,
}

# The words by which programs tell the refusals apart.
CODES: dict[type[errors.NoctisError], str] = {
    errors.UnreadableError: "damaged",
    errors.LimitExceededError: "damaged",
    errors.UnsupportedError: "cannot_show",
    errors.IdentityError: "damaged",
    errors.MismatchError: "damaged",
    errors.ConflictError: "conflict",
    errors.QueryError: "bad_query",
    errors.TooBroadError: "too_broad",
    errors.UndecodableError: "cannot_show",
    errors.NotAVolumeError: "not_a_volume",
    errors.NotAllowedError: "not_allowed",
    errors.MissingError: "missing",
    errors.StorageUnavailableError: "storage_unavailable",
    errors.IndexUnavailableError: "index_unavailable",
    errors.PeerUnavailableError: "peer_unavailable",
    errors.BusyError: "busy",
}

RETRY_SECONDS = 5


class Refusal(APIException):
    """An error of the house on its way out: status, words, code."""

    def __init__(self, error: errors.NoctisError) -> None:
        leaf = next(kind for kind in type(error).__mro__ if kind in STATUSES)
        super().__init__(str(error), CODES[leaf])
        self.status_code = STATUSES[leaf]
