"""The modality worklist: which steps a scanner asks for, and what it is told of each (PS3.4 K).

The database narrows by what its indexes know; `imaging.matching` decides. A
key that we do not keep matches everything and comes back empty. A step for
which no station was chosen is there for every station.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.db.models import Q, QuerySet
from pydicom import DataElement, Dataset

from archive.query.narrowing import by_search_key
from imaging.datasets import add_element
from imaging.errors import TooBroadError
from imaging.match_values import Literal, Matcher, Span, Uids
from imaging.matching import Items, KeySet, Rules, compile_key, values_of
from worklist.order_models import OPEN, ScheduledStep
from worklist.worklist_attributes import (
    AE_TITLE,
    PLAIN_COLUMNS_OF_ORDER,
    PLAIN_COLUMNS_OF_STEP,
    RETURN_ALONE,
    SPECIFIC_CHARACTER_SET,
    STEP_SEQUENCE,
    describe_step,
    is_known,
)

# Ranges of dates and times together are one range of moments (table K.6-1).
_RULES = Rules(combined_times=True)
_FUZZY = Rules(combined_times=True, fuzzy_names=True)
_LOOK_EVERY = 100


@dataclass(frozen=True)
class Asker:
    """Who asks, for which facility; `own_station_alone` leaves out steps of other stations."""

    facility_id: uuid.UUID
    ae_title: str
    own_station_alone: bool = False


@dataclass(frozen=True)
class Query:
    """A query: the keys that we keep, compiled, and all that is to be returned."""

    asked: Dataset
    keys: KeySet
    keys_without_station: KeySet
    narrowed: Q
    station: str
    has_unknown_keys: bool

    @classmethod
    def from_identifier(cls, asked: Dataset, *, is_fuzzy: bool = False) -> Query:
        """Read a query's identifier; raises QueryError when a key breaks its rules."""
        rules = _FUZZY if is_fuzzy else _RULES
        known = _known_part(asked, is_step=False)
        without_station = _without_station(known)
        return cls(
            asked=asked,
            keys=KeySet.from_dataset(known, rules),
            keys_without_station=KeySet.from_dataset(without_station, rules),
            narrowed=_narrow(known, rules),
            station=_literal(_step_part(known), AE_TITLE) or "",
            has_unknown_keys=_count(known) < _count(asked),
        )


def find_steps(
    asker: Asker, query: Query, *, limit: int, is_cancelled: Callable[[], bool]
) -> Iterator[Dataset]:
    """Yield the answer for each open step that fits, in the order of their times.

    Stops early when `is_cancelled`. Raises TooBroadError after `limit` answers when there
    are more: a list that is cut short in silence would hide patients.
    """
    found = 0
    for number, step in enumerate(_open_steps(asker, query)):
        if number % _LOOK_EVERY == 0 and is_cancelled():
            return
        station = query.station or asker.ae_title
        whole = describe_step(step, station)
        keys = query.keys if step.scheduled_station_ae_title else query.keys_without_station
        if not keys.matches(whole):
            continue
        if found == limit:
            raise TooBroadError(f"More than {limit} steps fit; ask for fewer.")
        found += 1
        yield _answer(query.asked, whole)


def _open_steps(asker: Asker, query: Query) -> Iterator[ScheduledStep]:
    """Yield the open steps that may fit, whole; most that do not are never read whole."""
    rows: QuerySet[ScheduledStep] = ScheduledStep.objects.in_facilities([asker.facility_id])
    rows = rows.filter(query.narrowed, status__in=OPEN)
    if asker.own_station_alone:
        rows = rows.filter(_at_station(asker.ae_title))
    day, clock = (f"scheduled_procedure_step_start_{part}" for part in ("date", "time"))
    columns = dict(_plain_keys(query.keys))
    looked_at = rows.order_by(day, clock, "pk").values_list("pk", *columns)
    keys = [
        key
        for key, *values in looked_at
        if all(
            column.matches([value] if value else [])
            for column, value in zip(columns.values(), values, strict=True)
        )
    ]
    for begin in range(0, len(keys), _LOOK_EVERY):
        some = keys[begin : begin + _LOOK_EVERY]
        found = rows.select_related("order__facility").in_bulk(some)
        for step in (found[key] for key in some if key in found):
            titles = {one.strip() for one in step.scheduled_station_ae_title.split("\\")}
            if not asker.own_station_alone or titles & {"", asker.ae_title}:
                yield step


def _plain_keys(keys: KeySet) -> Iterator[tuple[str, Matcher]]:
    """Yield the columns that can be matched without the whole answer, with their keys."""
    for tag, key in keys.keys.items():
        if tag in PLAIN_COLUMNS_OF_ORDER:
            yield f"order__{PLAIN_COLUMNS_OF_ORDER[tag]}", key
        elif isinstance(key, Items):
            for inner, one in key.keys.keys.items():
                if tag == STEP_SEQUENCE and inner in PLAIN_COLUMNS_OF_STEP:
                    yield PLAIN_COLUMNS_OF_STEP[inner], one


def _at_station(title: str) -> Q:
    """Return the condition for steps of a station or of none; a little too wide for lists."""
    station = "scheduled_station_ae_title"
    return Q(**{station: ""}) | Q(**{f"{station}__contains": title})


# --- keys ----------------------------------------------------------------------------------
def _known_part(asked: Dataset, *, is_step: bool) -> Dataset:
    """Return the keys that we keep: the others match everything (C.2.2.1.3)."""
    known = Dataset()
    for element in asked:
        tag = int(element.tag)
        if not is_known(tag, is_step=is_step):
            continue
        if tag == STEP_SEQUENCE:
            items = [_known_part(item, is_step=True) for item in element.value]
            known.add(DataElement(tag, "SQ", items))
        elif tag in RETURN_ALONE:
            add_element(known, tag, element.VR, [])
        else:
            known.add(element)
    return known


def _count(asked: Dataset) -> int:
    """Count the keys of a query, those of the step with them."""
    counted = [tag for tag in map(int, asked.keys()) if tag != SPECIFIC_CHARACTER_SET]
    return len([tag for tag in counted if tag & 0xFFFF]) + len(_step_part(asked))


def _step_part(asked: Dataset) -> Dataset:
    items = values_of(asked, STEP_SEQUENCE)
    return items[0] if items else Dataset()


def _without_station(known: Dataset) -> Dataset:
    step = Dataset()
    step.update({element.tag: element for element in _step_part(known)})
    if AE_TITLE in step:
        del step[AE_TITLE]
    copy = Dataset()
    copy.update({element.tag: element for element in known})
    if STEP_SEQUENCE in known:
        copy[STEP_SEQUENCE] = DataElement(STEP_SEQUENCE, "SQ", [step])
    return copy


def _literal(keys: Dataset, tag: int) -> str | None:
    """Return what a key asks for when that is one value, to the letter."""
    key = compile_key(keys[tag].VR, values_of(keys, tag), _RULES) if tag in keys else None
    return key.text if isinstance(key, Literal) else None


def _narrow(known: Dataset, rules: Rules) -> Q:
    """Return the condition that leaves out most of what does not fit, and nothing that does."""
    narrowed = Q()
    if _PATIENT_NAME in known:
        key = compile_key("PN", values_of(known, _PATIENT_NAME), rules)
        narrowed &= by_search_key("order__patient_key", key)
    for name, tag in _ORDER_COLUMNS.items():
        if (text := _literal(known, tag)) is not None:
            narrowed &= Q(**{f"order__{name}": text})
    step = _step_part(known)
    for name, tag in _STEP_COLUMNS.items():
        if (text := _literal(step, tag)) is not None:
            narrowed &= Q(**{name: text})
    if _STUDY_UID in known:
        key = compile_key("UI", values_of(known, _STUDY_UID), _RULES)
        if isinstance(key, Uids):
            narrowed &= Q(order__study_instance_uid__in=key.uids)
    if title := _literal(step, AE_TITLE):
        narrowed &= _at_station(title)
    return narrowed & _narrow_days(step)


def _narrow_days(step: Dataset) -> Q:
    key = compile_key("DA", values_of(step, _START_DATE), _RULES) if _START_DATE in step else None
    if not isinstance(key, Span):
        return Q()
    day, narrowed = "scheduled_procedure_step_start_date", Q()
    if key.first is not None:
        narrowed &= Q(**{f"{day}__gte": key.first})
    if key.last is not None:
        narrowed &= Q(**{f"{day}__lte": key.last})
    return narrowed


_PATIENT_NAME, _STUDY_UID, _START_DATE = 0x00100010, 0x0020000D, 0x00400002
_ORDER_COLUMNS = {
    "patient_id": 0x00100020,
    "accession_number": 0x00080050,
    "requested_procedure_id": 0x00401001,
}
_STEP_COLUMNS = {"modality": 0x00080060, "scheduled_procedure_step_id": 0x00400009}


# --- answers -------------------------------------------------------------------------------
def _answer(asked: Dataset, whole: Dataset) -> Dataset:
    """Return what was asked for of all that there is; what is not there is empty."""
    answer = Dataset()
    for element in asked:
        tag = int(element.tag)
        if tag == SPECIFIC_CHARACTER_SET or not tag & 0xFFFF:
            continue
        if element.VR == "SQ":
            items = values_of(whole, tag)
            wish = element.value[0] if element.value and len(element.value[0]) else None
            shown = items if wish is None else [_answer(wish, item) for item in items]
            answer.add(DataElement(tag, "SQ", shown))
        elif tag in whole:
            answer.add(whole[tag])
        else:
            is_creator = element.tag.is_private_creator
            add_element(answer, tag, element.VR, values_of(asked, tag) if is_creator else [])
    return answer
