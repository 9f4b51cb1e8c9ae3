"""Specific Character Set: bytes to text (PS3.3 C.12.1.1.2, PS3.5 6.1).

Nothing here raises on bad input: every function says whether it had to be lenient. The terms
and their codecs are pydicom's; code extensions are decoded here, since pydicom leaves the
escape sequences of ISO 2022 IR 58 in the text and says of an unknown one only in a warning.
"""

import re
from functools import lru_cache

from pydicom.charset import python_encoding

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

# Character sets that allow no code extensions: a backslash byte may be half of a character.
STANDALONE = frozenset({"utf8", "GB18030", "GBK"})
PN_DELIMITERS = frozenset(b"\\^=")
TEXT_DELIMITERS = frozenset(b"\\\r\n\t\f")

_TERM = re.compile(r"^ISO[ _-]*(?:(2022)[ _-]*)?(?:IR[ _-]*)?(\d+)$")
# An escape sequence (or none, at the beginning) and what follows it.
_ESCAPED = re.compile(rb"(\x1b[\x20-\x2f]*[\x30-\x7e]?|^)([^\x1b]*)")
_LOWER = frozenset({b"\x1b(B", b"\x1b(J"})
# Python's codecs of the two-byte Japanese sets want their escape sequence.
_TWO_BYTE = {b"\x1b$B": "iso2022_jp", b"\x1b$@": "iso2022_jp", b"\x1b$(D": "iso2022_jp_2"}
_UPPER = {
    b"\x1b)I": "shift_jis",
    b"\x1b$)C": "euc_kr",
    b"\x1b$)A": "iso_ir_58",
    b"\x1b-A": "latin_1",
    b"\x1b-B": "iso8859_2",
    b"\x1b-C": "iso8859_3",
    b"\x1b-D": "iso8859_4",
    b"\x1b-F": "iso_ir_126",
    b"\x1b-G": "iso_ir_127",
    b"\x1b-H": "iso_ir_138",
    b"\x1b-L": "iso_ir_144",
    b"\x1b-M": "iso_ir_148",
    b"\x1b-T": "iso_ir_166",
    b"\x1b-b": "iso8859_15",
}


def encoding_of_term(term: str) -> str | None:
    """Return the Python codec for one defined term of PS3.3 C.12.1.1.2, or None if unknown.

    Misspellings seen in archives ("ISO-IR 100", "ISO_IR100", "ISO 2022 IR_6") are understood.
    """
    term = term.strip(" \0").upper()
    found = python_encoding.get(term)
    if found is not None:
        return found
    match = _TERM.match(term)
    if match:
        prefix = "ISO 2022 IR " if match[1] else "ISO_IR "
        return python_encoding.get(prefix + match[2])
    if term in {"UTF-8", "UTF8"}:
        return "utf8"
    return None


@lru_cache(maxsize=256)
def encodings_of(specific_character_set: bytes) -> tuple[tuple[str, ...], bool]:
    """Return the Python codecs for a raw Specific Character Set, and whether all were known.

    An empty tuple means that the default repertoire (ISO_IR 6) alone is declared.
    """
    terms = specific_character_set.decode("ascii", "replace").split("\\")
    known = True
    codecs: list[str] = []
    for position, term in enumerate(terms):
        codec = encoding_of_term(term) if term.strip(" \0") else "iso8859"
        if codec is None:
            known = False
            continue
        if position and codec in STANDALONE:
            # Multi-valued sets must not hold these (C.12.1.1.2); the first term decides.
            known = False
            continue
        codecs.append(codec)
    default = all(term.strip(" \0").upper() in {"", "ISO_IR 6", "ISO 2022 IR 6"} for term in terms)
    return (() if default else tuple(codecs)), known


def decode_text(
    raw: bytes, specific_character_set: bytes = b"", *, person_name: bool = False
) -> tuple[str, bool]:
    """Decode text of a VR that Specific Character Set governs (SH LO ST LT UC UT PN).

    Parameters
    ----------
    raw
        The value as stored, backslashes included.
    specific_character_set
        Raw value of (0008,0005) that governs it; empty when absent.
    person_name
        Whether `^` and `=` end a code extension, too (PS3.5 6.1.2.5.3).

    Returns
    -------
    tuple of str and bool
        The text, and whether it was decoded as declared. False when a byte was replaced by
        U+FFFD, when the declared set is unknown, or when 8-bit bytes came without a set (then
        UTF-8 is tried first and ISO 8859-1 otherwise).
    """
    if raw.isascii() and b"\x1b" not in raw:
        # Plain ASCII reads the same in every set, save for yen and overline in ISO_IR 13.
        return raw.decode("ascii"), True
    codecs, known = encodings_of(specific_character_set)
    if b"\x1b" in raw and not (codecs and codecs[0] in STANDALONE):
        text, conforming = _decode_extended(
            raw, codecs, PN_DELIMITERS if person_name else TEXT_DELIMITERS
        )
        return text, conforming and known
    if not codecs:
        return _decode_undeclared(raw)
    text, conforming = _decode_plain(raw, codecs[0])
    return text, conforming and known


def _decode_plain(raw: bytes, codec: str) -> tuple[str, bool]:
    try:
        return raw.decode(codec), True
    except UnicodeDecodeError:
        return raw.decode(codec, "replace"), False


def _decode_undeclared(raw: bytes) -> tuple[str, bool]:
    """Decode 8-bit bytes for which no character set is declared; never as declared."""
    try:
        return raw.decode("utf-8"), False
    except UnicodeDecodeError:
        return raw.decode("latin-1"), False


def _decode_extended(
    raw: bytes, codecs: tuple[str, ...], delimiters: frozenset[int]
) -> tuple[str, bool]:
    """Decode text with code extensions (PS3.5 6.1.2.5): escapes switch the two halves of a code.

    The lower half holds ASCII or a two-byte Japanese set, the upper half one of the others. A
    delimiter brings back the first declared set. A known set that is not declared is
    decoded and flagged; an unknown escape is shown as U+FFFD.
    """
    first = codecs[0] if codecs else "ascii"
    lower, upper = b"", first
    pieces: list[str] = []
    conforming = True
    for escape, part in _ESCAPED.findall(raw):
        if escape in _TWO_BYTE:
            lower = escape
            conforming &= _TWO_BYTE[escape] in codecs
        elif escape in _UPPER:
            upper = _UPPER[escape]
            conforming &= upper in codecs
        elif escape in _LOWER:
            lower = b""
        elif escape:
            pieces.append(REPLACEMENT)
            conforming = False
        if lower:
            text, well = _decode_plain(lower + part, _TWO_BYTE[lower])
            pieces.append(text)
            conforming &= well
            continue
        reset = next((at for at, byte in enumerate(part) if byte in delimiters), len(part))
        for piece, codec in ((part[:reset], upper), (part[reset:], first)):
            text, well = _decode_plain(piece, codec)
            pieces.append(text)
            conforming &= well
        if reset < len(part):
            upper = first
    return "".join(pieces), conforming
