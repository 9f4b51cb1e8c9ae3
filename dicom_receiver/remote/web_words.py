"""What went wrong at a DICOMweb peer, as the error that every caller understands."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import requests
import urllib3
from django.utils.translation import gettext as _

from dicom_receiver.remote import web_session
from dicom_receiver.remote.models import WebPeer
from dicom_receiver.remote.multipart import BrokenMultipartError
from dicom_receiver.remote.secrets import SecretLostError
from dicom_receiver.remote.web_address import RefusedAddressError
from imaging.errors import PeerUnavailableError

logger = logging.getLogger("noctis.dicomweb")

_CAUSES_LIMIT = 10


@contextmanager
def in_words(peer: WebPeer) -> Iterator[None]:
    """Turn whatever goes wrong with a peer in the block into a PeerUnavailableError with words."""
    try:
        yield
    except PeerUnavailableError:
        raise
    except (
        *(requests.RequestException, urllib3.exceptions.HTTPError, OSError),
        *(ValueError, RecursionError, RefusedAddressError, SecretLostError, BrokenMultipartError),
        *(web_session.TooLargeError, web_session.TooSlowError, web_session.LedAwayError),
        *(web_session.UnexpectedCodingError, web_session.StoppedError),
    ) as error:
        trouble, words = _describe(error)
        logger.warning("%s: %s (%s)", peer.name, trouble, type(error).__name__)
        raise PeerUnavailableError(f"{peer.name} {words}", trouble=trouble) from error


def _describe(error: BaseException) -> tuple[str, str]:
    """Return one word for the trouble and a sentence that follows the peer's name."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return describe_status(error.response.status_code)
    for one in _causes(error):
        for kinds, trouble, words in _troubles():
            if isinstance(one, kinds):
                return trouble, words
        if isinstance(one, RefusedAddressError):
            return "address", _("is not called: %(why)s") % {"why": one}
    if isinstance(error, ValueError | RecursionError):
        # Before the next: requests counts JSON that is none among the system's errors.
        return "not dicomweb", _("does not answer as DICOMweb asks.")
    if isinstance(error, OSError | urllib3.exceptions.HTTPError):
        return "lost", _("ended the connection before its answer was whole.")
    return "not dicomweb", _("does not answer as DICOMweb asks.")


def _troubles() -> list[tuple[tuple[type[BaseException], ...], str, str]]:
    three = urllib3.exceptions
    timed_out = _("does not answer in time.")
    return [
        ((web_session.TooSlowError,), "timed out", timed_out),
        ((web_session.StoppedError,), "stopped", _("was left: nobody waits for its answer.")),
        ((web_session.TooLargeError,), "not dicomweb", _("answers with more than we read.")),
        ((web_session.LedAwayError,), "redirect", _("sends us to another address.")),
        (
            (web_session.UnexpectedCodingError,),
            "not dicomweb",
            _("answers compressed, which was not asked for."),
        ),
        (
            (SecretLostError,),
            "login",
            _("needs its password or token again: the server's secret key has changed."),
        ),
        ((BrokenMultipartError,), "lost", _("sent an answer that is not whole.")),
        ((three.SSLError, requests.exceptions.SSLError), "tls", _("does not agree on TLS.")),
        ((three.NameResolutionError,), "unreachable", _("has a host name that nobody knows.")),
        ((three.ConnectTimeoutError, three.ReadTimeoutError, TimeoutError), "timed out", timed_out),
        ((three.NewConnectionError,), "unreachable", _("cannot be reached.")),
    ]


def describe_status(status: int) -> tuple[str, str]:
    """Return word and sentence for an HTTP status that says no."""
    number = {"status": status}
    if status in (401, 403):
        return "login", _("does not let us in (%(status)d).") % number
    if status in (404, 405, 501):
        return "no service", _("does not offer this at its address (%(status)d).") % number
    if status in (406, 415):
        return "no context", _("does not speak the forms that we do (%(status)d).") % number
    if status in (429, 503):
        return "busy", _("is busy (%(status)d).") % number
    return "refused", _("answers with status %(status)d.") % number


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error, what it wraps and what caused it."""
    pending: list[BaseException] = [error]
    for _number in range(_CAUSES_LIMIT):
        if not pending:
            return
        one = pending.pop(0)
        yield one
        inner = [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
        pending += [other for other in inner if isinstance(other, BaseException)]
