"""Guessing gets slow; nobody is shut out."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from accounts import throttle
from accounts.models import LoginDelay

HOME = "192.0.2.10"
ELSEWHERE = "198.51.100.7"

pytestmark = pytest.mark.django_db


class Clock:
    """A clock that a test can move."""

    def __init__(self) -> None:
        self.now = datetime(2024, 3, 5, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    one = Clock()
    monkeypatch.setattr(timezone, "now", one)
    return one


def fail(name: str, address: str, times: int) -> int:
    """Try wrongly so often, waiting for no delay; return the last answer."""
    wait = 0
    for _ in range(times):
        wait = throttle.begin_attempt(name, address)
    return wait


def test_first_failures_cost_nothing(clock: Clock) -> None:
    assert fail("rada", HOME, 4) == 0
    assert throttle.read_wait("rada", HOME) == 0


def test_delay_doubles_with_every_further_failure(clock: Clock) -> None:
    fail("rada", HOME, 5)
    waits = []
    for _ in range(5):
        waits.append(throttle.read_wait("rada", HOME))
        clock.wait(waits[-1])
        assert throttle.begin_attempt("rada", HOME) == 0
    assert waits == [1, 2, 4, 8, 16]


def test_delay_ends_at_its_cap(clock: Clock) -> None:
    for _ in range(40):
        clock.wait(throttle.read_wait("rada", HOME))
        assert throttle.begin_attempt("rada", HOME) == 0
    assert throttle.read_wait("rada", HOME) == 15 * 60


def test_trying_during_a_delay_does_not_lengthen_it(clock: Clock) -> None:
    fail("rada", HOME, 6)
    before = throttle.read_wait("rada", HOME)
    fail("rada", HOME, 100)

    assert throttle.read_wait("rada", HOME) == before


def test_attack_from_elsewhere_does_not_delay_who_logged_in_here_before(clock: Clock) -> None:
    throttle.begin_attempt("admin", HOME)
    throttle.end_attempt("admin", HOME)
    for number in range(300):
        throttle.begin_attempt("admin", f"198.51.{number % 250}.{number // 250}")

    assert throttle.read_wait("admin", HOME) == 0


def test_attack_from_many_addresses_delays_a_new_address_by_half_a_minute_at_most(
    clock: Clock,
) -> None:
    for number in range(300):
        clock.wait(31)
        assert throttle.begin_attempt("admin", f"198.51.{number % 250}.{number // 250}") == 0

    assert throttle.read_wait("admin", HOME) == 30


def test_one_address_that_tries_many_names_is_delayed_for_all(clock: Clock) -> None:
    for number in range(51):
        throttle.begin_attempt(f"name{number}", ELSEWHERE)

    assert throttle.read_wait("rada", ELSEWHERE) > 0
    assert throttle.read_wait("rada", HOME) == 0


def test_one_machines_ipv6_addresses_count_as_one(clock: Clock) -> None:
    for number in range(6):
        throttle.begin_attempt("rada", f"2001:db8:1:2::{number}")

    assert throttle.read_wait("rada", "2001:db8:1:2:ffff::1") > 0
    assert throttle.read_wait("rada", "2001:db8:1:3::1") == 0


def test_success_takes_the_delay_back(clock: Clock) -> None:
    fail("rada", HOME, 5)
    clock.wait(1)
    assert throttle.begin_attempt("rada", HOME) == 0
    throttle.end_attempt("rada", HOME)

    assert fail("rada", HOME, 4) == 0


def test_own_success_does_not_hide_an_attack_on_others(clock: Clock) -> None:
    for number in range(60):
        clock.wait(throttle.read_wait(f"name{number}", ELSEWHERE))
        throttle.begin_attempt(f"name{number}", ELSEWHERE)
    clock.wait(throttle.read_wait("mallory", ELSEWHERE))
    assert throttle.begin_attempt("mallory", ELSEWHERE) == 0
    throttle.end_attempt("mallory", ELSEWHERE)

    assert throttle.read_wait("rada", ELSEWHERE) > 0


def test_failures_are_forgotten_after_a_day(clock: Clock) -> None:
    fail("rada", HOME, 5)
    clock.wait(25 * 3600)
    throttle.begin_attempt("rada", HOME)

    assert throttle.read_wait("rada", HOME) == 0


def test_old_rows_are_deleted_but_known_addresses_stay(clock: Clock) -> None:
    fail("rada", HOME, 3)
    throttle.begin_attempt("tess", HOME)
    throttle.end_attempt("tess", HOME)
    clock.wait(2 * 24 * 3600)

    assert throttle.forget_old() > 0
    assert LoginDelay.objects.filter(succeeded_at__isnull=False).count() == 1
    clock.wait(31 * 24 * 3600)
    throttle.forget_old()
    assert not LoginDelay.objects.exists()


def test_neither_name_nor_address_is_kept_in_clear(clock: Clock) -> None:
    throttle.begin_attempt("rada", HOME)

    kept = " ".join(LoginDelay.objects.values_list("key", flat=True))
    assert "rada" not in kept
    assert HOME not in kept


@pytest.mark.django_db(transaction=True)
def test_guesses_in_parallel_are_all_counted(clock: Clock) -> None:
    answers: list[int] = []

    def guess() -> None:
        answers.append(throttle.begin_attempt("rada", HOME))
        connection.close()

    threads = [threading.Thread(target=guess) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers.count(0) == 5
