"""Text to bytes in a Specific Character Set, code extensions included (PS3.5 6.1.2.5)."""

from __future__ import annotations

from collections.abc import Sequence

from imaging.charset_terms import ASCII, JIS_X_0201, SINGLE_BYTE, STANDALONE, declaration_of

# Which escape sequence puts a set into the upper half (G1), and into the lower (G0).
_INTO_G1 = {
    JIS_X_0201: b"\x1b)I", "euc_kr": b"\x1b$)C", "gb2312": b"\x1b$)A",
    "latin_1": b"\x1b-A", "iso8859_2": b"\x1b-B", "iso8859_3": b"\x1b-C", "iso8859_4": b"\x1b-D",
    "iso8859_7": b"\x1b-F", "iso8859_6": b"\x1b-G", "iso8859_8": b"\x1b-H", "iso8859_5": b"\x1b-L",
    "iso8859_9": b"\x1b-M", "tis_620": b"\x1b-T", "iso8859_15": b"\x1b-b",
}  # fmt: skip
_INTO_G0 = {"iso2022_jp": b"\x1b$B", "iso2022_jp_2": b"\x1b$(D"}
_PLAIN_AGAIN = {JIS_X_0201: b"\x1b(J"}
_ASCII_AGAIN = b"\x1b(B"


def encode_text(text: str, terms: Sequence[str], *, delimiters: str = "") -> bytes:
    r"""Return text in the character sets that `terms` (the values of (0008,0005)) name.

    `delimiters` are the letters that end a code extension: `\` between values, and `^` and `=`
    in names (PS3.5 6.1.2.5.3).

    Raises UnicodeEncodeError when the sets are unknown or do not hold the text.
    """
    if text.isascii():
        return text.encode("ascii")
    declared = declaration_of("\\".join(terms).encode("ascii", "replace"))
    if declared.flags - {"charset_misspelt"}:
        raise UnicodeEncodeError("ascii", text, 0, len(text), "character set is unknown")
    if declared.first in STANDALONE:
        return text.encode(declared.first)
    writer = _Extending(declared.first, declared.codecs if len(terms) > 1 else (declared.first,))
    for letter in text:
        if letter in delimiters:
            writer.end_part()
            writer.out += letter.encode("ascii")
        else:
            writer.add(letter)
    writer.end_part()
    return bytes(writer.out)


class _Extending:
    """Writes letter by letter, calling a set when the letter needs it."""

    def __init__(self, first: str, codecs: tuple[str, ...]) -> None:
        self.out = bytearray()
        self._codecs = codecs
        self._first = first if first in _INTO_G1 else ""
        self._upper = self._first
        self._lower = ""

    def end_part(self) -> None:
        """Go back to the beginning's sets."""
        self._leave_lower()
        self._upper = self._first

    def add(self, letter: str) -> None:
        if letter.isascii():
            self._leave_lower()
            self.out += letter.encode("ascii")
            return
        for codec in (self._upper, *self._codecs):
            code = _code_of(letter, codec)
            if code and self._write(codec, code):
                return
        raise UnicodeEncodeError(self._first or ASCII, letter, 0, 1, "no set holds the letter")

    def _write(self, codec: str, code: bytes) -> bool:
        if codec in _INTO_G0:
            if self._lower != codec:
                self.out += _INTO_G0[codec]
                self._lower = codec
        elif codec in _INTO_G1:
            if self._upper != codec:
                self.out += _INTO_G1[codec]
                self._upper = codec
        else:
            return False
        self.out += code
        return True

    def _leave_lower(self) -> None:
        if self._lower:
            self.out += _PLAIN_AGAIN.get(self._first, _ASCII_AGAIN)
            self._lower = ""


def _code_of(letter: str, codec: str) -> bytes:
    """Return the code of a letter beyond ASCII in one set, nothing when it is not there."""
    try:
        if codec == "iso2022_jp":
            code = letter.encode("iso2022_jp")
            return code[3:5] if code.startswith(b"\x1b$B") else b""
        if codec == "iso2022_jp_2":
            code = letter.encode("iso2022_jp_2")
            return code[4:6] if code.startswith(b"\x1b$(D") else b""
        if codec == JIS_X_0201:
            code = letter.encode("shift_jis")
            return code if len(code) == 1 else b""
        return letter.encode(codec) if codec in {*SINGLE_BYTE.values(), *_INTO_G1} else b""
    except UnicodeEncodeError:
        return b""
