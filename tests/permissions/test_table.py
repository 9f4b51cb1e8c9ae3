"""Every route, everybody, own and quarantined and missing objects: the permission table."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from django.urls import reverse

from accounts.models import Facility, Role
from tests.permissions import rows
from tests.permissions.stage import Player, furnish, gather_players, lay_out
from tests.permissions.table import (
    LOST,
    MISSING,
    OWN,
    Answer,
    Row,
    Target,
    ask,
    find_routes,
)


@dataclass(frozen=True)
class Stage:
    """Everybody, and what they may ask for."""

    players: list[Player]
    targets: dict[str, Target]


@pytest.fixture
def stage(north: Facility, south: Facility) -> Stage:
    players = gather_players(north, south)
    boss = players[-1].person
    assert boss is not None
    machine = furnish(north)
    targets = {
        kind: Target({**target.keys, **machine}) for kind, target in lay_out(north, boss).items()
    }
    return Stage(players, targets)


def find_faults(row: Row, stage: Stage) -> list[str]:
    """Play a row with everybody; return where an answer differs from the table."""
    faults = []
    for player in stage.players:
        kinds = (OWN, LOST, MISSING) if row.has_object else (OWN,)
        answers = {kind: ask(row, player.client, stage.targets[kind]) for kind in kinds}
        for kind, answer in answers.items():
            wanted = row.expect(player.person, kind, is_of_north=player.is_of_north)
            if answer.status != wanted:
                faults.append(f"{player.name} asks for {kind}: {answer.status}, not {wanted}")
        if row.has_object:
            faults += _compare(row, player, answers)
    return faults


def _compare(row: Row, player: Player, answers: dict[str, Answer]) -> list[str]:
    """Return where a hidden object answers otherwise than a missing one."""
    is_boss = player.person is not None and player.person.role == Role.ADMIN
    hidden = [] if is_boss else [LOST]
    if not player.is_of_north:
        hidden.append(OWN)
    faults = [
        f"{player.name}: {kind} reads otherwise than {MISSING}"
        for kind in hidden
        if answers[kind] != answers[MISSING]
    ]
    sees = row.expect(player.person, OWN, is_of_north=player.is_of_north) == row.own
    is_closed = row.own in {302, 403, 404} and row.own == row.missing
    if sees and player.is_of_north and not is_closed and answers[OWN] == answers[MISSING]:
        faults.append(f"{player.name}: own reads like {MISSING}, so the comparison proves nothing")
    return faults


def group_rows() -> dict[str, list[Row]]:
    """Return the rows that share a stage: those of a room's pages, or of one model's."""
    groups: dict[str, list[Row]] = {}
    for row in rows.TABLE:
        page = row.route.rpartition("_")[0] if row.route.startswith("admin:") else ""
        name = page or row.route.partition(":")[0]
        groups.setdefault(name, []).append(row)
    return groups


@pytest.mark.parametrize("group", group_rows().values(), ids=group_rows().keys())
def test_everybody_gets_what_the_table_says(group: list[Row], stage: Stage) -> None:
    faults = {row.title: find_faults(row, stage) for row in group}

    assert {title: found for title, found in faults.items() if found} == {}


def test_every_route_is_in_the_table() -> None:
    told = {row.route for row in rows.TABLE} | rows.NAMELESS

    assert sorted(set(find_routes()) - told) == []
    assert sorted(told - set(find_routes())) == []


def test_nameless_admin_routes_tell_nothing(stage: Stage) -> None:
    paths = [
        reverse("admin:index") + "archive/study/{study}/",
        reverse("admin:index") + "nowhere/{study}/",
    ]
    for path in paths:
        for player in stage.players:
            answers = set()
            for target in stage.targets.values():
                key = str(target["study"])
                answer = player.client.get(path.replace("{study}", key))
                location = answer.get("Location", "").replace(key, "KEY")
                answers.add((answer.status_code, location))
            assert len(answers) == 1, (player.name, path, answers)


def test_the_table_can_fail(stage: Stage) -> None:
    row = next(row for row in rows.TABLE if row.route == "viewer:study")
    wrong_status = replace(row, by_role={"radiologist": 403})
    wrong_door = replace(row, anonymous=200)

    assert find_faults(row, stage) == []
    assert find_faults(wrong_status, stage)
    assert find_faults(wrong_door, stage)


def test_a_route_that_forgets_visible_to_is_found(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from archive.access import VisibleQuerySet

    monkeypatch.setattr(VisibleQuerySet, "visible_to", lambda self, user: self.all())
    row = next(row for row in rows.TABLE if row.route == "worklist:preview")

    faults = find_faults(row, stage)
    assert any("radiologist.south" in fault for fault in faults)
