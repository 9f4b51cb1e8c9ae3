"""Each piece of a coded stream can be decoded before the next has come."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable

import pytest
import zstandard

from viewer.compression import choose_coding


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, deflate", "gzip"),
        ("GZIP", "gzip"),
        ("br", ""),
        ("", ""),
        ("identity", ""),
        ("zstd;q=0, gzip;q=0.5", "gzip"),
        ("zstd; q=0.0, gzip; q=0", ""),
    ],
)
def test_takes_the_best_that_the_client_accepts(header: str, name: str) -> None:
    assert choose_coding(header).name == name


@pytest.mark.parametrize("name", ["zstd", "gzip", ""])
def test_each_piece_is_whole_when_it_leaves(name: str) -> None:
    coding = choose_coding(name)
    decoders: dict[str, Callable[[], Callable[[bytes], bytes]]] = {
        "zstd": lambda: zstandard.ZstdDecompressor().decompressobj().decompress,
        "gzip": lambda: zlib.decompressobj(31).decompress,
        "": lambda: bytes,
    }
    decode = decoders[name]()
    for size in (32, 100_000, 1, 500_000):
        head, payload = b"head", os.urandom(size)
        assert decode(coding.encode(head, payload)) == head + payload
    assert decode(coding.finish()) == b""
