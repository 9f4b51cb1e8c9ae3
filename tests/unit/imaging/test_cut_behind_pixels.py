"""A data set that is cut behind its pixels is cut short, not merely untidy."""

from __future__ import annotations

import io

import pytest

from imaging.errors import UnreadableError
from imaging.header import read_header
from tests.factories import as_part10, read_bundled


def read(data: bytes) -> set[str]:
    return set(read_header(io.BytesIO(data), size=len(data)).flags)


def signed_image() -> bytes:
    """Return a real image with a private element behind the pixels."""
    dataset = read_bundled("CT_small.dcm")
    del dataset.DataSetTrailingPadding
    dataset.add_new(0x7FE10010, "LO", "NOCTIS TEST")
    dataset.add_new(0x7FE11001, "OB", bytes(1000))
    return as_part10(dataset)


def test_whole_data_set_is_read() -> None:
    assert "trailing_garbage" not in read(signed_image())


@pytest.mark.parametrize("cut_bytes", [1, 500, 1000])
def test_cut_element_behind_the_pixels_is_refused(cut_bytes: int) -> None:
    with pytest.raises(UnreadableError):
        read(signed_image()[:-cut_bytes])


def test_rubbish_behind_the_pixels_is_flagged_only() -> None:
    dataset = read_bundled("CT_small.dcm")
    del dataset.DataSetTrailingPadding
    assert "trailing_garbage" in read(as_part10(dataset) + b"\x01\x02rubbish from a bad disc")


def test_cut_trailing_padding_loses_nothing() -> None:
    read(as_part10(read_bundled("CT_small.dcm"))[:-5])
