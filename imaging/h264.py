"""Interlaced H.264: fields that are one frame, and pictures that are to be taken as frames.

Read are the sequence parameter sets (ITU-T H.264, 7.3.2.1.1, E.1.1) and the first bits of
slices (7.3.3).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_UNIT = re.compile(rb"\x00\x00\x01(.)", re.DOTALL)
_SPS, _SLICES = 7, (1, 2, 5)
_INTRA_SLICES = (2, 4)
# Profiles whose parameter sets speak of chroma and scaling lists.
_HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
_ANY_SHAPE = 255
# No header that matters here is longer.
_HEADER_BYTES = 1024


class _Bits:
    """Bits of a unit, without the bytes that keep start codes away (7.4.1)."""

    def __init__(self, data: bytes) -> None:
        self.data = data.replace(b"\0\0\3", b"\0\0")
        self._value = int.from_bytes(self.data, "big")
        self._size = len(self.data) * 8
        self.place = 0

    def read(self, count: int) -> int:
        """Read a number of this many bits; raises ValueError behind the end."""
        if self.place + count > self._size:
            raise ValueError("the header is cut short")
        self.place += count
        return self._value >> (self._size - self.place) & (1 << count) - 1

    def unsigned(self) -> int:
        """Read an Exp-Golomb number (9.1)."""
        zeros = 0
        while not self.read(1):
            zeros += 1
            if zeros > 32:
                raise ValueError("not a number")
        return (1 << zeros) - 1 + self.read(zeros)

    def signed(self) -> int:
        """Read a signed Exp-Golomb number (9.1.1)."""
        code = self.unsigned()
        return (code + 1) // 2 if code % 2 else -(code // 2)


@dataclass(frozen=True)
class _Sequence:
    """What the sequence parameter set says of slices and of the way pictures are shown.

    `shown_place` is the bit of pic_struct_present_flag; without VUI that of the flag which
    says so. `delay_bits` come first in a timing message.
    """

    has_planes: bool
    frame_number_bits: int
    frames_only: bool
    has_vui: bool
    shown_place: int
    says_shown: bool
    delay_bits: int

    @property
    def may_be_interlaced(self) -> bool:
        """Whether a decoder may call its pictures interlaced."""
        return not self.frames_only or self.says_shown


def begins_with_intra(packet: bytes) -> bool:
    """Whether a picture's first slice leans on no other picture (7.4.3).

    A picture from which a decoder only recovers, strip by strip, does not.
    """
    for match in _UNIT.finditer(packet):
        if match.group(1)[0] & 0x1F in _SLICES:
            bits = _Bits(packet[match.end() : match.end() + 32])
            try:
                bits.unsigned()
                return bits.unsigned() % 5 in _INTRA_SLICES
            except ValueError:
                return False
    return False


class FieldPairs:
    """Tells which coded picture is the second field of the frame before; give it every one."""

    def __init__(self) -> None:
        self._sequence: _Sequence | None = None
        # Frame number and parity of a first field that waits for its other.
        self._waiting: tuple[int, int] | None = None

    def is_second(self, packet: bytes) -> bool:
        """Whether this packet completes a frame that the one before began."""
        try:
            field = self._field_of(packet)
        except ValueError:
            field = None
        waiting, self._waiting = self._waiting, None
        if field is None:
            return False
        if waiting is not None and waiting == (field[0], 1 - field[1]):
            return True
        self._waiting = field
        return False

    def _field_of(self, packet: bytes) -> tuple[int, int] | None:
        """Return frame number and parity (1: bottom) of a field; None for a frame."""
        for match in _UNIT.finditer(packet):
            kind = match.group(1)[0] & 0x1F
            if kind == _SPS:
                self._sequence = _read_sequence(packet[match.end() :])
            elif kind in _SLICES:
                return self._field_of_slice(packet[match.end() : match.end() + 32])
        return None

    def _field_of_slice(self, data: bytes) -> tuple[int, int] | None:
        if self._sequence is None or self._sequence.frames_only:
            return None
        bits = _Bits(data)
        for _ in range(3):  # first macroblock, kind of slice, picture parameter set
            bits.unsigned()
        if self._sequence.has_planes:
            bits.read(2)
        number = bits.read(self._sequence.frame_number_bits)
        return (number, bits.read(1)) if bits.read(1) else None


class ShownAsFrames:
    """Makes interlaced pictures say that they are shown as frames; no pixel changes.

    The colour conversion behind the decoder refuses what is called interlaced. The word of a
    timing message (D.1.3) goes before the way of coding, so each picture gets such a message,
    and the parameter set says that there are some.
    """

    def __init__(self) -> None:
        self._sequence: _Sequence | None = None

    def rewrite(self, packet: bytes) -> bytes:
        """Return a packet's bytes as they are to be decoded; give it every packet in order."""
        made, done, has_message = [], 0, False
        for match in _UNIT.finditer(packet):
            kind = match.group(1)[0] & 0x1F
            if kind == _SPS:
                following = _UNIT.search(packet, match.end())
                end = following.start() if following else len(packet)
                made += [packet[done : match.end()], self._rewritten(packet[match.end() : end])]
                done = end
            elif kind in _SLICES and not has_message:
                has_message = True
                made += [packet[done : match.start()], self._message()]
                done = match.start()
        return b"".join([*made, packet[done:]]) if made else packet

    def _rewritten(self, body: bytes) -> bytes:
        try:
            self._sequence = sequence = _read_sequence(body)
        except ValueError:
            return body
        if not sequence.may_be_interlaced or sequence.says_shown:
            return body
        data = _Bits(body.rstrip(b"\0")).data
        text = "".join(f"{byte:08b}" for byte in data)
        head, place = text[: sequence.shown_place], sequence.shown_place + 1
        if sequence.has_vui:
            text = head + "1" + text[place:]
        else:
            # Seven things that are not told, that pictures have messages, no restriction.
            text = head + "1" + "0000000" + "1" + "0" + "1"
        text += "0" * (-len(text) % 8)
        plain = bytes(int(text[at : at + 8], 2) for at in range(0, len(text), 8))
        return _escaped(plain)

    def _message(self) -> bytes:
        if self._sequence is None or not self._sequence.may_be_interlaced:
            return b""
        # Delays of any length (ones, so that nothing looks like a start code), "frame", no clock.
        text = "1" * self._sequence.delay_bits + "0000" + "0"
        if len(text) % 8:
            text += "1" + "0" * (-(len(text) + 1) % 8)
        payload = bytes(int(text[at : at + 8], 2) for at in range(0, len(text), 8))
        return b"\0\0\1\x06\x01" + bytes([len(payload)]) + payload + b"\x80"


def _escaped(plain: bytes) -> bytes:
    return re.sub(rb"\x00\x00(?=[\x00-\x03])", b"\0\0\3", plain)


# --- the sequence parameter set -----------------------------------------------------
def _read_sequence(body: bytes) -> _Sequence:
    """Read a sequence parameter set behind its first byte; raises ValueError when it is none."""
    bits = _Bits(body[:_HEADER_BYTES])
    profile = bits.read(8)
    bits.read(16)
    bits.unsigned()
    has_planes = _pass_chroma(bits) if profile in _HIGH_PROFILES else False
    number_bits = min(bits.unsigned() + 4, 16)
    _pass_order(bits)
    bits.unsigned()
    bits.read(1)
    bits.unsigned()
    bits.unsigned()
    frames_only = bool(bits.read(1))
    if not frames_only:
        bits.read(1)
    bits.read(1)
    if bits.read(1):
        for _ in range(4):
            bits.unsigned()
    has_vui = bool(bits.read(1))
    delay_bits, shown_place, says_shown = 0, bits.place - 1, False
    if has_vui:
        delay_bits = _pass_vui(bits)
        shown_place = bits.place
        says_shown = bool(bits.read(1))
    return _Sequence(
        has_planes, number_bits, frames_only, has_vui, shown_place, says_shown, delay_bits
    )


def _pass_chroma(bits: _Bits) -> bool:
    """Pass over chroma format, depths and scaling lists; True if planes are coded apart."""
    chroma = bits.unsigned()
    has_planes = bool(bits.read(1)) if chroma == 3 else False
    bits.unsigned()
    bits.unsigned()
    bits.read(1)
    if bits.read(1):
        for place in range(12 if chroma == 3 else 8):
            if bits.read(1):
                _pass_scaling_list(bits, 16 if place < 6 else 64)
    return has_planes


def _pass_scaling_list(bits: _Bits, size: int) -> None:
    last, following = 8, 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last


def _pass_order(bits: _Bits) -> None:
    """Pass over the kind of picture order."""
    order = bits.unsigned()
    if order == 0:
        bits.unsigned()
    elif order == 1:
        bits.read(1)
        bits.signed()
        bits.signed()
        for _ in range(min(bits.unsigned(), 255)):
            bits.signed()


def _pass_vui(bits: _Bits) -> int:
    """Pass over how pictures are shown, up to pic_struct_present_flag; bits of both delays."""
    if bits.read(1) and bits.read(8) == _ANY_SHAPE:
        bits.read(32)
    if bits.read(1):
        bits.read(1)
    if bits.read(1):
        bits.read(4)
        if bits.read(1):
            bits.read(24)
    if bits.read(1):
        bits.unsigned()
        bits.unsigned()
    if bits.read(1):
        bits.read(65)
    lengths = [_pass_buffering(bits) for _ in range(2) if bits.read(1)]
    if lengths:
        bits.read(1)
    return lengths[-1] if lengths else 0


def _pass_buffering(bits: _Bits) -> int:
    """Pass over the parameters of the reference decoder (E.1.2); bits of both delays."""
    count = bits.unsigned() + 1
    bits.read(8)
    for _ in range(min(count, 32)):
        bits.unsigned()
        bits.unsigned()
        bits.read(1)
    bits.read(5)
    both = bits.read(5) + 1 + bits.read(5) + 1
    bits.read(5)
    return both
