"""Every error of the house has its status and its code in this room."""

from __future__ import annotations

from imaging import errors
from viewer.statuses import CODES, STATUSES, Refusal


def test_every_leaf_has_a_row_in_both_tables() -> None:
    ours = {leaf for leaf in errors.leaves() if leaf.__module__ == "imaging.errors"}
    assert set(STATUSES) == ours
    assert set(CODES) == ours


def test_transient_errors_ask_to_come_again() -> None:
    for leaf, status in STATUSES.items():
        assert (status >= 500) == issubclass(leaf, errors.TransientError), leaf


def test_a_refusal_carries_words_status_and_code() -> None:
    refusal = Refusal(errors.MissingError("The stored file is missing."))
    assert refusal.status_code == 404
    assert refusal.detail == "The stored file is missing."
    assert refusal.get_codes() == "missing"
