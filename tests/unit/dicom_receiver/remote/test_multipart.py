"""Multipart bodies, whole and broken, in pieces of any size."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dicom_receiver.remote.multipart import BrokenMultipartError, Parts, find_boundary

CONTENTS = [b"first\r\n--not a boundary\r\n", b"", b"\r\n\r\nthird\r\n--bound"]


def body_of(contents: list[bytes], *, preamble: bytes = b"") -> bytes:
    """Return a body as RFC 2046 5.1.1 writes it."""
    parts = [
        b"--bound1\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n"
        for content in contents
    ]
    return preamble + b"".join(parts) + b"--bound1--\r\nepilogue"


def pieces_of(body: bytes, size: int) -> Iterator[bytes]:
    """Yield the body in pieces."""
    for begin in range(0, len(body), size):
        yield body[begin : begin + size]


@pytest.mark.parametrize("size", [1, 7, 16, 10_000])
@pytest.mark.parametrize("preamble", [b"", b"\r\n", b"words for people\r\n"])
def test_parts_come_out_as_they_went_in_whatever_the_pieces(size: int, preamble: bytes) -> None:
    body = body_of(CONTENTS, preamble=preamble)
    parts = Parts(pieces_of(body, size), b"bound1")
    assert [b"".join(part.content) for part in parts] == CONTENTS


def test_a_part_that_nobody_read_is_skipped() -> None:
    parts = Parts(pieces_of(body_of(CONTENTS), 5), b"bound1")
    assert [part.headers["content-type"] for part in parts] == ["application/dicom"] * 3


@pytest.mark.parametrize("cut", [3, 20, 60, 90, 150, 175])
def test_a_body_that_is_cut_off_is_no_whole_one(cut: int) -> None:
    parts = Parts(pieces_of(body_of(CONTENTS)[:cut], 8), b"bound1")
    with pytest.raises(BrokenMultipartError):
        [b"".join(part.content) for part in parts]


def test_what_never_ends_is_left() -> None:
    def endless(text: bytes) -> Iterator[bytes]:
        while True:
            yield text

    with pytest.raises(BrokenMultipartError, match="first"):
        next(iter(Parts(endless(b"x" * 1000), b"bound1")))

    def headers_without_end() -> Iterator[bytes]:
        yield b"--bound1\r\n"
        yield from endless(b"A: b\r\n")

    with pytest.raises(BrokenMultipartError, match="headers"):
        next(iter(Parts(headers_without_end(), b"bound1")))


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ('multipart/related; type="application/dicom"; boundary=abc', b"abc"),
        ('multipart/related; boundary="a b:c"; type=application/dicom', b"a b:c"),
        ("multipart/related;BOUNDARY=0f3cf5c0-70e0", b"0f3cf5c0-70e0"),
    ],
)
def test_the_boundary_is_found_as_servers_write_it(content_type: str, boundary: bytes) -> None:
    assert find_boundary(content_type) == boundary


@pytest.mark.parametrize(
    "content_type", ["", "multipart/related", 'm/r; boundary="', "a; boundary=" + "x" * 80]
)
def test_no_boundary_is_told(content_type: str) -> None:
    with pytest.raises(BrokenMultipartError):
        find_boundary(content_type)
