"""Modality worklist: C-FIND for what a scanner is to do (PS3.4 Annex K).

A peer sees its facility's open steps alone. All answers are gathered before
the first is sent: a slow scanner holds no database connection.
"""

from __future__ import annotations

import logging
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import close_old_connections, connection
from pydicom import Dataset
from pydicom.datadict import keyword_for_tag

from accounts import audit
from dicom_receiver import contexts, statuses
from dicom_receiver.association import Request
from dicom_receiver.identifiers import (
    IDENTIFIER_BYTES,
    SPECIFIC_CHARACTER_SET,
    decode_identifier,
    encode_identifier,
)
from dicom_receiver.wire import WireError
from imaging.errors import IndexUnavailableError, NoctisError, QueryError
from imaging.matching import values_of
from worklist.modality_worklist import Asker, Query, find_steps
from worklist.worklist_attributes import STEP_SEQUENCE

logger = logging.getLogger("noctis.dimse")

_LONGEST_IN_TRAIL = 200


def find_worklist(request: Request) -> None:
    """Answer with a pending response for each step, then how it ended."""
    asked = Dataset()
    answers: list[bytes] = []
    status, comment, fit = statuses.SUCCESS, "", statuses.MATCH
    try:
        close_old_connections()
        asked = _read(request)
        query = Query.from_identifier(asked, is_fuzzy=request.context.has_agreed(contexts.FUZZY))
        fit = statuses.MATCH_WITHOUT_SOME_KEYS if query.has_unknown_keys else fit
        _gather(request, query, answers)
        if request.is_cancelled():
            status, comment = statuses.CANCELLED, "Cancelled."
    except WireError:
        raise
    except Exception as error:
        if not isinstance(error, NoctisError | DatabaseError):
            logger.exception("a worklist query failed for a reason that nobody foresaw")
        status, comment = _explain(error)
        logger.warning("MWL %04XH: %s: %s", status, request.caller.ae_title, comment)
    finally:
        _record(request, asked, len(answers), status)
    for data_set in answers:
        if status != statuses.CANCELLED and request.is_cancelled():
            status, comment = statuses.CANCELLED, "Cancelled."
        if status == statuses.CANCELLED:
            break
        request.respond(fit, data_set=data_set)
    request.respond(status, comment=comment)


def _read(request: Request) -> Dataset:
    asked = decode_identifier(
        request.read_data_set(IDENTIFIER_BYTES), request.context.transfer_syntax
    )
    if not len(asked):
        raise QueryError("The query has no identifier.")
    return asked


def _gather(request: Request, query: Query, answers: list[bytes]) -> None:
    """Add the encoded answer of each step; stops early when the peer cancels."""
    caller = request.caller
    if caller.facility_id is None:
        return
    asker = Asker(
        caller.facility_id,
        caller.ae_title,
        own_station_alone=settings.NOCTIS_WORKLIST_STATIONS == "own",
    )
    character_sets = _as_sent(query.asked)
    steps = find_steps(
        asker, query, limit=settings.NOCTIS_WORKLIST_LIMIT, is_cancelled=request.is_cancelled
    )
    # What was found before there were too many stays found.
    answers.extend(
        encode_identifier(step, request.context.transfer_syntax, character_sets) for step in steps
    )


def _as_sent(identifier: Dataset) -> list[str]:
    """Return the request's Specific Character Set, its empty first value too."""
    if SPECIFIC_CHARACTER_SET not in identifier:
        return []
    value: Any = identifier[SPECIFIC_CHARACTER_SET].value
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def _explain(error: Exception) -> tuple[int, str]:
    if isinstance(error, DatabaseError):
        error = IndexUnavailableError("The database does not answer now.")
    return statuses.status_of(error), statuses.comment_of(error)


def _record(request: Request, asked: Dataset, count: int, status: int) -> None:
    """Write the query to the audit trail, and give the database connection back."""
    caller = request.caller
    keys = {**_keys_of(asked)}
    for item in values_of(asked, STEP_SEQUENCE)[:1]:
        keys |= _keys_of(item)
    try:
        audit.record(
            [
                audit.AuditEntry(
                    action="search",
                    actor=caller.ae_title,
                    address=caller.address,
                    outcome="success" if status == statuses.SUCCESS else f"{status:04X}",
                    facility_id=caller.facility_id,
                    detail={"by": "modality worklist", "keys": keys, "answers": count},
                )
            ]
        )
    except DatabaseError as error:
        logger.error("the trail did not take a worklist query: %s", type(error).__name__)
    finally:
        if not connection.in_atomic_block:
            connection.close()


def _keys_of(asked: Dataset) -> dict[str, str]:
    return {
        keyword_for_tag(element.tag) or str(element.tag): "\\".join(
            str(value) for value in values_of(asked, int(element.tag))
        ).replace("\0", "")[:_LONGEST_IN_TRAIL]
        for element in asked
        if element.VR not in {"SQ", "UN", "OB", "OW"} and values_of(asked, int(element.tag))
    }
