"""Promises to keep instances, for rooms that have no way of their own to check files.

The room of DIMSE keeps and checks them; it says here, when the house starts, how to ask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from django.utils.module_loading import import_string

from accounts.models import User


@dataclass(frozen=True)
class Promise:
    """What became of one transaction: SOP class and SOP instance of each, reasons by their place.

    While `is_done` is false the check is under way.
    """

    references: list[list[str]]
    failures: dict[str, int]
    is_done: bool


class Promiser(Protocol):
    """Takes down what is to be kept, and tells what became of it."""

    def ask(
        self, user: User, transaction_uid: str, references: Sequence[Sequence[str]], address: str
    ) -> Promise:
        """Begin a transaction; ConflictError when its UID is in use."""

    def read(self, user: User, transaction_uid: str) -> Promise:
        """Return the person's own transaction; MissingError when there is none."""


_promisers: list[str] = []


def register_promiser(promiser: str) -> None:
    """Say who keeps promises, as a dotted path: it is imported when somebody asks."""
    _promisers[:] = [promiser]


def promiser() -> Promiser:
    """Return who keeps promises."""
    made: Promiser = import_string(_promisers[0])()
    return made
