"""Bodies of many parts: Python's own e-mail parser and writer are the other side (RFC 2046)."""

from __future__ import annotations

import io
from collections.abc import Callable
from email import policy
from email.parser import BytesParser

import pytest

from dicomweb.multipart import (
    CHUNK_BYTES,
    Limits,
    OutPart,
    PartReader,
    length_of_parts,
    new_boundary,
    parse_body_type,
    related,
    write_parts,
)
from imaging.errors import LimitExceededError, UnreadableError

B = "gap"


class _Dripping(io.RawIOBase):
    """A body that comes in pieces of a few bytes, as from a slow client."""

    def __init__(self, body: bytes, count: int) -> None:
        super().__init__()
        self._file, self._count = io.BytesIO(body), count

    def read(self, size: int | None = -1, /) -> bytes:
        return self._file.read(min(self._count, size or 0))


def _read_all(body: bytes, *, drip: int = CHUNK_BYTES, size: int = 1000) -> list[tuple[str, bytes]]:
    found = []
    for part in PartReader(_Dripping(body, drip), B):  # type: ignore[arg-type]
        content = b""
        while piece := part.read(size):
            content += piece
        found.append((part.kind, content))
    return found


def test_what_is_written_is_what_a_mail_program_reads() -> None:
    contents = [b"", b"\r\n--", b"\0\r\n--x\r\n\r\n" * 50, bytes(range(256)) * 3000]
    boundary = new_boundary()
    parts = [
        OutPart('application/dicom; transfer-syntax="1.2"', [one[:7], one[7:]], "/at", len(one))
        for one in contents
    ]
    body = b"".join(write_parts(parts, boundary))
    assert len(body) == length_of_parts(parts, boundary)
    assert length_of_parts([OutPart("a/b", [])], boundary) is None

    head = f"Content-Type: {related('application/dicom', boundary)}\r\n\r\n".encode()
    message = BytesParser(policy=policy.HTTP).parsebytes(head + body)
    assert message.get_content_type() == "multipart/related"
    assert message["Content-Type"].params["type"] == "application/dicom"
    assert [part.get_payload(decode=True) for part in message.iter_parts()] == contents
    assert {part["Content-Location"] for part in message.iter_parts()} == {"/at"}


@pytest.mark.parametrize("drip", [1, 3, 7, CHUNK_BYTES])
def test_parts_are_read_however_the_body_is_cut(drip: int) -> None:
    contents = [b"one", b"", b"\r\n--ga\r\n--gaq\r\r\n", b"x" * 500]
    body = b"a preamble\r\n"
    for one in contents:
        body += b"--gap \t\r\nContent-Type: Image/JPEG;\r\n q=1\r\nX: 1\r\n\r\n" + one + b"\r\n"
    body += b"--gap--\r\nand an epilogue"
    for size in (1, 5, 1000):
        assert _read_all(body, drip=drip, size=size) == [("image/jpeg", one) for one in contents]


def test_a_part_that_is_not_read_is_passed_over_and_then_empty() -> None:
    body = b"--gap\r\n\r\nfirst\r\n--gap\r\nContent-Location: here\r\n\r\nsecond\r\n--gap--"
    kept = list(PartReader(io.BytesIO(body), B))
    assert [part.location for part in kept] == ["", "here"]
    assert [part.read(10) for part in kept] == [b"", b""]
    with pytest.raises(ValueError, match="pieces"):
        kept[0].read()


def test_large_parts_pass_in_pieces_of_a_chunk() -> None:
    asked: list[int] = []

    class Endless(io.RawIOBase):
        def read(self, size: int | None = -1, /) -> bytes:
            asked.append(size or 0)
            return b"--gap\r\n\r\n" if len(asked) == 1 else bytes(size or 0)

    part = next(iter(PartReader(Endless(), B)))  # type: ignore[arg-type]
    lengths = [len(part.read(1 << 30)) for _ in range(40)]
    assert max(lengths) <= CHUNK_BYTES + len(B) + 4
    assert sum(lengths) > 30 * CHUNK_BYTES
    assert max(asked) == CHUNK_BYTES


def _many(count: int) -> bytes:
    return b"--gap\r\n\r\nx\r\n" * count + b"--gap--"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", UnreadableError),
        (b"no boundary at all", UnreadableError),
        (b"x" * 200_000 + b"\r\n--gap--", UnreadableError),
        (b"--gap", UnreadableError),
        (b"--gap\r\n\r\ncut sho", UnreadableError),
        (b"--gap\r\nContent-Type: a/b", UnreadableError),
        (b"--gap\r\nno header\r\n\r\nx\r\n--gap--", UnreadableError),
        (b"--gapless\r\n\r\nx\r\n--gap--", UnreadableError),
        (b"--gap\r\nA: " + b"x" * 20_000 + b"\r\n\r\nx\r\n--gap--", LimitExceededError),
        (b"--gap\r\n" + b"".join(b"A%d: 1\r\n" % n for n in range(40)), LimitExceededError),
        (_many(6), LimitExceededError),
    ],
)
def test_what_is_no_body_of_parts_is_refused(body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        list(PartReader(io.BytesIO(body), B, Limits(parts=5)))
    assert len(list(PartReader(io.BytesIO(_many(5)), B, Limits(parts=5)))) == 5


def test_the_type_of_a_body_is_understood_quoted_and_plain() -> None:
    quoted = parse_body_type('Multipart/Related; boundary="a b:c"; type="Application/DICOM"')
    assert quoted
    assert (quoted.boundary, quoted.inner) == ("a b:c", "application/dicom")
    plain = parse_body_type("multipart/related;type=application/dicom+json;boundary=x")
    assert plain
    assert (plain.boundary, plain.inner) == ("x", "application/dicom+json")
    assert parse_body_type("application/dicom") is None
    refused: list[Callable[[], object]] = [
        lambda: parse_body_type("multipart/related; type=a/b"),
        lambda: parse_body_type(f"multipart/related; boundary={'x' * 201}"),
        lambda: parse_body_type('multipart/related; boundary="x "'),
    ]
    for ask in refused:
        with pytest.raises(UnreadableError):
            ask()
