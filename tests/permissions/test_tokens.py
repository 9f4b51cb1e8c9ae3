"""What a credential may not, it may not anywhere: the permission table, played with tokens."""

from __future__ import annotations

from django.test import Client
from rest_framework.views import APIView

from accounts.api_tokens import Wish, make_token
from accounts.models import User
from archive.models import Study
from tests.permissions import rows
from tests.permissions.table import OWN, Row, ask, find_views
from tests.permissions.test_table import Stage, stage
from viewer.launches import make_ticket

__all__ = ["stage"]
INTERFACES = ("api:", "dicomweb:", "files:")


def bearer(word: str) -> Client:
    return Client(enforce_csrf_checks=True, headers={"Authorization": f"Bearer {word}"})


def find_rows(*, changing: bool) -> list[Row]:
    found = [row for row in rows.TABLE if row.route.startswith(INTERFACES)]
    return [row for row in found if (row.method not in {"GET", "HEAD"}) == changing]


def person_named(stage: Stage, name: str) -> User:
    person = next(player.person for player in stage.players if player.name == name)
    assert person is not None
    return person


def test_a_token_that_reads_changes_nothing_anywhere(stage: Stage) -> None:
    boss = person_named(stage, "admin")
    _token, word = make_token(boss, Wish(name="reader", scope="read", days=1))
    changing = find_rows(changing=True)
    client = bearer(word)
    statuses = {row.title: ask(row, client, stage.targets[OWN]).status for row in changing}

    assert len(statuses) > 30
    assert {title: status for title, status in statuses.items() if status != 403} == {}


def test_a_ticket_opens_dicomweb_of_its_study_and_nothing_else(stage: Stage) -> None:
    boss = person_named(stage, "admin")
    lost = stage.targets["quarantined"]
    client = bearer(make_ticket(boss, Study.objects.get(pk=lost["study"]), "slicer"))
    faults = {}
    for row in find_rows(changing=False):
        if row.streams or row.route == "api:events":
            continue
        is_open = row.route.startswith("dicomweb:")
        status = ask(row, client, stage.targets[OWN]).status
        # Of another study everything is missing; searches at large find their own alone.
        open_ones = {row.missing, 404} if row.has_object else {200, 204, 404}
        wanted = open_ones if is_open else {403}
        if status not in wanted:
            faults[row.title] = status

    assert faults == {}
    study = f"/dicomweb/studies/{lost['study_uid']}"
    assert client.get(f"{study}/series").status_code == 200
    assert client.get(f"{study}/metadata").status_code == 200


def test_every_interface_asks_for_tokens_the_same_way() -> None:
    """Nobody names authentication of their own but the doors at which tokens are got."""
    own = {
        name
        for name, view in find_views().items()
        if isinstance(view, type)
        and issubclass(view, APIView)
        and view.authentication_classes != APIView.authentication_classes
    }

    assert own == {"tokens:token", "tokens:token-refresh", "tokens:token-revoke"}
