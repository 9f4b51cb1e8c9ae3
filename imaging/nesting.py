"""Walk sequences without reading their values and without recursion (PS3.5 7.5)."""

import struct
from dataclasses import dataclass

from imaging.dictionary import LONG_VRS, SEQUENCE_TAGS, SHORT_VRS
from imaging.encoding import (
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    ITEM,
    ITEM_END,
    SEQUENCE_END,
    UNDEFINED,
    Encoding,
)
from imaging.errors import LimitExceededError, UnreadableError
from imaging.source import Source


def check_defined(
    source: Source, start: int, length: int, vr: bytes | None, encoding: Encoding, depth: int,
    flags: set[str],
) -> None:  # fmt: skip
    """Walk a sequence of defined length for its depth; what is broken inside is flagged only."""
    if vr not in (None, b"SQ", b"UN"):
        return
    nested = Nesting(IMPLICIT_LITTLE if vr == b"UN" else encoding, depth)
    try:
        skip_sequence(source, start, start + length, nested, flags)
    except LimitExceededError:
        raise
    except (UnreadableError, struct.error):
        flags.add("broken_sequence")


def skip_unknown(source: Source, start: int, depth: int, flags: set[str]) -> int:
    """Skip UN of undefined length: implicit VR by PS3.5 6.2.2, explicit by some writers."""
    try:
        return skip_sequence(source, start, None, Nesting(IMPLICIT_LITTLE, depth), flags)
    except LimitExceededError:
        raise
    except (UnreadableError, struct.error):
        flags.add("explicit_in_unknown")
        return skip_sequence(source, start, None, Nesting(EXPLICIT_LITTLE, depth), flags)


@dataclass(frozen=True, slots=True)
class Nesting:
    """How a sequence is encoded, how deep it lies, and whether its items are just bytes.

    `in_item` says that the walk starts within an item and ends with it.
    """

    encoding: Encoding
    depth: int
    opaque: bool = False
    in_item: bool = False


@dataclass(frozen=True, slots=True)
class _Level:
    """One sequence or item that the walk is in; `end` is None when its length is undefined."""

    in_item: bool
    end: int | None
    encoding: Encoding
    opaque: bool = False


def skip_sequence(
    source: Source, position: int, end: int | None, nesting: Nesting, flags: set[str]
) -> int:
    """Return the offset after a sequence.

    `end` is None for a sequence of undefined length.

    Raises
    ------
    UnreadableError
        It is malformed or cut short.
    LimitExceededError
        It is nested too deep, or there are too many elements.
    """
    limits = source.limits
    stack = [_Level(nesting.in_item, end, nesting.encoding, nesting.opaque)]
    while stack:
        level = stack[-1]
        if level.end is not None and position >= level.end:
            if position > level.end:
                raise UnreadableError("an item reaches beyond its sequence")
            stack.pop()
            continue
        source.ensure(position, 8)
        group, element, length = level.encoding.head.unpack_from(
            source.buffer, position - source.base
        )
        source.count_elements()
        tag = group << 16 | element
        if tag >= ITEM:
            position = _delimiter(tag, length, position + 8, stack, flags)
        elif not level.in_item:
            raise UnreadableError("no item where a sequence should hold one")
        else:
            position, inner = _nested_element(source, position, tag, length, level.encoding)
            if inner is not None:
                stack.append(inner)
                if nesting.depth + len(stack) // 2 > limits.depth:
                    raise LimitExceededError(f"sequences nest deeper than {limits.depth}")
    return position


def _delimiter(tag: int, length: int, position: int, stack: list[_Level], flags: set[str]) -> int:
    """Enter an item or leave one level; return the offset to go on from."""
    level = stack[-1]
    if tag == ITEM and not level.in_item:
        if length != UNDEFINED and level.opaque:
            return position + length
        end = None if length == UNDEFINED else position + length
        stack.append(_Level(True, end, level.encoding))
    elif tag == ITEM_END and level.in_item:
        stack.pop()
    elif tag == SEQUENCE_END:
        if level.in_item:
            flags.add("missing_delimiter")
            stack.pop()
        if stack:
            stack.pop()
    else:
        raise UnreadableError("a delimiter where none belongs")
    return position


def _nested_element(
    source: Source, position: int, tag: int, length: int, encoding: Encoding
) -> tuple[int, _Level | None]:
    """Return the offset to go on from, and the sequence to enter if the element is one."""
    vr: bytes | None = None
    position += 8
    if not encoding.implicit:
        at = position - 8 - source.base
        _group, _element, vr, length = encoding.explicit.unpack_from(source.buffer, at)
        if vr in LONG_VRS:
            source.ensure(position, 4)
            at = position - source.base
            (length,) = encoding.long_length.unpack_from(source.buffer, at)
            position += 4
        elif vr not in SHORT_VRS:
            raise UnreadableError("an element of unknown VR within a sequence")
    inside = IMPLICIT_LITTLE if vr == b"UN" else encoding
    if length == UNDEFINED:
        return position, _Level(False, None, inside, vr in (b"OB", b"OW"))
    if position + length > source.size:
        missing = position + length - source.size
        raise UnreadableError(f"cut short within a sequence: {missing} bytes are missing")
    if vr == b"SQ" or (vr in (None, b"UN") and tag in SEQUENCE_TAGS):
        return position, _Level(False, position + length, inside)
    return position + length, None
