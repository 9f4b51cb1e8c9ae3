"""What a scanner sees of the worklist besides what it asks for: bounds, own station, facility."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom import Dataset
from pytest_django import DjangoAssertNumQueries

from accounts.models import Facility
from imaging.errors import TooBroadError
from tests.unit.worklist.ordering import make_order
from worklist.modality_worklist import Asker, Query, find_steps

pytestmark = pytest.mark.django_db


def ask(facility: Facility, *, limit: int = 100, **also: Any) -> list[str]:
    """Return the step IDs that a scanner gets which asks for all."""
    item = Dataset()
    item.ScheduledProcedureStepID = item.ScheduledStationAETitle = ""
    asked = Dataset()
    asked.ScheduledProcedureStepSequence = [item]
    asker = Asker(facility.pk, "CT1", also.pop("own_station_alone", False))
    found = find_steps(
        asker, Query.from_identifier(asked), limit=limit, **{"is_cancelled": lambda: False, **also}
    )
    return [str(one.ScheduledProcedureStepSequence[0].ScheduledProcedureStepID) for one in found]


def schedule(facility: Facility, *stations: str) -> None:
    for number, station in enumerate(stations):
        step = {"scheduled_procedure_step_id": str(number), "scheduled_station_ae_title": station}
        make_order(facility=facility, steps=[step])


def test_scanner_may_be_shown_its_own_steps_alone(north: Facility) -> None:
    schedule(north, "CT1", "CT2", "", "CT10", "CT2\\CT1")

    assert ask(north) == ["0", "1", "2", "3", "4"]
    assert ask(north, own_station_alone=True) == ["0", "2", "4"]


def test_step_without_station_names_the_one_that_asks(north: Facility) -> None:
    schedule(north, "")
    asked = Dataset()
    asked.ScheduledProcedureStepSequence = []

    (answer,) = find_steps(
        Asker(north.pk, "CT7"), Query.from_identifier(asked), limit=1, is_cancelled=lambda: False
    )

    step = answer.ScheduledProcedureStepSequence[0]
    assert step.ScheduledStationAETitle == "CT7"
    # A sequence that is asked for without keys comes whole.
    assert step.Modality == "CT"


def test_more_than_the_limit_is_said_after_the_limit(north: Facility) -> None:
    schedule(north, "CT1", "CT1", "CT1")

    assert len(ask(north, limit=3)) == 3
    with pytest.raises(TooBroadError):
        ask(north, limit=2)


def test_cancelled_query_stops(north: Facility) -> None:
    schedule(north, "CT1")

    assert ask(north, is_cancelled=lambda: True) == []


def test_other_facility_is_empty(north: Facility, south: Facility) -> None:
    schedule(north, "CT1")

    assert ask(south) == []


def test_list_costs_two_queries_however_long(
    north: Facility, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    schedule(north, *["CT1"] * 5)

    with django_assert_num_queries(2):
        assert len(ask(north)) == 5
