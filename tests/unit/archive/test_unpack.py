"""ZIPs are made with Python's own zipfile, and then spoiled byte by byte."""

from __future__ import annotations

import io
import os
import resource
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from archive.unpack import Entry, Skipped, UnpackLimits, safe_name, unpack
from imaging.errors import LimitExceededError, UnreadableError

DATA = os.urandom(5000) + b"hello" * 5000


def make_zip(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> io.BytesIO:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    buffer.seek(0)
    return buffer


def read_all(file, limits: UnpackLimits | None = None, name: str = "some.zip"):
    """Return ({name: bytes or error}, [skipped])."""
    taken: dict[str, object] = {}
    skipped = []
    for item in unpack(file, name, limits or UnpackLimits()):
        if isinstance(item, Skipped):
            skipped.append(item)
            continue
        try:
            taken[item.name] = item.stream.read()
        except UnreadableError as error:
            taken[item.name] = error
    return taken, skipped


def read_until_refused(stream) -> bytes:
    """Return what a stream gives before it refuses; fails the test when it never does."""
    got = bytearray()
    try:
        while piece := stream.read(4096):
            got += piece
    except LimitExceededError:
        return bytes(got)
    pytest.fail("the stream came to its end")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_gives_every_file_bit_exact(method):
    files = {"a/1.dcm": DATA, "a/b/2.dcm": b"", "größe.dcm": DATA[::-1]}
    assert read_all(make_zip(files, method)) == (files, [])


def test_reads_in_small_pieces_and_after_others_moved_the_file():
    file = make_zip({"1.dcm": DATA, "2.dcm": DATA[::-1]})
    entries = unpack(file, "z")
    first = next(entries)
    assert isinstance(first, Entry)
    pieces = []
    while piece := first.stream.read(777):
        pieces.append(piece)
        file.seek(1)
    assert b"".join(pieces) == DATA


def test_folders_are_no_files():
    file = make_zip({"folder/": b"", "folder/1.dcm": b"x"})
    assert read_all(file) == ({"folder/1.dcm": b"x"}, [])


@pytest.mark.parametrize(
    "name",
    ["../up.dcm", "a/../../up.dcm", "/etc/passwd", "\\\\host\\share", "C:\\evil.dcm", "c:evil",
     "a\\..\\b.dcm", "line\nbreak.dcm", "escape\x1b[31m.dcm"],
)  # fmt: skip
def test_names_that_point_outside_are_skipped_and_told(name):
    taken, skipped = read_all(make_zip({name: DATA, "good.dcm": b"good"}))
    assert taken == {"good.dcm": b"good"}
    assert [one.name for one in skipped] == [safe_name(name)]
    assert all(letter.isprintable() for letter in skipped[0].name)


def test_a_name_cut_by_nul_is_skipped():
    file = make_zip({"a_b.dcm": DATA})
    raw = file.getvalue().replace(b"a_b.dcm", b"a\0b.dcm")
    taken, skipped = read_all(io.BytesIO(raw))
    assert taken == {}
    assert "odd characters" in skipped[0].reason


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO])
def test_links_and_devices_are_skipped(kind):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("link.dcm")
        info.create_system = 3
        info.external_attr = (kind | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    taken, skipped = read_all(buffer)
    assert taken == {}
    assert skipped[0].name == "link.dcm"
    assert not skipped[0].is_loss


def test_encrypted_and_strangely_packed_entries_are_told_as_losses():
    raw = bytearray(make_zip({"a.dcm": DATA}).getvalue())
    central = raw.rfind(b"PK\x01\x02")
    raw[central + 8] |= 1
    assert [one.is_loss for one in read_all(io.BytesIO(raw))[1]] == [True]
    raw = bytearray(make_zip({"a.dcm": DATA}, zipfile.ZIP_LZMA).getvalue())
    taken, skipped = read_all(io.BytesIO(raw))
    assert taken == {}
    assert "14" in skipped[0].reason


def test_a_wrong_byte_spoils_its_entry_alone():
    file = make_zip({f"{n}.dcm": DATA + bytes([n]) for n in range(5)}, zipfile.ZIP_STORED)
    raw = bytearray(file.getvalue())
    raw[raw.find(b"2.dcm") + 100] ^= 0xFF
    taken, skipped = read_all(io.BytesIO(raw))
    assert skipped == []
    spoiled = [name for name, data in taken.items() if isinstance(data, UnreadableError)]
    assert spoiled == ["2.dcm"]
    assert taken["4.dcm"] == DATA + b"\x04"


def test_spoiled_deflate_is_an_error_not_a_crash():
    raw = bytearray(make_zip({"a.dcm": DATA}).getvalue())
    raw[60:2000] = b"\xff" * 1940
    taken, _ = read_all(io.BytesIO(raw))
    assert isinstance(taken["a.dcm"], UnreadableError)


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_a_zip_that_is_cut_short_gives_nothing(share):
    raw = make_zip({f"{n}.dcm": DATA for n in range(100)}).getvalue()
    taken, skipped = read_all(io.BytesIO(raw[: int(len(raw) * share)]))
    assert taken == {}
    assert skipped[0].is_loss
    assert "cut short" in skipped[0].reason


def test_noise_and_emptiness_are_no_zip():
    for raw in (b"", b"PK", b"PK\x05\x06", os.urandom(100_000), b"PK\x05\x06" * 20_000):
        taken, skipped = read_all(io.BytesIO(raw))
        assert taken == {}
        assert len(skipped) == 1


def test_an_empty_zip_gives_nothing():
    assert read_all(make_zip({})) == ({}, [])


def test_any_spoiled_byte_of_the_directory_is_survived():
    raw = make_zip({"a.dcm": b"x" * 50, "b.dcm": b"y" * 50}).getvalue()
    directory = raw.find(b"PK\x01\x02")
    for position in range(directory, len(raw)):
        for value in (0x00, 0x7F, 0xFF):
            spoiled = bytearray(raw)
            spoiled[position] = value
            read_all(io.BytesIO(spoiled))


def test_entries_that_overlap_are_a_bomb():
    raw = make_zip({"a.dcm": DATA, "b.dcm": DATA}, zipfile.ZIP_STORED).getvalue()
    spoiled = bytearray(raw)
    second = spoiled.rfind(b"PK\x01\x02")
    struct.pack_into("<L", spoiled, second + 42, 10)
    taken, skipped = read_all(io.BytesIO(spoiled))
    assert taken == {}
    assert "overlap" in skipped[0].reason
    # The very same data twice, as in "A better zip bomb".
    struct.pack_into("<L", spoiled, second + 42, 0)
    assert read_all(io.BytesIO(spoiled))[0] == {}


def test_an_entry_never_gives_more_than_the_directory_says():
    raw = bytearray(make_zip({"a.dcm": bytes(10_000_000)}).getvalue())
    struct.pack_into("<L", raw, raw.rfind(b"PK\x01\x02") + 24, 1000)
    entry = next(unpack(io.BytesIO(raw), "z"))
    assert isinstance(entry, Entry)
    assert len(read_until_refused(entry.stream)) <= 1000


def test_entry_cap_stops_before_anything_is_read():
    taken, skipped = read_all(
        make_zip({f"{n}": b"x" for n in range(101)}), UnpackLimits(max_entries=100)
    )
    assert taken == {}
    assert "101 entries" in skipped[0].reason


def test_entry_cap_holds_when_the_count_lies():
    raw = bytearray(make_zip({f"{n}": b"x" for n in range(101)}).getvalue())
    struct.pack_into("<HH", raw, len(raw) - 22 + 8, 5, 5)
    taken, skipped = read_all(io.BytesIO(raw), UnpackLimits(max_entries=100))
    assert taken == {}
    assert skipped[0].is_loss


def test_byte_cap_stops_the_zip_and_says_what_is_left():
    files = {f"{n}.dcm": os.urandom(10_000) for n in range(10)}
    taken, skipped = read_all(make_zip(files), UnpackLimits(max_total_bytes=35_000))
    good = [name for name, data in taken.items() if isinstance(data, bytes)]
    assert good == ["0.dcm", "1.dcm", "2.dcm"]
    assert isinstance(taken["3.dcm"], LimitExceededError)
    assert len(taken) == 4
    assert "6 entries were not read" in skipped[0].reason


def test_a_large_entry_is_told_and_the_rest_taken():
    files = {"large.dcm": bytes(2000), "small.dcm": bytes(100)}
    taken, skipped = read_all(make_zip(files), UnpackLimits(max_entry_bytes=1000))
    assert taken == {"small.dcm": bytes(100)}
    assert skipped[0].is_loss


def test_a_bomb_is_stopped_by_its_ratio_early():
    limits = UnpackLimits(ratio_from_bytes=1_000_000, max_ratio=100)
    file = make_zip({"bomb.dcm": bytes(50_000_000), "good.dcm": b"good"})
    entry = next(unpack(file, "z", limits))
    assert isinstance(entry, Entry)
    assert len(read_until_refused(entry.stream)) <= 100 * len(file.getvalue())


def test_many_blank_but_honest_files_pass():
    files = {f"{n}.dcm": os.urandom(20_000) + bytes(500_000) for n in range(20)}
    assert read_all(make_zip(files))[0] == files


def test_a_zip_behind_a_program_is_read():
    raw = b"MZ" + os.urandom(5000) + make_zip({"a.dcm": DATA}).getvalue()
    assert read_all(io.BytesIO(raw)) == ({"a.dcm": DATA}, [])


def test_a_zip_with_sixty_four_bit_sizes_is_read():
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a.dcm", "w", force_zip64=True) as entry,
    ):
        entry.write(DATA)
    assert read_all(buffer) == ({"a.dcm": DATA}, [])


def test_a_zip_with_more_than_65535_entries_is_read():
    file = make_zip({str(n): b"" for n in range(70_000)}, zipfile.ZIP_STORED)
    assert len(read_all(file)[0]) == 70_000


def test_a_zip_that_was_streamed_is_read():
    """Sizes come after the data then (bit 3), so only the directory knows them."""

    class Pipe(io.RawIOBase):
        def __init__(self):
            self.data = bytearray()

        def writable(self):
            return True

        def write(self, data):
            self.data += bytes(data)
            return len(data)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.dcm", DATA)
        archive.writestr("b.dcm", DATA)
    assert read_all(io.BytesIO(pipe.data)) == ({"a.dcm": DATA, "b.dcm": DATA}, [])


@pytest.mark.slow
def test_memory_stays_flat_over_a_zip_beyond_four_gigabytes(tmp_path: Path):
    """An entry of more than 4 GB, and one behind it; the file on the disk is holes."""

    class Holes(io.FileIO):
        def write(self, data):
            if len(data) < len(block):
                return super().write(data)
            self.seek(len(data), 1)
            return len(data)

    path = tmp_path / "large.zip"
    block = bytes(1 << 20)
    with (
        Holes(path, "w+") as holes,
        zipfile.ZipFile(holes, "w", zipfile.ZIP_STORED, allowZip64=True) as archive,
    ):
        for number, blocks in enumerate((4200, 600)):
            with archive.open(f"{number}.dcm", "w", force_zip64=True) as entry:
                for _ in range(blocks):
                    entry.write(block)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    totals = []
    with path.open("rb") as file:
        for item in unpack(file, "large.zip"):
            assert isinstance(item, Entry)
            total = 0
            # Of the first, as much as of the second: it need not be read to its end.
            while total < 600 << 20 and (piece := item.stream.read(1 << 20)):
                total += len(piece)
            totals.append((total, item.size_bytes))
    path.unlink()
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert totals == [(600 << 20, 4200 << 20), (600 << 20, 600 << 20)]
    assert grown_kib < 32 * 1024


def test_names_are_made_safe_to_show():
    assert safe_name("a\u202egnp.dcm") == "a\ufffdgnp.dcm"
    assert safe_name("") == "(no name)"
    assert len(safe_name("x" * 10_000)) == 200
    assert safe_name("Müller 你好.dcm") == "Müller 你好.dcm"
