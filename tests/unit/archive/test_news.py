"""Live news: who hears what, from where on, and what a burst becomes."""

import asyncio
import json
import time
import uuid
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.sessions.models import Session
from django.http import HttpResponseBase, StreamingHttpResponse
from django.test import AsyncClient

from accounts.api_tokens import Wish, make_token, revoke_token
from accounts.models import Role
from archive import events, news
from archive.models import Event
from archive.news import News, Rights, Stream, coalesce, newest_id, newsroom, renew_rights
from tests import factories

ADDRESS = "/api/v1/events/"


def parse(text):
    """Return [(id, kind, data)] of a stream's text."""
    found = []
    for block in text.decode().split("\n\n"):
        facts = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "event" in facts and facts["event"] != "beat":
            found.append((int(facts.get("id", 0)), facts["event"], json.loads(facts["data"])))
    return found


def heard(text):
    return [data["study"] for _, kind, data in parse(text) if kind.startswith("study")]


# --- without ASGI: what is new, and the end ----------------------------------
@pytest.mark.django_db
class TestUnderWsgi:
    def ask(self, client, **headers):
        response = client.get(ADDRESS, **headers)
        assert response["Content-Type"] == "text/event-stream"
        assert "no-store" in response["Cache-Control"]
        return response.content

    def test_nobody_hears_nothing(self, client):
        assert client.get(ADDRESS).status_code == 401

    def test_everyone_hears_of_their_own_facilities_alone(self, client_of, request, north, south):
        studies = [factories.make_study(where) for where in (north, south, None)]
        events.publish("study_received", studies)
        n, s, q = (str(study.pk) for study in studies)

        for who, expected in {
            "rada": [n],
            "fiona": [s],
            "strange": [],
            "admin": [n, s, q],
        }.items():
            client = client_of(request.getfixturevalue(who))
            assert heard(self.ask(client, query_params={"after": 0})) == expected

    def test_the_last_id_heard_is_where_it_goes_on(self, client_of, rada, north):
        studies = [factories.make_study(north) for _ in range(3)]
        for study in studies:
            events.publish("study_received", [study])
        first = Event.objects.order_by("id")[0].pk
        client = client_of(rada)

        text = self.ask(client, headers={"Last-Event-ID": str(first)}, query_params={"after": "0"})

        assert heard(text) == [str(study.pk) for study in studies[1:]]
        assert [place for place, _, _ in parse(text)] == [first + 1, first + 2]

    def test_without_a_place_it_begins_now(self, client_of, rada, north):
        events.publish("study_received", [factories.make_study(north)])

        text = self.ask(client_of(rada))

        assert heard(text) == []
        assert f"id: {newest_id()}".encode() in text

    def test_who_missed_too_much_is_told_to_look_anew(self, client_of, rada, north):
        study = factories.make_study(north)
        for number in range(501):
            Event.objects.create(
                kind="study_updated", facility=north, study=study, payload={"n": number}
            )

        text = self.ask(client_of(rada), query_params={"after": "0"})

        assert [kind for _, kind, _ in parse(text)] == ["reset"]
        assert f"id: {newest_id()}".encode() in text

    @pytest.mark.parametrize("place", ["x", "-1", "1e9", "9" * 40, "٣", ""])
    def test_a_place_that_is_none_is_now(self, client_of, rada, north, place):
        events.publish("study_received", [factories.make_study(north)])

        assert heard(self.ask(client_of(rada), query_params={"after": place})) == []

    def test_hostile_payloads_stay_one_line_of_json(self, client_of, rada, north):
        nasty = "x\n\nevent: reset\ndata: {}\n\n\r\n</script>"
        events.publish("study_updated", [factories.make_study(north)], note=nasty)

        [(_, kind, data)] = parse(self.ask(client_of(rada), query_params={"after": "0"}))

        assert (kind, data["payload"]["note"]) == ("study_updated", nasty)


def test_a_burst_about_one_study_becomes_its_last_event():
    burst = [News(n, "study_updated", None, None, "{}") for n in range(1, 2001)]

    assert coalesce([*burst, News(2001, "study_received", None, None, "{}")]) == [
        News(2000, "study_updated", None, None, "{}"),
        News(2001, "study_received", None, None, "{}"),
    ]


def test_events_that_say_different_things_are_all_told():
    told = [News(n, "thumbnail", None, None, f'{{"series":{n}}}') for n in range(5)]

    assert coalesce(told) == told


@pytest.fixture
def quiet_after():
    """Let the poller end before the next test changes the database under it."""
    yield
    end = time.monotonic() + 5
    while newsroom.is_busy() and time.monotonic() < end:
        time.sleep(0.05)
    assert not newsroom.is_busy()


# --- under ASGI: a stream that stays open --------------------------------------
async def open_stream(user, **also):
    client = AsyncClient()
    await client.aforce_login(user)
    response: HttpResponseBase = await client.get(ADDRESS, **also)
    assert response.status_code == 200
    assert isinstance(response, StreamingHttpResponse)
    return response, aiter(response)


async def listen(stream, *, until, seconds=5.0):
    """Return the text of the stream up to what is waited for, or to the end of patience."""
    text = b""
    try:
        async with asyncio.timeout(seconds):
            while until not in text:
                text += await anext(stream)
    except (TimeoutError, StopAsyncIteration):
        pass
    return text


@sync_to_async
def arrive(facility):
    study = factories.make_study(facility)
    events.publish("study_received", [study])
    return str(study.pk)


@pytest.mark.asyncio
@pytest.mark.usefixtures("quiet_after")
@pytest.mark.django_db(transaction=True)
async def test_news_arrive_within_a_second_and_foreign_news_never(rada, north, south):
    response, stream = await open_stream(rada)
    await anext(stream)

    foreign = await arrive(south)
    hidden = await arrive(None)
    begun = asyncio.get_running_loop().time()
    mine = await arrive(north)
    text = await listen(stream, until=mine.encode())

    assert asyncio.get_running_loop().time() - begun < 1.0
    assert heard(text) == [mine]
    assert foreign.encode() not in text
    assert hidden.encode() not in text
    await stream.aclose()
    response.close()


@pytest.mark.asyncio
@pytest.mark.usefixtures("quiet_after")
@pytest.mark.django_db(transaction=True)
async def test_nothing_is_lost_or_told_twice_between_the_table_and_the_poller(rada, north):
    before = [await arrive(north) for _ in range(3)]
    _, stream = await open_stream(rada, headers={"Last-Event-ID": "0"})
    opening = await anext(stream)
    after = [await arrive(north) for _ in range(3)]

    text = opening + await listen(stream, until=after[-1].encode())

    assert heard(text) == before + after
    await stream.aclose()


@pytest.mark.asyncio
@pytest.mark.usefixtures("quiet_after")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", ["facility", "role", "inactive", "password", "logout"])
async def test_a_change_of_rights_holds_within_seconds(change, rada, north, monkeypatch):
    monkeypatch.setattr(news, "RIGHTS_SECONDS", 0.2)
    _, stream = await open_stream(rada)
    await anext(stream)

    @sync_to_async
    def alter():
        if change == "facility":
            rada.facilities.clear()
        elif change == "role":
            rada.role = Role.ADMIN
        elif change == "inactive":
            rada.is_active = False
        elif change == "password":
            rada.set_password("another one")
        else:
            Session.objects.all().delete()
        rada.save()

    await alter()
    await asyncio.sleep(1.0)
    mine, hidden = await arrive(north), await arrive(None)
    text = await listen(stream, until=hidden.encode(), seconds=1.5)

    expected = {"role": [mine, hidden]}.get(change, [])
    assert heard(text) == expected
    if change in ("inactive", "password", "logout"):
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
    await stream.aclose()


@pytest.mark.asyncio
@pytest.mark.usefixtures("quiet_after")
@pytest.mark.django_db(transaction=True)
async def test_one_person_cannot_hold_all_streams(rada, north, monkeypatch):
    monkeypatch.setattr(news, "MOST_STREAMS_A_PERSON", 2)
    streams = [(await open_stream(rada))[1] for _ in range(2)]
    for stream in streams:
        await anext(stream)
    client = AsyncClient()
    await client.aforce_login(rada)

    refused = await client.get(ADDRESS)

    assert (refused.status_code, refused["Retry-After"]) == (429, "30")
    for stream in streams:
        await stream.aclose()


@pytest.mark.asyncio
@pytest.mark.usefixtures("quiet_after")
@pytest.mark.django_db(transaction=True)
async def test_a_program_hears_by_its_token_until_it_is_revoked(rada, north, south, monkeypatch):
    monkeypatch.setattr(news, "RIGHTS_SECONDS", 0.2)
    await sync_to_async(rada.facilities.add)(south)
    wish = Wish(name="robot", scope="read", days=1, facility=north)
    token, word = await sync_to_async(make_token)(rada, wish)
    refused = await AsyncClient().get(ADDRESS, headers={"Authorization": "Bearer noctis_no"})
    assert (refused.status_code, refused["WWW-Authenticate"]) == (401, 'Bearer realm="Noctis"')
    answer: Any = await AsyncClient().get(ADDRESS, headers={"Authorization": f"Bearer {word}"})
    stream = aiter(answer)
    await anext(stream)

    await arrive(south)
    mine = await arrive(north)
    assert heard(await listen(stream, until=mine.encode())) == [mine]
    await sync_to_async(revoke_token)(rada, token)
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


@pytest.mark.django_db(transaction=True)
def test_rights_of_many_streams_cost_four_queries(
    rada, tess, fiona, north, django_assert_max_num_queries
):
    loop = asyncio.new_event_loop()
    people = [rada, tess, fiona]
    streams = [
        Stream(one.pk, f"key{number}", "", Rights.of(one), loop)
        for number, one in enumerate(people * 20)
    ]

    with django_assert_max_num_queries(4):
        renew_rights(streams)
    loop.close()


@pytest.mark.asyncio
async def test_a_reader_that_is_too_slow_starts_afresh():
    loop = asyncio.get_running_loop()
    stream = Stream(uuid.uuid4(), "", "", Rights(True, frozenset()), loop)

    stream.offer([News(n, "study_updated", None, None, "{}") for n in range(1500)])
    await asyncio.sleep(0)

    place, text = stream.waiting.get_nowait()
    assert (place, text) == (news.ALWAYS, news.RESET)
    assert stream.waiting.qsize() == 500
