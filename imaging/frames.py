"""Where every frame lies in its file, so that one frame is served with one read (PS3.5 A.4)."""

import struct
import zlib
from collections.abc import Sequence
from typing import BinaryIO

import numpy as np

from imaging.colour import SUBSAMPLED
from imaging.errors import LimitExceededError, UndecodableError, UnreadableError
from imaging.fragments import Fragments, read_fragments
from imaging.frame_starts import RLE_LOSSLESS, FrameStarts
from imaging.header import Header

NATIVE = "native"
ENCAPSULATED = "encapsulated"
DEFLATED = "deflated"
VIDEO = "video"
NONE = "none"
_KINDS = (NONE, NATIVE, ENCAPSULATED, DEFLATED, VIDEO)
_HEAD = struct.Struct("<BBBQQQ")
_VERSION = 1
MAX_FRAMES = 1_000_000

# MPEG-2, MPEG-4 and HEVC, each whole or fragmentable (PS3.5 10.7 to 10.15).
VIDEO_SYNTAXES = frozenset(
    f"1.2.840.10008.1.2.4.{number}{suffix}" for number in range(100, 109) for suffix in ("", ".1")
)


class FrameIndex:
    """Offset and length of every frame's span, counting frames from 0.

    Attributes
    ----------
    kind
        `native`: uncompressed, frames follow each other. `encapsulated`: each span is one or
        more fragments with their item headers (see `payload`). `deflated`: as native, but
        offsets count in the inflated data set, not in the file. `video`: one span holds the
        whole stream, frames are not addressable. `none`: no pixels, or no usable description.
    count
        Frames that are really there, which may be fewer than the header declares.
    flags
        `frames_disagree`, `bad_offset_table`, `missing_delimiter`, `no_geometry`; not packed.
    """

    __slots__ = (
        "_frame_bits",
        "_lengths",
        "_offset",
        "_offsets",
        "_unit_bits",
        "count",
        "flags",
        "kind",
    )

    def __init__(self, kind: str, count: int, flags: Sequence[str] = ()) -> None:
        self.kind = kind
        self.count = count
        self.flags = frozenset(flags)
        self._offset = 0
        self._frame_bits = 0
        self._unit_bits = 8
        self._offsets = np.zeros(0, np.uint64)
        self._lengths = np.zeros(0, np.uint64)

    @classmethod
    def native(
        cls,
        kind: str,
        *,
        offset: int,
        frame_bits: int,
        count: int,
        unit_bits: int = 8,
        flags: Sequence[str] = (),
    ) -> "FrameIndex":
        """Return an index of uncompressed frames of `frame_bits` bits, packed without gaps.

        A span holds whole units of `unit_bits`: 16 where bytes are swapped within words.
        """
        index = cls(kind, count, flags)
        index._offset, index._frame_bits, index._unit_bits = offset, frame_bits, unit_bits
        return index

    @classmethod
    def of_spans(
        cls, kind: str, offsets: np.ndarray, lengths: np.ndarray, flags: Sequence[str] = ()
    ) -> "FrameIndex":
        """Return an index of spans: two arrays of uint64, shape (frames,), in bytes."""
        index = cls(kind, len(offsets), flags)
        index._offsets, index._lengths = offsets.astype(np.uint64), lengths.astype(np.uint64)
        return index

    @property
    def is_addressable(self) -> bool:
        """Whether a frame can be had by reading its span of the file."""
        return self.kind in (NATIVE, ENCAPSULATED)

    def span(self, frame: int) -> tuple[int, int]:
        """Return offset and length, in bytes, of a frame counted from 0.

        Raises
        ------
        IndexError
            There is no such frame.
        """
        if not 0 <= frame < self.count:
            raise IndexError(f"frame {frame} of {self.count}")
        if self.kind in (NATIVE, DEFLATED):
            unit = self._unit_bits
            first = frame * self._frame_bits // unit * unit // 8
            last = -(-(frame + 1) * self._frame_bits // unit) * unit // 8
            return self._offset + first, last - first
        return int(self._offsets[frame]), int(self._lengths[frame])

    def first_bit(self, frame: int) -> int:
        """Return the bit of the span at which the frame begins; 0 unless frames are odd."""
        return frame * self._frame_bits % self._unit_bits if self.kind in (NATIVE, DEFLATED) else 0

    def payload(self, span_bytes: bytes) -> bytes:
        """Return what a decoder wants from the bytes of a span."""
        return join_fragments(span_bytes) if self.kind in (ENCAPSULATED, VIDEO) else span_bytes

    def to_bytes(self) -> bytes:
        """Pack for storage; `from_bytes` restores all but `flags`."""
        head = _HEAD.pack(
            _VERSION,
            _KINDS.index(self.kind),
            self._unit_bits,
            self.count,
            self._offset,
            self._frame_bits,
        )
        if not len(self._offsets):
            return head
        # Spans mostly follow each other: what is left are small gaps and lengths.
        ends = np.concatenate([np.zeros(1, np.uint64), (self._offsets + self._lengths)[:-1]])
        gaps = self._offsets - ends  # modulo 2**64 when spans go backwards
        return head + zlib.compress(np.concatenate([gaps, self._lengths]).tobytes(), 6)

    @classmethod
    def from_bytes(cls, packed: bytes) -> "FrameIndex":
        """Restore an index from `to_bytes`.

        Raises
        ------
        UnreadableError
            These bytes are no packed index.
        """
        try:
            version, kind, unit, count, offset, frame_bits = _HEAD.unpack_from(packed)
            if version != _VERSION:
                raise UnreadableError("a frame index of another version")
            index = cls.native(
                _KINDS[kind], offset=offset, frame_bits=frame_bits, count=count, unit_bits=unit
            )
            if len(packed) > _HEAD.size:
                both = np.frombuffer(zlib.decompress(packed[_HEAD.size :]), np.uint64)
                gaps, lengths = both[:count], both[count:]
                ends = np.cumsum(gaps + lengths, dtype=np.uint64)
                index._lengths = lengths.copy()
                index._offsets = ends - lengths
        except (struct.error, zlib.error, IndexError) as error:
            raise UnreadableError("not a frame index") from error
        return index


def join_fragments(span_bytes: bytes) -> bytes:
    """Strip the item headers of a span and join its fragments (PS3.5 A.4).

    Raises
    ------
    UndecodableError
        The span is not made of whole items.
    """
    pieces: list[bytes] = []
    position = 0
    while position + 8 <= len(span_bytes):
        if span_bytes[position : position + 4] != b"\xfe\xff\x00\xe0":
            raise UndecodableError("a frame's span does not begin with an item")
        length = int.from_bytes(span_bytes[position + 4 : position + 8], "little")
        if position + 8 + length > len(span_bytes):
            raise UndecodableError("a fragment reaches beyond its frame")
        pieces.append(span_bytes[position + 8 : position + 8 + length])
        position += 8 + length
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def frame_bits_of(header: Header) -> int:
    """Return the bits of one uncompressed frame, 0 when the header does not say (PS3.5 8.1.1)."""
    rows = header.integer("Rows") or 0
    columns = header.integer("Columns") or 0
    samples = header.integer("SamplesPerPixel")
    keyword = header.pixel.keyword if header.pixel else "PixelData"
    declared = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}.get(keyword)
    bits = declared or header.integer("BitsAllocated") or 0
    samples = 1 if samples is None else samples
    if min(rows, columns, samples, bits) <= 0:
        return 0
    if header.text("PhotometricInterpretation") in SUBSAMPLED and samples == 3:
        # Two luminances share one pair of chrominances (PS3.3 C.7.6.3.1.2).
        return rows * columns * 2 * bits
    return rows * columns * samples * bits


def index_frames(file: BinaryIO, header: Header) -> FrameIndex:
    """Find every frame of a file whose header was read.

    Raises
    ------
    UnreadableError
        A fragment claims more bytes than the file has, or items are malformed.
    LimitExceededError
        More than `MAX_FRAMES` frames or fragments.
    """
    pixel = header.pixel
    if pixel is None:
        return FrameIndex(NONE, 0)
    declared = header.integer("NumberOfFrames")
    if declared is None or declared == 0:
        declared = 1
    if declared < 0:
        return FrameIndex(NONE, 0, ["frames_disagree"])
    if declared > MAX_FRAMES:
        raise LimitExceededError(f"more than {MAX_FRAMES} frames")
    if pixel.encapsulated:
        fragments = read_fragments(file, pixel.offset)
        if header.transfer_syntax_uid in VIDEO_SYNTAXES:
            return _whole_stream(fragments)
        return _group_fragments(file, header, fragments, declared)
    return _index_native(header, declared)


def _index_native(header: Header, declared: int) -> FrameIndex:
    pixel = header.pixel
    assert pixel is not None
    assert pixel.length is not None
    frame_bits = frame_bits_of(header)
    if not frame_bits:
        return FrameIndex(NONE, 0, ["no_geometry"])
    flags: list[str] = []
    available = pixel.length * 8
    if available < frame_bits * declared and _is_unsubsampled(header, available, declared):
        # Said to be subsampled (422) but stored in full, as many devices do.
        frame_bits = frame_bits // 2 * 3
        flags.append("not_subsampled")
    needed = (frame_bits * declared + 7) // 8
    count = declared
    if pixel.length < needed:
        count = available // frame_bits
        flags.append("frames_disagree")
    elif pixel.length > needed + 1:
        full = frame_bits // 2 * 3
        if _is_unsubsampled(header, available, declared) and available >= full * declared:
            frame_bits = full
            flags.append("not_subsampled")
        else:
            flags.append("frames_disagree")
    # Samples that are no words in words of the other byte order: cut out in whole words.
    swapped = pixel.vr == "OW" and not header.is_little_endian
    unit_bits = 16 if swapped and header.integer("BitsAllocated") in (8, 12) else 8
    return FrameIndex.native(
        DEFLATED if header.is_deflated else NATIVE,
        offset=pixel.offset,
        frame_bits=frame_bits,
        count=count,
        unit_bits=unit_bits,
        flags=flags,
    )


def _is_unsubsampled(header: Header, available: int, declared: int) -> bool:
    if header.text("PhotometricInterpretation") not in SUBSAMPLED:
        return False
    full = frame_bits_of(header) // 2 * 3 * declared
    return full <= available <= full + 8


def _whole_stream(fragments: Fragments) -> FrameIndex:
    if not len(fragments.offsets):
        return FrameIndex(VIDEO, 0, ["frames_disagree"])
    start = fragments.offsets[:1]
    end = fragments.offsets[-1:] + fragments.lengths[-1:] + np.uint64(8)
    return FrameIndex.of_spans(VIDEO, start, end - start, sorted(fragments.flags))


def _group_fragments(
    file: BinaryIO, header: Header, fragments: Fragments, declared: int
) -> FrameIndex:
    flags = set(fragments.flags)
    total = len(fragments.offsets)
    firsts = _first_fragments(
        FrameStarts(file, header, fragments), header, fragments, declared, flags
    )
    if len(firsts) != declared:
        flags.add("frames_disagree")
        if len(firsts) > declared:
            total = int(firsts[declared])
            firsts = firsts[:declared]
    if not len(firsts):
        return FrameIndex(ENCAPSULATED, 0, sorted(flags))
    starts = fragments.offsets[firsts]
    lasts = np.append(firsts[1:], total) - 1
    ends = fragments.offsets[lasts] + fragments.lengths[lasts] + np.uint64(8)
    return FrameIndex.of_spans(ENCAPSULATED, starts, ends - starts, sorted(flags))


def _first_fragments(
    starts: FrameStarts,
    header: Header,
    fragments: Fragments,
    declared: int,
    flags: set[str],
) -> np.ndarray:
    """Return the first fragment of each frame: by table, by count, or by what they hold."""
    total = len(fragments.offsets)
    by_table = _firsts_by_any_table(header, fragments, declared, flags)
    if not total:
        return np.arange(0)
    if declared == 1:
        return np.zeros(1, np.int64)
    guess = np.arange(total) if by_table is None and total == declared else by_table
    if guess is not None and starts.are_right(guess):
        return guess
    if by_table is not None:
        flags.add("bad_offset_table")
    found = starts.find(declared)
    if len(found) == declared:
        return found
    if header.transfer_syntax_uid == RLE_LOSSLESS:
        # A frame of RLE is one fragment (A.4.2), and decoding checks its header again.
        return np.arange(total) if guess is None else guess
    if guess is not None and not len(found):
        return guess
    return found


def _firsts_by_any_table(
    header: Header, fragments: Fragments, declared: int, flags: set[str]
) -> np.ndarray | None:
    """Return the first fragment of each frame by the basic or extended offset table, if right."""
    tables = [fragments.table] if fragments.table else []
    extended = header.raw("ExtendedOffsetTable")
    if extended:
        tables.append(
            list(struct.unpack(f"<{len(extended) // 8}Q", extended[: len(extended) // 8 * 8]))
        )
    for table in tables:
        firsts = _firsts_by_table(table, fragments) if len(table) == declared else None
        if firsts is not None:
            return firsts
        flags.add("bad_offset_table")
    return None


def _firsts_by_table(table: list[int], fragments: Fragments) -> np.ndarray | None:
    """Return the first fragment of each frame by an offset table; None if the table is wrong."""
    if not len(fragments.offsets):
        return None
    wanted = np.array(table, np.uint64) + fragments.offsets[0]
    firsts: np.ndarray = np.searchsorted(fragments.offsets, wanted)
    if (firsts >= len(fragments.offsets)).any() or (fragments.offsets[firsts] != wanted).any():
        return None
    if firsts[0] != 0 or (np.diff(firsts) <= 0).any():
        return None
    return firsts
