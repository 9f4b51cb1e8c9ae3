"""Frames as they travel: uncompressed as PixelData would hold them, or as a codestream.

Unlike `archive.frames`, which makes values for a screen, nothing here is masked, looked up or
given another colour: what leaves is what is stored, or decoded from it and no more.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace

import numpy as np

from archive import storage
from archive.caches import FRAMES, Piece, caches, make_key
from archive.decode import decode_in_pool
from archive.frames import describe_pixels
from archive.inflated import read_inflated
from archive.models import Instance
from archive.transcode import as_stored, whole_words
from imaging.description import PixelDescription
from imaging.encoders import can_encode, encode_frame
from imaging.errors import (
    MismatchError,
    MissingError,
    StorageUnavailableError,
    UndecodableError,
    UnreadableError,
    UnsupportedError,
)
from imaging.frames import DEFLATED, ENCAPSULATED, NATIVE, FrameIndex
from imaging.header import DEFLATED_SYNTAXES, EXPLICIT_VR_BIG_ENDIAN, GE_PRIVATE_BIG_ENDIAN

PLAIN = "1.2.840.10008.1.2.1"
_BIG_ENDIAN = {EXPLICIT_VR_BIG_ENDIAN, GE_PRIVATE_BIG_ENDIAN}
_WORD = "plain"


class StoredFrames:
    """The frames of one instance, its file open; close it after use. Costs no query.

    Raises
    ------
    MissingError, UnreadableError
        The file is gone, or has another size than was stored.
    UndecodableError
        There are no pixels in it that could be divided into frames.
    StorageUnavailableError
        The storage does not answer.
    """

    def __init__(self, instance: Instance) -> None:
        packed = instance.frame_table
        index = FrameIndex.from_bytes(bytes(packed)) if packed else None
        if index is None or index.kind not in (NATIVE, DEFLATED, ENCAPSULATED):
            raise UndecodableError("There are no frames in this file.")
        self.instance = instance
        self.index = index
        self._description: PixelDescription | None = None
        self._descriptor = storage.open_descriptor(instance.storage_key)
        self._is_open = True
        if os.fstat(self._descriptor).st_size != instance.size_bytes:
            self.close()
            raise UnreadableError("The file is damaged: it has another size than was stored.")

    @property
    def is_compressed(self) -> bool:
        """Whether each frame is a codestream."""
        return self.index.kind == ENCAPSULATED

    @property
    def count(self) -> int:
        """How many frames there should be."""
        return max(self.instance.number_of_frames, self.index.count)

    @property
    def description(self) -> PixelDescription:
        """What the pixels are; raises UndecodableError when too little is said."""
        if self._description is None:
            self._description = describe_pixels(self.instance)
        return self._description

    def check(self, frame: int) -> None:
        """Raise MissingError when no frame has this number, counted from 0."""
        if not 0 <= frame < self.count:
            raise MissingError("There is no such frame.")

    def plain(self, frame: int) -> bytes | memoryview:
        """Return a frame as Explicit VR Little Endian has it (PS3.5 8.1.1).

        Frames whose pixels are bits begin with a byte. Raises as reading and decoding do.
        """
        if self.is_compressed:
            return self._decoded(frame)
        data: bytes | memoryview = self._read(frame)
        unit = self._swapped_bytes()
        if unit > 1:
            data = np.frombuffer(data, f">u{unit}").astype(f"<u{unit}").tobytes()
        first_bit = self.index.first_bit(frame)
        bits = self.description.bits_allocated
        if first_bit or bits == 1:
            return _shifted(data, first_bit, self.description.sample_count * bits)
        return data

    def stored(self, frame: int) -> bytes:
        """Return the codestream of a compressed frame, as it is stored."""
        data = bytes(self._read(frame))
        return self.index.payload(data)

    def encoded(self, frame: int, syntax: str) -> bytes:
        """Return a frame as a lossless codestream, which was decoded again and compared.

        Raises UnsupportedError when its samples do not fit one, MismatchError when it is not
        what went in.
        """
        described = as_stored(self.description)
        plain = self.plain(frame)
        if not can_encode(described) or len(plain) != described.frame_bytes:
            raise UnsupportedError("Pixels of this kind are not compressed here.")
        whole = whole_words(described)
        is_planar = not self.is_compressed and described.planar_configuration == 1
        return encode_checked(_samples(plain, whole, is_planar=is_planar), syntax, whole)

    def plain_bytes(self) -> int:
        """Return how long each frame is when it is not compressed."""
        if not self.is_compressed:
            return len(self.plain(0))
        return as_stored(self.description).frame_bytes

    def plain_span(self) -> tuple[int, int] | None:
        """Return where all frames lie in the file, one behind the other, if they do so in plain.

        Bits of frames that end within a byte go on in it, as in PixelData.
        """
        syntax = self.instance.transfer_syntax_uid
        if self.index.kind != NATIVE or syntax in _BIG_ENDIAN or not self.index.count:
            return None
        start = self.index.span(0)[0]
        offset, length = self.index.span(self.index.count - 1)
        return start, offset + length - start

    def close(self) -> None:
        """Close the file; may be called twice."""
        if self._is_open:
            self._is_open = False
            os.close(self._descriptor)

    # --- reading -------------------------------------------------------------------------
    def _decoded(self, frame: int) -> memoryview:
        described = as_stored(self.description)

        def make() -> Piece:
            array = decode_in_pool(self.index.payload(bytes(self._read(frame))), described)
            little = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False))
            if little.nbytes != described.frame_bytes:
                raise MismatchError("A decoded frame does not have the announced size.")
            return Piece(_WORD, little.data.cast("B").toreadonly())

        content = (self.instance.dataset_sha256, self.instance.facts_version)
        key = make_key(FRAMES, _WORD, *content, frame, self.index.span(frame), described)
        return memoryview(caches().read(FRAMES, key, make).data)

    def _read(self, frame: int) -> memoryview:
        """Read the bytes of a frame's span with one read."""
        self.check(frame)
        if frame >= self.index.count:
            raise UnreadableError("The file is damaged: it ends before this frame.")
        offset, length = self.index.span(frame)
        try:
            if self.instance.transfer_syntax_uid in DEFLATED_SYNTAXES:
                data = read_inflated(self.instance, offset, length)
            else:
                # Not a bytearray: that would be filled with zeros first.
                data = np.empty(length, np.uint8).data
                data = data[: os.preadv(self._descriptor, [data], offset)]
        except OSError as error:
            raise StorageUnavailableError("The storage cannot be read.") from error
        if len(data) != length:
            raise UnreadableError("The file is damaged: it ends before this frame.")
        return data

    def _swapped_bytes(self) -> int:
        """Return how many bytes make a word that has to be turned round; 1 for none."""
        if self.instance.transfer_syntax_uid not in _BIG_ENDIAN:
            return 1
        bits = self.description.bits_allocated
        if bits in (16, 32, 64):
            return bits // 8
        return 2 if self.description.pixel_vr == "OW" else 1


def encode_checked(samples: np.ndarray, syntax: str, description: PixelDescription) -> bytes:
    """Return a codestream that a decoder of another process gave the very samples back of."""
    data = encode_frame(samples, syntax)
    again = decode_in_pool(data, replace(description, transfer_syntax_uid=syntax))
    if _digest(again) != _digest(samples):
        raise MismatchError("The pixels changed when the frame was compressed.")
    return data


def _digest(samples: np.ndarray) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(samples).data.cast("B")).digest()


def _samples(
    data: bytes | memoryview, description: PixelDescription, *, is_planar: bool
) -> np.ndarray:
    """Return the bytes of a plain frame as samples, (rows, columns[, 3]), sign extended."""
    sign = "i" if description.is_signed else "u"
    width = description.bits_allocated // 8
    array = np.frombuffer(data, f"<{sign}{width}")
    shape: tuple[int, ...] = (description.rows, description.columns)
    if description.samples_per_pixel == 3:
        if is_planar:
            return array.reshape(3, *shape).transpose(1, 2, 0)
        shape += (3,)
    return array.reshape(shape)


def _shifted(data: bytes | memoryview, first_bit: int, bits: int) -> bytes:
    """Return packed bits that begin within a byte so that they begin with one."""
    unpacked = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
    return np.packbits(unpacked[first_bit : first_bit + bits], bitorder="little").tobytes()
