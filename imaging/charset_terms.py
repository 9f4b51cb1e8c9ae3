"""The terms of Specific Character Set and what they stand for (PS3.3 C.12.1.1.2, C.12-2 to 12-5).

Codecs are Python's; `JIS_X_0201` and the default repertoire are read by `imaging.charset`.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

ASCII = "ascii"
JIS_X_0201 = "jis_x_0201"
UTF_8 = "utf_8"

# Single-byte sets: the upper half of a code, ASCII in the lower.
SINGLE_BYTE = {
    13: JIS_X_0201,
    100: "latin_1",
    101: "iso8859_2",
    109: "iso8859_3",
    110: "iso8859_4",
    126: "iso8859_7",
    127: "iso8859_6",
    138: "iso8859_8",
    144: "iso8859_5",
    148: "iso8859_9",
    166: "tis_620",
    203: "iso8859_15",
}
# Sets of two bytes a character, which an escape sequence calls.
TWO_BYTE = {58: "gb2312", 87: "iso2022_jp", 149: "euc_kr", 159: "iso2022_jp_2"}
# Character sets that allow no code extensions: a backslash byte may be half of a character.
STANDALONE = frozenset({UTF_8, "gb18030", "gbk"})

_BY_NUMBER = {6: ASCII, 192: UTF_8, **SINGLE_BYTE, **TWO_BYTE}
_RIGHT = frozenset(
    {"", "ISO_IR 6", "ISO_IR 192", "GB18030", "GBK"}
    | {f"ISO_IR {number}" for number in SINGLE_BYTE}
    | {f"ISO 2022 IR {number}" for number in (6, *SINGLE_BYTE, *TWO_BYTE)}
)
# Names that archives hold and the standard does not; each means one set only.
_ALIASES = {
    "UTF-8": UTF_8, "UTF8": UTF_8, "UNICODE": UTF_8, "ISO 10646": UTF_8,
    "GB 18030": "gb18030", "ISO 2022 GBK": "gbk", "CP936": "gbk",
    "ISO 2022 GB18030": "gb18030", "ISO 2022 58": "gb2312", "GB2312": "gb2312",
    "EUC-KR": "euc_kr", "KS_C_5601": "euc_kr", "LATIN1": "latin_1", "LATIN-1": "latin_1",
    "ASCII": ASCII, "US-ASCII": ASCII, "SHIFT_JIS": "cp932", "SJIS": "cp932",
    "KOI8-R": "koi8_r",
    **{f"WINDOWS-{page}": f"cp{page}" for page in range(1250, 1259)},
    **{f"CP{page}": f"cp{page}" for page in range(1250, 1259)},
}  # fmt: skip
_IR = re.compile(r"^ISO[ _-]*(?:2022[ _-]*)?(?:IR[ _-]*)?(\d{1,3})$")
_ISO_8859 = re.compile(r"^ISO[ _-]*8859[ _-](\d{1,2})$")


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a Specific Character Set declares.

    Attributes
    ----------
    first
        Codec of value 1, in force at the beginning and after every delimiter.
    codecs
        The codecs of all values that are understood.
    flags
        `charset_unknown`, `charset_misspelt`, `charset_misused`.
    """

    first: str
    codecs: tuple[str, ...]
    flags: frozenset[str]


def encoding_of_term(term: str) -> str | None:
    """Return the codec for one term, or None if unknown.

    Misspellings seen in archives ("ISO-IR 100", "ISO_IR100", "ISO 2022 IR_6") and names of
    other standards that mean one set ("ISO-8859-2", "WINDOWS-1251") are understood.
    """
    term = term.strip(" \0").upper()
    if not term:
        return ASCII
    match = _IR.match(term)
    if match and int(match[1]) in _BY_NUMBER:
        return _BY_NUMBER[int(match[1])]
    match = _ISO_8859.match(term)
    if match and int(match[1]) in {*range(1, 12), *range(13, 17)}:
        return "latin_1" if match[1] == "1" else f"iso8859_{int(match[1])}"
    if term in {"GB18030", "GBK"}:
        return term.lower()
    return _ALIASES.get(term)


@lru_cache(maxsize=256)
def declaration_of(specific_character_set: bytes) -> Declaration:
    """Return what a raw Specific Character Set declares; empty is the default repertoire."""
    terms = [
        term.strip(" \0") for term in specific_character_set.decode("latin-1").split("\\")[:16]
    ]
    codecs: list[str] = []
    flags: set[str] = set()
    for position, term in enumerate(terms):
        codec = encoding_of_term(term)
        if codec is None:
            flags.add("charset_unknown")
            codec = ASCII if position == 0 else None
        elif term.upper() not in _RIGHT:
            flags.add("charset_misspelt")
        if codec is not None:
            codecs.append(codec)
    is_mixed = len(terms) > 1 and not STANDALONE.isdisjoint(codecs)
    if is_mixed or codecs[0] in TWO_BYTE.values():
        # These stand alone, and two-byte sets are never value 1 (C.12.1.1.2).
        flags.add("charset_misused")
    return Declaration(codecs[0], tuple(codecs), frozenset(flags))


def right_terms() -> frozenset[str]:
    """Return the terms that the standard defines, the empty one among them."""
    return _RIGHT
