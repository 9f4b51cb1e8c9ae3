"""C-FIND: which patients, studies, series or instances there are (PS3.4 C.4.1).

A peer sees its facility's studies alone. Answers go out as the database gives them; a C-CANCEL
stops the query there.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Generator
from typing import Any

from django.conf import settings
from django.db import close_old_connections
from pydicom import Dataset
from pydicom.datadict import keyword_for_tag

from accounts import audit
from archive.query.attributes import Level
from archive.query.hierarchy import QUERY_RETRIEVE_LEVEL, Root, check_keys_above, read_level
from archive.query.rows import Answer
from archive.query.scope import Scope
from archive.query.search import Search
from archive.query.stopping import StoppedError
from dicom_receiver import contexts, statuses
from dicom_receiver.association import Request
from dicom_receiver.identifiers import (
    IDENTIFIER_BYTES,
    SPECIFIC_CHARACTER_SET,
    Attribute,
    attributes_of,
    decode_identifier,
    encode_attributes,
)
from dicom_receiver.wire import StoppingError, WireError
from imaging.errors import NoctisError
from imaging.matching import Rules, values_of

logger = logging.getLogger("noctis.dimse")

RETRIEVE_AE_TITLE, INSTANCE_AVAILABILITY = 0x00080054, 0x00080056
# They say how to ask and how to get, and are no keys.
_NO_KEYS = frozenset(
    {SPECIFIC_CHARACTER_SET, QUERY_RETRIEVE_LEVEL, RETRIEVE_AE_TITLE, INSTANCE_AVAILABILITY}
)
_LONGEST_IN_TRAIL = 200


def find_matches(request: Request) -> None:
    """Answer a query: a pending response for each match, then how it ended."""
    close_old_connections()
    query: Query | None = None
    status, comment = statuses.SUCCESS, ""
    try:
        query = Query(request)
        if not query.answer():
            status, comment = statuses.CANCELLED, "Cancelled."
    except WireError:
        status = statuses.CANCELLED
        raise
    except Exception as error:
        if not isinstance(error, NoctisError):
            logger.exception("C-FIND failed for a reason that nobody foresaw")
        status, comment = statuses.status_of(error), statuses.comment_of(error)
        logger.warning("C-FIND %04XH: %s: %s", status, request.caller.ae_title, comment)
    finally:
        if query is not None:
            query.record("success" if status == statuses.SUCCESS else f"{status:04X}")
    request.respond(status, comment=comment)


class Query:
    """One C-FIND request, understood."""

    def __init__(self, request: Request) -> None:
        """Read the identifier; raises UnreadableError or QueryError."""
        self._request = request
        context = request.context
        identifier = decode_identifier(
            request.read_data_set(IDENTIFIER_BYTES), context.transfer_syntax
        )
        is_patient_root = context.abstract_syntax in contexts.PATIENT_ROOTS
        root = Root.PATIENT if is_patient_root else Root.STUDY
        self._level = read_level(root, identifier)
        if not context.has_agreed(contexts.RELATIONAL):
            check_keys_above(root, self._level, identifier)
        self._character_sets = _as_sent(identifier)
        self._keys = Dataset()
        for element in identifier:
            if int(element.tag) not in _NO_KEYS and element.tag.element != 0:
                self._keys.add(element)
        self._search = Search(
            Scope.of_facility(request.caller.facility_id),
            self._level,
            self._keys,
            rules=Rules(
                fuzzy_names=context.has_agreed(contexts.FUZZY),
                combined_times=context.has_agreed(contexts.DATE_TIME),
                empty_values=context.has_agreed(contexts.EMPTY_VALUE),
            ),
            should_stop=self._hears_something,
        )
        self._is_whole = not self._search.unsupported
        self._always = self._in_every_answer()
        self._count = 0

    def answer(self) -> bool:
        """Send every match; return whether it came to its end, and was not cancelled."""
        while True:
            try:
                gathering = self._request.association.gathering_answers()
                with contextlib.closing(self._matches()) as matches, gathering:
                    for match in matches:
                        if self._request.is_cancelled():
                            return False
                        self._send(match)
            except StoppedError:
                if self._request.association.surroundings.stop.at_pause.is_set():
                    raise StoppingError from None
                if self._request.is_cancelled():
                    return False
                # It was not for us: go on where we were.
                continue
            return True

    def _matches(self) -> Generator[Answer]:
        return self._search.matches(offset=self._count)

    def _in_every_answer(self) -> list[Attribute]:
        """Return what all answers have: what is not kept here is empty."""
        unsupported: list[Attribute] = [
            (tag, self._keys[tag].VR.encode(), []) for tag in self._search.unsupported
        ]
        return [
            *unsupported,
            (QUERY_RETRIEVE_LEVEL, b"CS", [self._level.name]),
            (RETRIEVE_AE_TITLE, b"AE", [settings.NOCTIS_AET.strip()]),
            (INSTANCE_AVAILABILITY, b"CS", ["ONLINE"]),
        ]

    def _send(self, match: Answer) -> None:
        attributes = [
            (tag, vr, list(map(attributes_of, values)) if vr == b"SQ" else values)
            for tag, (vr, values) in match.items()
        ]
        self._request.respond(
            statuses.MATCH if self._is_whole else statuses.MATCH_WITHOUT_SOME_KEYS,
            data_set=encode_attributes(
                attributes + self._always,
                self._request.context.transfer_syntax,
                self._character_sets,
            ),
        )
        self._count += 1

    def _hears_something(self) -> bool:
        """Whether the peer says something, or we are to stop; it is only looked at here."""
        association = self._request.association
        if association.surroundings.stop.at_pause.is_set():
            return True
        try:
            return association.wire.has_input()
        except WireError:
            return True

    def record(self, outcome: str) -> None:
        """Write the query to the audit trail."""
        caller = self._request.caller
        asked = {
            keyword_for_tag(element.tag) or str(element.tag): _shortened(self._keys, element.tag)
            for element in self._keys
            if element.VR != "SQ" and values_of(self._keys, element.tag)
        }
        level: Level = self._level
        audit.record(
            [
                audit.AuditEntry(
                    action="search",
                    actor=caller.ae_title,
                    address=caller.address,
                    outcome=outcome,
                    facility_id=caller.facility_id,
                    detail={
                        "by": "C-FIND", "level": level.name, "keys": asked, "answers": self._count,
                    },
                )
            ]
        )  # fmt: skip


def _as_sent(identifier: Dataset) -> list[str]:
    """Return the request's Specific Character Set, its empty first value too."""
    if SPECIFIC_CHARACTER_SET not in identifier:
        return []
    value: Any = identifier[SPECIFIC_CHARACTER_SET].value
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def _shortened(keys: Dataset, tag: int) -> str:
    text = "\\".join(str(value) for value in values_of(keys, tag))
    return text[:_LONGEST_IN_TRAIL]
