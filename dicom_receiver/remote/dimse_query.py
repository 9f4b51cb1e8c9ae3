"""Questions to DIMSE peers: C-FIND, Study Root (PS3.4 C.4.1)."""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping
from contextlib import closing
from functools import partial
from time import monotonic

from django.utils.translation import gettext as _
from pydicom import DataElement, Dataset
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR

from dicom_receiver import command as dimse
from dicom_receiver import statuses
from dicom_receiver.contexts import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    STUDY_ROOT_FIND,
)
from dicom_receiver.identifiers import decode_identifier, encode_identifier
from dicom_receiver.models import Peer
from dicom_receiver.remote import answers
from dicom_receiver.remote.answers import Found, Question, Reader, RemoteSeries, RemoteStudy
from dicom_receiver.requestor import Offer, Requestor, Response
from dicom_receiver.targets import target_of
from dicom_receiver.wire import Stop, StoppingError
from imaging.errors import PeerUnavailableError, UnreadableError

PLAIN_SYNTAXES = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)
QUERY_RETRIEVE_LEVEL = 0x00080052
SOP_CLASSES_IN_STUDY = 0x00080062
# An honest answer of these attributes is far shorter.
_DEPTH, _ELEMENTS, _VALUES_LIMIT = 4, 2_000, 64
# However many answers come: after this we stop asking.
_SECONDS_IN_ALL = 4


def find_studies(peer: Peer, question: Question) -> Found[RemoteStudy]:
    """Ask for studies. Raises PeerUnavailableError."""
    keys = dict.fromkeys(answers.STUDY_TAGS, "") | question.keys()
    limit = answers.ANSWERS_LIMIT
    began = monotonic()
    with closing(_ask(peer, "STUDY", keys)) as readers:
        found = answers.gather(readers, answers.read_study, limit)
    found.took_ms = round(1000 * (monotonic() - began))
    return found


def find_series(peer: Peer, study_uid: str) -> Found[RemoteSeries]:
    """Ask for the series of a study. Raises PeerUnavailableError."""
    keys = dict.fromkeys(answers.SERIES_TAGS, "") | {answers.STUDY_UID: study_uid}
    limit = answers.SERIES_LIMIT
    began = monotonic()
    with closing(_ask(peer, "SERIES", keys)) as readers:
        found = answers.gather(readers, answers.read_series, limit)
    found.took_ms = round(1000 * (monotonic() - began))
    return found


def find_sop_classes(peer: Peer, study_uid: str) -> list[str]:
    """Return the SOP classes of a study, as far as the peer tells. Raises PeerUnavailableError."""
    keys = {answers.STUDY_UID: study_uid, SOP_CLASSES_IN_STUDY: ""}
    with closing(_ask(peer, "STUDY", keys)) as readers:
        values = next((read(SOP_CLASSES_IN_STUDY) for read in readers), [])
    return [text.strip(" \0") for text in values if text]


def encode_keys(level: str, keys: Mapping[int, str], transfer_syntax: str) -> bytes:
    """Return an identifier of matching and return keys; an empty one is asked for."""
    identifier = Dataset()
    for tag, value in {QUERY_RETRIEVE_LEVEL: level, **keys}.items():
        # Wild cards and ranges are no values of their VR.
        identifier.add(DataElement(tag, dictionary_VR(tag), value, validation_mode=IGNORE))
    return encode_identifier(identifier, transfer_syntax)


class _Deadline(threading.Event):
    """Is set when its time is over; asked for at every piece that comes."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._end = monotonic() + seconds

    def is_set(self) -> bool:
        """Whether the time is over."""
        return monotonic() > self._end


def _ask(peer: Peer, level: str, keys: Mapping[int, str]) -> Generator[Reader, None, None]:
    """Yield a reader for each answer; who stops taking them cancels the rest (C-CANCEL)."""
    patience = Stop()
    patience.now = _Deadline(_SECONDS_IN_ALL * peer.timeout_seconds)
    offers = [Offer(STUDY_ROOT_FIND, PLAIN_SYNTAXES)]
    try:
        with Requestor(target_of(peer), offers, stop=patience) as association:
            yield from _answers(peer, association, level, keys)
    except StoppingError as error:
        words = _("%(peer)s goes on answering without an end.") % {"peer": peer}
        raise PeerUnavailableError(words, trouble="timed out") from error


def _answers(
    peer: Peer, association: Requestor, level: str, keys: Mapping[int, str]
) -> Generator[Reader, None, None]:
    context = association.accepted[0]
    elements: dict[int, int | str | bytes] = {
        dimse.AFFECTED_SOP_CLASS_UID: STUDY_ROOT_FIND,
        dimse.COMMAND_FIELD: dimse.C_FIND_RQ,
        dimse.PRIORITY: 0,
    }
    identifier = encode_keys(level, keys, context.transfer_syntax)
    for response in association.request(context, elements, identifier):
        if not response.is_pending:
            _check_last(peer, response)
        elif response.data_set is not None:
            try:
                yield _reader(peer, response.data_set, context.transfer_syntax)
            except GeneratorExit:
                association.cancel(context)
                raise


def _reader(peer: Peer, data: bytes, transfer_syntax: str) -> Reader:
    try:
        dataset = decode_identifier(data, transfer_syntax, depth=_DEPTH, elements=_ELEMENTS)
    except UnreadableError as error:
        words = _("%(peer)s sends an answer that cannot be read.") % {"peer": peer}
        raise PeerUnavailableError(words, trouble="not dicom") from error
    return partial(_read, dataset)


def _read(dataset: Dataset, tag: int) -> list[str]:
    value = dataset[tag].value if tag in dataset else ""
    values = value if isinstance(value, list) else [value]
    return [str(one) for one in values[:_VALUES_LIMIT] if isinstance(one, str | int | float)]


def _check_last(peer: Peer, response: Response) -> None:
    """Raise PeerUnavailableError unless the last answer says that all went well."""
    if response.status in (statuses.SUCCESS, statuses.CANCELLED):
        return
    raise PeerUnavailableError(
        _("%(peer)s could not answer: %(why)s") % {"peer": peer, "why": say_status(response)},
        trouble="refused",
    )


def say_status(response: Response) -> str:
    """Return the status of an answer and what the peer says to it."""
    words = f"{response.status:04X}H"
    return f"{words} {response.comment}" if response.comment else words
