"""Each piece of a coded stream can be decoded before the next has come."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable

import pytest
import zstandard

from viewer.compression import choose_coding, is_near


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


@pytest.mark.parametrize(
    ("meta", "near"),
    [
        ({"REMOTE_ADDR": "127.0.0.1"}, True),
        ({"REMOTE_ADDR": "::1"}, True),
        ({"REMOTE_ADDR": "192.168.1.5"}, False),
        ({"REMOTE_ADDR": ""}, False),
        ({}, False),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "192.0.2.7"}, False),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_VIA": "1.1 proxy"}, False),
    ],
)
def test_only_the_same_machine_without_a_proxy_is_near(meta: dict[str, str], near: bool) -> None:
    assert is_near(meta) is near
    assert choose_coding("zstd", is_near=is_near(meta)).name == ("" if near else "zstd")


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
