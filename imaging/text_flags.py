"""The flags of text: what they mean, in words, and how much they matter."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Level = Literal["damaged", "doubtful", "note"]
_ORDER: tuple[Level, ...] = ("damaged", "doubtful", "note")


@dataclass(frozen=True, slots=True)
class TextFlag:
    """One flag: `damaged` text is lost, `doubtful` may read wrongly, a `note` reads rightly."""

    level: Level
    reason: str


TEXT_FLAGS = {
    "text_replaced": TextFlag("damaged", "Bytes that mean nothing in the declared character set."),
    "text_controls": TextFlag("doubtful", "Control or reordering characters were left out."),
    "text_cut": TextFlag("doubtful", "Text is longer than the standard allows and was cut."),
    "charset_missing": TextFlag("doubtful", "Text beyond ASCII without a declared character set."),
    "charset_wrong": TextFlag("doubtful", "Text is in another character set than declared."),
    "charset_suspect": TextFlag("doubtful", "Text may be in another character set than declared."),
    "charset_undeclared": TextFlag(
        "doubtful", "A character set is used without its declaration or its escape sequence."
    ),
    "charset_unknown": TextFlag("doubtful", "The declared character set is unknown."),
    "charset_misused": TextFlag("note", "Character sets are declared that may not stand so."),
    "charset_misspelt": TextFlag("note", "The name of the character set is misspelt."),
    # Kept by instances that were stored before the reasons were told apart.
    "bad_charset": TextFlag("doubtful", "Text was not in the declared character set."),
}


def find_text_flags(flags: Iterable[str]) -> list[str]:
    """Return those of an instance's or a study's flags that concern text, worst first."""
    known = [flag for flag in set(flags) if flag in TEXT_FLAGS]
    return sorted(known, key=lambda flag: (_ORDER.index(TEXT_FLAGS[flag].level), flag))


def text_level(flags: Iterable[str]) -> Level | None:
    """Return the worst level among the flags; None when none concerns text."""
    known = find_text_flags(flags)
    return TEXT_FLAGS[known[0]].level if known else None
