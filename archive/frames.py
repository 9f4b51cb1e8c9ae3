"""One frame of a stored instance: found by its offset, read with one read, decoded if need be.

What is not whole is not shown: a file that is missing, has another size
than was stored or ends before the frame gives an error, never a picture.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from archive import storage
from archive.caches import COSTLY_SECONDS_A_BYTE, FRAMES, Piece, caches, make_key
from archive.colours import has_profile, srgb_of
from archive.decode import decode_in_pool
from archive.inflated import read_inflated
from archive.models import Instance
from archive.video_frames import read_video_frame
from imaging.errors import MissingError, StorageUnavailableError, UndecodableError, UnreadableError
from imaging.frames import DEFLATED, ENCAPSULATED, NATIVE, NONE, VIDEO, FrameIndex
from imaging.header import DEFLATED_SYNTAXES, read_header
from imaging.palette import Palette
from imaging.pixels import PixelDescription, decode_frame

RGB8 = "rgb8"
NO_FORMAT = "none"
_FORMAT_BYTES = {
    "u8": 1, "i8": 1, "u16": 2, "i16": 2, "u32": 4, "i32": 4, "f32": 4, "f64": 8, RGB8: 3,
}  # fmt: skip
EXACT_IN_DOUBLES = 1 << 53
_LITTLE_ENDIAN_SYNTAXES = {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1"}


@dataclass(frozen=True)
class FrameData:
    """One frame as the viewer gets it.

    `pixel_format` is u8 i8 u16 i16 u32 i32 f32 f64 (stored values, little
    endian, masked to BitsStored, sign extended; integers of 64 bits as
    f64) or rgb8 (interleaved).
    `data` are rows * columns of these.
    """

    pixel_format: str
    data: bytes | memoryview

    def to_array(self, rows: int, columns: int) -> np.ndarray:
        """Return the pixels, shape (rows, columns) or (rows, columns, 3); not writable."""
        if self.pixel_format == RGB8:
            return np.frombuffer(self.data, np.uint8).reshape(rows, columns, 3)
        kind, bits = self.pixel_format[0], int(self.pixel_format[1:])
        return np.frombuffer(self.data, f"<{kind}{bits // 8}").reshape(rows, columns)


# --- what is known without decoding -------------------------------------------
def describe_pixels(instance: Instance, palette: Palette | None = None) -> PixelDescription:
    """Return the description of an instance's pixels by what the index keeps.

    Raises UndecodableError when it says too little or nonsense.
    """
    return PixelDescription.from_image_facts(
        instance.image, instance.transfer_syntax_uid, palette=palette
    )


def pixel_format_of(description: PixelDescription) -> str:
    """Return the format in which frames of this description arrive, `none` when in none."""
    if description.samples_per_pixel == 3 or description.needs_palette:
        return RGB8
    if description.samples_per_pixel != 1:
        return NO_FORMAT
    bits = description.value_bits
    if description.is_float or bits == 64:
        return f"f{bits}"
    sign = "i" if description.is_signed and description.bits_allocated > 1 else "u"
    name = f"{sign}{bits}"
    return name if name in _FORMAT_BYTES else NO_FORMAT


def frame_bytes_of(description: PixelDescription) -> int:
    """Return how many bytes a frame of this description has when it arrives."""
    each = _FORMAT_BYTES.get(pixel_format_of(description), 0)
    return description.rows * description.columns * each


# --- reading --------------------------------------------------------------------
def read_frame(instance: Instance, frame: int) -> FrameData:
    """Read one frame, counted from 0.

    Blocks for one read of the file and, for compressed frames, for a
    decoder. Costs no query; safe to call from many threads.

    Raises
    ------
    MissingError
        The file is not there, or the instance declares no such frame.
    UnreadableError
        The file is damaged: another size than was stored, or it ends before the frame.
    UndecodableError, UnsupportedError
        The pixels cannot be decoded, or nothing here can show them.
    TransientError
        The storage does not answer, or too many frames are being decoded.
    """
    index = _frame_index(instance)
    if index.kind == VIDEO:
        return _read_video(instance, frame)
    if not 0 <= frame < max(instance.number_of_frames, index.count):
        raise MissingError("There is no such frame.")
    if frame >= index.count and index.kind != NONE:
        raise UnreadableError("The file is damaged: it ends before this frame.")
    description = describe_pixels(instance)
    # A frame that is kept already is shown only while its file is there and has its size.
    descriptor = storage.open_descriptor(instance.storage_key)
    try:
        _check_size(descriptor, instance)
        if index.kind == NONE:
            decode_frame(b"", description)  # says in words why there is nothing to show
            raise UndecodableError("There is no usable picture in this file.")
        if index.kind == NATIVE and not description.needs_palette and not has_profile(instance):
            data = _read_span(descriptor, instance, index, frame)
            return _native(data, description, index.first_bit(frame))
        content = (instance.dataset_sha256, instance.facts_version)
        key = make_key(FRAMES, *content, frame, index.span(frame), description)
        piece = caches().read(FRAMES, key, lambda: _make_piece(descriptor, instance, index, frame))
    finally:
        os.close(descriptor)
    return FrameData(piece.word, piece.data)


def _read_video(instance: Instance, frame: int) -> FrameData:
    descriptor = storage.open_descriptor(instance.storage_key)
    try:
        _check_size(descriptor, instance)
    finally:
        os.close(descriptor)
    return FrameData(RGB8, read_video_frame(instance, frame)[1])


def _native(data: memoryview, description: PixelDescription, first_bit: int) -> FrameData:
    """Return an uncompressed frame; its unused bits are cleared where they lie."""
    if is_served_as_stored(description):
        return _as_stored(data, description)
    return _to_wire(decode_frame(data, description, first_bit=first_bit), description)


def _make_piece(descriptor: int, instance: Instance, index: FrameIndex, frame: int) -> Piece:
    """Decode a frame for the cache, and say whether that took longer than a disk does."""
    description = describe_pixels(instance, _read_palette(instance))
    data = bytes(_read_span(descriptor, instance, index, frame))
    began = time.perf_counter()
    if index.kind == ENCAPSULATED:
        array = decode_in_pool(index.payload(data), description)
    else:
        array = decode_frame(data, description, first_bit=index.first_bit(frame))
    made = _to_wire(array, description)
    if has_profile(instance) and made.pixel_format == RGB8:
        made = FrameData(RGB8, srgb_of(instance, memoryview(made.data)))
    seconds = time.perf_counter() - began
    is_costly = seconds > len(made.data) * COSTLY_SECONDS_A_BYTE
    return Piece(made.pixel_format, memoryview(made.data).toreadonly(), is_costly)


def read_words(instance: Instance, frame: int) -> np.ndarray:
    """Return one frame with every allocated bit, unsigned: old overlays lie in unused ones.

    Shape (rows, columns). Raises as `read_frame`.
    """
    index = _frame_index(instance)
    description = describe_pixels(instance)
    if index.kind in (NONE, VIDEO) or not 0 <= frame < index.count:
        raise UndecodableError("There is no usable picture in this file.")
    bits = description.bits_allocated
    whole = replace(description, bits_stored=bits, high_bit=bits - 1, pixel_representation=0)
    with storage.open_instance(instance.storage_key) as file:
        _check_size(file.fileno(), instance)
        data = _read_span(file.fileno(), instance, index, frame)
    if index.kind == ENCAPSULATED:
        return decode_in_pool(index.payload(bytes(data)), whole)
    return decode_frame(data, whole, first_bit=index.first_bit(frame))


def is_served_as_stored(description: PixelDescription) -> bool:
    """Whether the bytes of an uncompressed frame already are what the viewer gets."""
    return (
        description.transfer_syntax_uid in _LITTLE_ENDIAN_SYNTAXES
        and not description.needs_palette
        and (
            _is_whole_grey(description)
            or (
                description.photometric_interpretation == "RGB"
                and description.samples_per_pixel == 3
                and description.planar_configuration == 0
                and description.bits_allocated == description.bits_stored == 8
            )
        )
    )


def _is_whole_grey(description: PixelDescription) -> bool:
    """Whether samples have no unused bits, so that stored words are stored values."""
    return (
        description.samples_per_pixel == 1
        and description.bits_allocated in (8, 16, 32)
        and (description.is_float or description.bits_stored == description.bits_allocated)
    )


def _as_stored(data: memoryview, description: PixelDescription) -> FrameData:
    wanted = frame_bytes_of(description)
    if len(data) < wanted:
        raise UndecodableError("the frame is cut short")
    return FrameData(pixel_format_of(description), data[:wanted])


def _to_wire(array: np.ndarray, description: PixelDescription) -> FrameData:
    """Return the array as announced; one that is anything else is an error, not a picture."""
    if array.ndim == 3 and array.dtype.itemsize > 1:
        array = (array >> max(description.bits_stored - 8, 0)).astype(np.uint8)
    if array.dtype.kind in "iu" and array.dtype.itemsize == 8:
        array = _as_doubles(array)
    name = RGB8 if array.ndim == 3 else f"{array.dtype.kind}{array.dtype.itemsize * 8}"
    if name != pixel_format_of(description) or name not in _FORMAT_BYTES:
        raise UndecodableError("the decoded pixels are not of the announced kind")
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return FrameData(name, np.ascontiguousarray(little).data.cast("B"))


def _as_doubles(array: np.ndarray) -> np.ndarray:
    """Return 64-bit integers as floats, which browsers can compute with; never rounded."""
    if int(array.max()) > EXACT_IN_DOUBLES or int(array.min()) < -EXACT_IN_DOUBLES:
        raise UndecodableError("the pixels hold integers beyond 2 to the power of 53")
    return array.astype(np.float64)


def _frame_index(instance: Instance) -> FrameIndex:
    """Return the instance's frame index, unpacked once for all frames of one request."""
    kept = cast("FrameIndex | None", getattr(instance, "_frame_index", None))
    if kept is None:
        packed = instance.frame_table
        kept = FrameIndex.from_bytes(bytes(packed)) if packed else FrameIndex(NONE, 0)
        instance._frame_index = kept  # type: ignore[attr-defined]
    return kept


def _check_size(descriptor: int, instance: Instance) -> None:
    if os.fstat(descriptor).st_size != instance.size_bytes:
        raise UnreadableError("The file is damaged: it has another size than was stored.")


def _read_palette(instance: Instance) -> Palette | None:
    if instance.image.get("photometric_interpretation") != "PALETTE COLOR":
        return None
    with storage.open_instance(instance.storage_key) as file:
        return Palette.from_header(read_header(file, size=instance.size_bytes))


def _read_span(descriptor: int, instance: Instance, index: FrameIndex, frame: int) -> memoryview:
    """Read a frame's bytes into a buffer of its own, which the caller may change."""
    offset, length = index.span(frame)
    try:
        if index.kind == DEFLATED or instance.transfer_syntax_uid in DEFLATED_SYNTAXES:
            data = read_inflated(instance, offset, length)
        else:
            if offset + length > instance.size_bytes:
                raise UnreadableError("The file is damaged: it ends before this frame.")
            # Not a bytearray: that would be filled with zeros first.
            data = np.empty(length, np.uint8).data
            data = data[: os.preadv(descriptor, [data], offset)]
    except OSError as error:
        raise StorageUnavailableError("The storage cannot be read.") from error
    if len(data) != length:
        raise UnreadableError("The file is damaged: it ends before this frame.")
    return data
