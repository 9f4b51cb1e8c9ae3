"""Specific Character Set: bytes to text (PS3.3 C.12.1.1.2, PS3.5 6.1).

Nothing here raises on bad input: every function says in flags where it had to be lenient
(`imaging.text_flags` has them in words). Code extensions are decoded here, since pydicom
leaves the escape sequences of ISO 2022 IR 58 in the text and says of an unknown one only in a
warning.
"""

import re
import unicodedata

from imaging.charset_terms import (
    ASCII,
    JIS_X_0201,
    SINGLE_BYTE,
    STANDALONE,
    UTF_8,
    Declaration,
    declaration_of,
    encoding_of_term,
)

__all__ = ["REPLACEMENT", "decode_text", "encoding_of_term"]

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
PN_DELIMITERS = frozenset("\\^=")
TEXT_DELIMITERS = frozenset("\\")

Flags = frozenset[str]
NO_FLAGS: Flags = frozenset()
REPLACED: Flags = frozenset({"text_replaced"})
WRONG: Flags = frozenset({"charset_wrong"})

# An escape sequence (or none, at the beginning) and what follows it.
_ESCAPED = re.compile(rb"(\x1b[\x20-\x2f]*[\x30-\x7e]?|^)([^\x1b]*)")
_LOWER = {b"\x1b(B": ASCII, b"\x1b(J": JIS_X_0201}
# Python's codecs of the two-byte Japanese sets want their escape sequence.
_TWO_BYTE = {b"\x1b$B": "iso2022_jp", b"\x1b$@": "iso2022_jp", b"\x1b$(D": "iso2022_jp_2"}
_UPPER = {
    b"\x1b)I": JIS_X_0201,
    b"\x1b$)C": "euc_kr",
    b"\x1b$)A": "gb2312",
    b"\x1b-A": "latin_1",
    b"\x1b-B": "iso8859_2",
    b"\x1b-C": "iso8859_3",
    b"\x1b-D": "iso8859_4",
    b"\x1b-F": "iso8859_7",
    b"\x1b-G": "iso8859_6",
    b"\x1b-H": "iso8859_8",
    b"\x1b-L": "iso8859_5",
    b"\x1b-M": "iso8859_9",
    b"\x1b-T": "tis_620",
    b"\x1b-b": "iso8859_15",
}
# What a writer uses beyond the set that it declares.
_WIDER = {"euc_kr": "cp949", "gb2312": "gb18030", "gbk": "gb18030"}
_C1 = re.compile("[\x80-\x9f]")
_ONE_BYTE = frozenset(SINGLE_BYTE.values())
# Below 0xC0 these sets have signs only, so a capital with a sign behind it is no word.
_SIGNS_BELOW_C0 = frozenset({"latin_1", "iso8859_9"})
# Text in which G0 holds a two-byte set: pairs, bytes of the upper half, everything else.
_PAIRED = re.compile(rb"([\x21-\x7e]+)|([\x80-\xff]+)|([\x00-\x20\x7f]+)")
_ENDS_LINE = frozenset(range(0x20)) - {0x1B}


def decode_text(
    raw: bytes,
    specific_character_set: bytes = b"",
    *,
    person_name: bool = False,
    single_value: bool = False,
) -> tuple[str, Flags]:
    """Decode text of a VR that Specific Character Set governs (SH LO ST LT UC UT PN).

    Parameters
    ----------
    raw
        The value as stored, backslashes included.
    specific_character_set
        Raw value of (0008,0005) that governs it; empty when absent.
    person_name
        Whether `^` and `=` end a code extension, too (PS3.5 6.1.2.5.3).
    single_value
        Whether a backslash is text (ST, LT, UT), so that ISO_IR 13 has a yen sign there.

    Returns
    -------
    tuple of str and frozenset
        The text and why it may be doubted; no flag when it was decoded as declared. Bytes
        without a meaning are U+FFFD.
    """
    declared = declaration_of(specific_character_set)
    if raw.isascii() and b"\x1b" not in raw:
        text = raw.decode("ascii")
        return (_romaji(text, single_value) if declared.first == JIS_X_0201 else text), NO_FLAGS
    if b"\x1b" in raw and declared.first not in STANDALONE:
        delimiters = TEXT_DELIMITERS if not person_name else PN_DELIMITERS
        if single_value:
            delimiters = frozenset()
        text, flags = _Extended(declared, delimiters).decode(raw)
        return text, flags | declared.flags
    text, flags = _decode_whole(raw, declared)
    if declared.first == JIS_X_0201 and not flags:
        text = _romaji(text, single_value)
    return text, flags | declared.flags


def _decode_whole(raw: bytes, declared: Declaration) -> tuple[str, Flags]:
    """Decode text without escape sequences."""
    codec = declared.first
    if codec == ASCII:
        return _decode_undeclared(raw, declared)
    if codec == UTF_8:
        return _decode_utf8(raw)
    if codec in _ONE_BYTE:
        return _decode_single_byte(raw, codec)
    return _decode_multi_byte(raw, codec)


def _decode_undeclared(raw: bytes, declared: Declaration) -> tuple[str, Flags]:
    """Decode 8-bit bytes although value 1 is the default repertoire; never as declared."""
    for codec in declared.codecs[1:]:
        # The writer declared the set and left the escape sequences, or value 1, away.
        text = _strict(raw, codec)
        if text is not None and codec != ASCII:
            return text, frozenset({"charset_undeclared"})
    text = _strict(raw, UTF_8)
    if len(declared.codecs) > 1:
        return (text, WRONG) if text is not None else _replace(raw, ASCII)
    missing = frozenset({"charset_missing"})
    if text is not None:
        return text, missing
    text, flags = _replace(raw, "latin_1")
    return text, flags & REPLACED | missing


def _decode_utf8(raw: bytes) -> tuple[str, Flags]:
    text = _strict(raw, UTF_8)
    if text is None:
        return _replace(raw, UTF_8)
    return text, (frozenset({"charset_suspect"}) if _is_encoded_twice(text) else NO_FLAGS)


def _is_encoded_twice(text: str) -> bool:
    """Whether the text's characters are themselves the bytes of UTF-8 text."""
    for codec in ("latin_1", "cp1252"):
        try:
            return not text.encode(codec).decode(UTF_8).isascii()
        except UnicodeError:
            continue
    return False


def _decode_single_byte(raw: bytes, codec: str) -> tuple[str, Flags]:
    """Decode a single-byte set, unless the bytes are plainly UTF-8.

    Plainly: they are whole UTF-8 and as declared they would be undefined, hold controls of C1
    (which no text does), or, in sets whose lower part has signs alone, be accented capitals
    with signs behind them. What could be either is shown as declared and flagged.
    """
    text, unicode_text = _strict(raw, codec), _strict(raw, UTF_8)
    if text is None and codec == JIS_X_0201 and unicode_text is None:
        japanese = _strict(raw, "cp932")
        return (japanese, WRONG) if japanese is not None else _replace(raw, codec)
    if text is None:
        return (unicode_text, WRONG) if unicode_text is not None else _replace(raw, codec)
    if unicode_text is None:
        return text, NO_FLAGS
    foreign = [letter for letter in unicode_text if not letter.isascii()]
    is_latin = all("\xa0" <= letter <= "\u017f" for letter in foreign)
    is_long = len(foreign) > 1 or foreign[0] > "\u07ff"
    if codec in _SIGNS_BELOW_C0 and (is_latin or is_long):
        return unicode_text, WRONG
    if is_latin and all(unicodedata.category(letter)[0] == "L" for letter in foreign):
        return text, frozenset({"charset_suspect"})
    return text, NO_FLAGS


def _decode_multi_byte(raw: bytes, codec: str) -> tuple[str, Flags]:
    """Decode a two-byte set that needs no escape, a wider form of it, or plain UTF-8."""
    text, unicode_text = _strict(raw, codec), _strict(raw, UTF_8)
    if text is not None:
        ideographs = sum("\u2e80" <= letter <= "\ud7ff" for letter in unicode_text or "")
        return text, (frozenset({"charset_suspect"}) if ideographs > 1 else NO_FLAGS)
    wider = _strict(raw, _WIDER[codec]) if codec in _WIDER else None
    if unicode_text is not None or wider is not None:
        return unicode_text if unicode_text is not None else wider or "", WRONG
    return _replace(raw, codec)


def _strict(raw: bytes, codec: str) -> str | None:
    """Return the text, or None when the codec does not know every byte."""
    if codec == JIS_X_0201:
        # Half-width katakana are one byte in Shift JIS; its two-byte characters are no part.
        if any(byte >= 0x80 and not 0xA1 <= byte <= 0xDF for byte in raw):
            return None
        codec = "cp932"
    try:
        text = raw.decode(codec)
    except UnicodeDecodeError:
        return None
    return None if codec in _ONE_BYTE and _C1.search(text) else text


def _replace(raw: bytes, codec: str) -> tuple[str, Flags]:
    """Return the text with U+FFFD for every byte without a meaning."""
    if codec == JIS_X_0201:
        text = "".join(_strict(bytes([byte]), codec) or REPLACEMENT for byte in raw)
    else:
        text = raw.decode(codec, "replace")
        if codec in _ONE_BYTE:
            text = _C1.sub(REPLACEMENT, text)
    return text, REPLACED if REPLACEMENT in text else NO_FLAGS


def _romaji(text: str, single_value: bool) -> str:
    """Return ASCII as ISO-IR 14 has it: overline, and yen where a backslash ends no value."""
    text = text.replace("~", "\u203e")
    return text.replace("\\", "\xa5") if single_value else text


class _Extended:
    """Decodes text with code extensions (PS3.5 6.1.2.5): escapes switch the halves of a code.

    The lower half holds ASCII, romaji or a two-byte Japanese set, the upper half one of the
    others. Delimiters, and everything that ends a line or page, bring back the first declared
    set. A known set that is not declared is decoded and flagged; an unknown escape is U+FFFD.
    """

    def __init__(self, declared: Declaration, delimiters: frozenset[str]) -> None:
        self.declared = declared
        self.ends = frozenset(map(ord, delimiters)) | _ENDS_LINE
        self.flags: set[str] = set()
        self.pieces: list[str] = []
        self.lower = self.upper = ""
        self.reset()

    def reset(self) -> None:
        """Bring back the first declared set."""
        first = self.declared.first
        self.lower = JIS_X_0201 if first == JIS_X_0201 else ASCII
        self.upper = first

    def decode(self, raw: bytes) -> tuple[str, Flags]:
        """Return the text and its flags."""
        for escape, part in _ESCAPED.findall(raw):
            self.switch(escape)
            is_paired = self.lower in _TWO_BYTE.values()
            self.read(self.read_pairs(part) if is_paired else part)
        return "".join(self.pieces), frozenset(self.flags)

    def switch(self, escape: bytes) -> None:
        """Obey one escape sequence; an empty one changes nothing."""
        if escape in _TWO_BYTE:
            self.lower = _TWO_BYTE[escape]
            self.check(self.lower)
        elif escape in _UPPER:
            self.upper = _UPPER[escape]
            self.check(self.upper)
        elif escape in _LOWER:
            self.lower = _LOWER[escape]
        elif escape:
            self.add(REPLACEMENT, REPLACED)

    def check(self, codec: str) -> None:
        """Flag a set that is used without being declared."""
        if codec not in self.declared.codecs:
            self.flags.add("charset_undeclared")

    def add(self, text: str, flags: Flags = NO_FLAGS) -> None:
        """Append text."""
        self.pieces.append(text)
        self.flags |= flags

    def read_pairs(self, part: bytes) -> bytes:
        """Read two-byte characters up to the end of a line; return what follows it."""
        escape = b"\x1b$(D" if self.lower == "iso2022_jp_2" else b"\x1b$B"
        for match in _PAIRED.finditer(part):
            pairs, upper, other = match.groups()
            if pairs:
                text = _strict(escape + pairs, self.lower)
                if text is not None:
                    self.add(text)
                else:
                    self.add(*_read_vendor_pairs(pairs, escape, self.lower))
            elif upper:
                self.add(*_decode_half(upper, self.upper))
            elif any(byte in _ENDS_LINE for byte in other):
                self.reset()
                return part[match.start() :]
            else:
                self.add(other.decode("ascii"))
        return b""

    def read(self, part: bytes) -> None:
        """Read text in which the lower half holds single bytes."""
        start = 0
        for at, byte in enumerate(part):
            if byte in self.ends:
                self.read_run(part[start:at])
                self.reset()
                start = at
        self.read_run(part[start:])

    def read_run(self, run: bytes) -> None:
        if not run:
            return
        text, flags = _decode_half(run, self.upper)
        # The delimiter at the beginning stays one.
        if self.lower == JIS_X_0201:
            text = text[:1] + _romaji(text[1:], single_value=True)
        self.add(text, flags)


def _decode_half(raw: bytes, codec: str) -> tuple[str, Flags]:
    text = _strict(raw, codec)
    return (text, NO_FLAGS) if text is not None else _replace(raw, codec)


def _read_vendor_pairs(pairs: bytes, escape: bytes, codec: str) -> tuple[str, Flags]:
    """Read pairs beyond JIS X 0208 as Windows does (NEC and IBM rows), or replace them."""
    if codec == "iso2022_jp" and len(pairs) % 2 == 0:
        shifted = bytearray()
        for row, cell in zip(pairs[::2], pairs[1::2], strict=True):
            lead = (row + 1) // 2 + (0x70 if row < 0x5F else 0xB0)
            trail = cell + (0x7E if row % 2 == 0 else 0x1F if cell < 0x60 else 0x20)
            shifted += bytes((lead, trail))
        text = _strict(bytes(shifted), "cp932")
        if text is not None:
            return text, WRONG
    return _replace(escape + pairs, codec)
