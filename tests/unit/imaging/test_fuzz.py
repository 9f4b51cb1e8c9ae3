"""Mutants of real headers and frames: only our errors, never much memory."""

from __future__ import annotations

import os
import random
import tracemalloc
from io import BytesIO

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from imaging.charset import decode_text
from imaging.display import Grayscale
from imaging.errors import NoctisError
from imaging.facts import InstanceFacts
from imaging.frames import index_frames
from imaging.header import read_header
from imaging.pixels import PixelDescription, decode_frame
from imaging.search import search_key
from imaging.text import clean_line, display_name, parse_datetime
from tests.unit.imaging.build import encapsulated, image, written
from tests.unit.imaging.fuzz_seeds import seeds
from tests.unit.imaging.fuzzing import run
from tests.unit.imaging.real_files import bundled

SEEDS = (
    "CT_small.dcm", "MR_small_RLE.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm",
    "image_dfl.dcm", "SC_rgb_jpeg_gdcm.dcm", "JPGExtended.dcm", "nested_priv_SQ.dcm",
    "rtplan.dcm", "reportsi.dcm", "MR_small_jpeg_ls_lossless.dcm", "SC_rgb_small_odd.dcm",
)  # fmt: skip
BYTES = (0, 1, 2, 0x7F, 0x80, 0xFE, 0xFF)


def mutant(content: bytes, chance: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.choice((1, 2, 8, 40))):
        at = chance.randrange(min(len(changed), 6000))
        action = chance.randrange(5)
        if action < 3:
            changed[at] = chance.choice((*BYTES, chance.randrange(256)))
        elif action == 3:
            changed[at : at + 4] = b"\xff\xff\xff\xff"
        else:
            del changed[at : at + chance.randrange(1, 9)]
    return bytes(changed[: chance.randrange(1, len(changed))] if chance.random() < 0.1 else changed)


def read_everything(content: bytes, *, pixels: bool) -> None:
    file = BytesIO(content)
    header = read_header(file, size=len(content))
    index = index_frames(file, header)
    InstanceFacts.from_header(header, index)
    for tag in header.tags():
        header.texts(tag)
        header.floats(tag)
        header.items(tag)
    if pixels and index.is_addressable and index.count:
        description = PixelDescription.from_header(header)
        offset, length = index.span(0)
        data = index.payload(content[offset : offset + length])
        frame = decode_frame(data, description, first_bit=index.first_bit(0))
        if frame.ndim == 2:
            with np.errstate(all="ignore"):
                Grayscale().with_tables(header).apply(frame)


def test_mutants_of_many_files_raise_only_our_errors_and_kill_nothing() -> None:
    """As many as NOCTIS_FUZZ_RUNS says; other ones by NOCTIS_FUZZ_FIRST."""
    runs = int(os.environ.get("NOCTIS_FUZZ_RUNS", "1200"))
    errors, crashes, ends = run(int(os.environ.get("NOCTIS_FUZZ_FIRST", "0")), runs)
    assert len(seeds()) >= 20
    assert errors == []
    # Production decodes in a process that may die; still it should be known.
    assert crashes == []
    assert ends[-1]["read_to_the_end"] > runs / 10
    assert ends[-1]["peak_mb"] < 1024


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=6), st.lists(st.integers(0, 2**32 - 1)), st.data())
def test_any_fragments_and_offset_table_raise_only_our_errors(
    fragments: list[bytes], table: list[int], data: st.DataObject
) -> None:
    made = image(np.zeros((2, 4, 4), np.uint8))
    made.PixelData = encapsulated(fragments, table)
    made["PixelData"].is_undefined_length = True
    content = bytearray(written(made, "1.2.840.10008.1.2.5"))
    at = data.draw(st.integers(content.rindex(b"\xe0\x7f\x10\x00"), len(content) - 4))
    content[at : at + 4] = data.draw(st.binary(min_size=4, max_size=4))
    try:
        read_everything(bytes(content), pixels=True)
    except NoctisError:
        return


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 65535), min_size=3, max_size=3), st.binary(max_size=64))
def test_any_lookup_table_raises_only_our_errors(descriptor: list[int], entries: bytes) -> None:
    table = Dataset()
    table.LUTDescriptor = descriptor
    table.LUTData = entries + b"\0" * (len(entries) % 2)
    pixels = np.arange(16, dtype=np.uint16).reshape(4, 4)
    made = image(pixels, VOILUTSequence=Sequence([table]), ModalityLUTSequence=Sequence([table]))
    try:
        read_everything(written(made), pixels=True)
    except NoctisError:
        return


def test_mutants_never_take_much_memory() -> None:
    chance = random.Random(1)
    tracemalloc.start()
    try:
        for name in SEEDS:
            content = bundled(name).read_bytes()
            tracemalloc.reset_peak()
            for _ in range(15):
                try:
                    read_everything(mutant(content, chance), pixels=False)
                except NoctisError:
                    continue
            assert tracemalloc.get_traced_memory()[1] < 16_000_000 + 8 * len(content)
    finally:
        tracemalloc.stop()


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=400))
def test_any_bytes_after_the_meta_information_raise_only_our_errors(body: bytes) -> None:
    head = bundled("CT_small.dcm").read_bytes()[:336]
    for content in (body, head + body):
        try:
            read_everything(content, pixels=True)
        except NoctisError:
            continue


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=80),
    st.sampled_from(
        [b"", b"ISO_IR 192", b"\\ISO 2022 IR 87", b"GB18030", b"ISO_IR 13", b"?\\\xff"]
    ),
)
def test_any_text_can_be_shown(raw: bytes, charset: bytes) -> None:
    text, _ok = decode_text(raw, charset, person_name=True)
    assert clean_line(text).encode("utf-8", "strict") is not None
    display_name(text)
    search_key(text)
    parse_datetime(text)
