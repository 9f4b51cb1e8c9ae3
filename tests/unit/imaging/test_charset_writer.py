"""Text in every character set, byte for byte as the examples of PS3.5 Annexes H, I, J and K."""

from __future__ import annotations

import pytest

from imaging.charset import decode_text
from imaging.charset_writer import encode_text

NAME = "\\^="


@pytest.mark.parametrize(
    ("text", "terms", "encoded"),
    [
        # PS3.5 H.3.1: Japanese, value 1 empty.
        (
            "Yamada^Tarou=山田^太郎=やまだ^たろう",
            ["", "ISO 2022 IR 87"],
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
        ),
        # H.3.2: half-width katakana in the upper half of value 1.
        (
            "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎",
            ["ISO 2022 IR 13", "ISO 2022 IR 87"],
            b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J",
        ),
        # I.2: Korean.
        (
            "Hong^Gildong=洪^吉洞=홍^길동",
            ["", "ISO 2022 IR 149"],
            bytes.fromhex("486f6e675e47696c646f6e673d 1b242943fbf35e 1b242943d1ced4d73d")
            + bytes.fromhex("1b242943c8ab5e 1b242943b1e6b5bf"),
        ),
        # J.1 and J.3: Chinese in UTF-8 and GB18030.
        (
            "Wang^XiaoDong=王^小东",
            ["ISO_IR 192"],
            b"Wang^XiaoDong=\xe7\x8e\x8b^\xe5\xb0\x8f\xe4\xb8\x9c",
        ),
        ("Wang^XiaoDong=王^小东", ["GB18030"], b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab"),
        # K.2: Chinese by code extension.
        (
            "Zhang^XiaoDong=张^小东",
            ["", "ISO 2022 IR 58"],
            b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab",
        ),
        ("Buc^Jérôme", ["ISO_IR 100"], b"Buc^J\xe9r\xf4me"),
        ("Люкceмбypг", ["ISO_IR 144"], b"\xbb\xee\xdace\xdc\xd1yp\xd3"),
    ],
)
def test_standard_examples_are_written_byte_for_byte(
    text: str, terms: list[str], encoded: bytes
) -> None:
    assert encode_text(text, terms, delimiters=NAME) == encoded
    assert decode_text(encoded, "\\".join(terms).encode(), person_name=True)[0] == text


@pytest.mark.parametrize(
    ("text", "terms"),
    [("Müller", []), ("Müller", ["ISO_IR 144"]), ("山田", ["ISO_IR 100"]), ("é", ["NO SUCH SET"])],
)
def test_text_that_the_set_does_not_hold_is_refused(text: str, terms: list[str]) -> None:
    with pytest.raises(UnicodeEncodeError):
        encode_text(text, terms)
