"""One line of the check-up."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Level(enum.StrEnum):
    """How bad it is: FAIL stops somebody's work now or soon, WARN may."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True)
class Finding:
    """What was looked at, how it is, and what to do about it."""

    level: Level
    subject: str
    words: str
    advice: str = ""


def ok(subject: str, words: str) -> Finding:
    """Return a finding that needs nobody."""
    return Finding(Level.OK, subject, words)


def warn(subject: str, words: str, advice: str) -> Finding:
    """Return a finding that somebody should look at."""
    return Finding(Level.WARN, subject, words, advice)


def fail(subject: str, words: str, advice: str) -> Finding:
    """Return a finding that somebody must look at now."""
    return Finding(Level.FAIL, subject, words, advice)
