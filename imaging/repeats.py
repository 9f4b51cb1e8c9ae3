"""Several images at one position: time points, the same picture twice, or nothing that is known.

What the header says of an image tells time points apart even when some images lack. Numbers
and clocks alone (instance number, frame, content time) are believed when the whole set of
positions comes again, with as many images at each: any image has a number of its own.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from imaging.ordering import PlacedImage

# So full must the table of positions and passes be, or its passes are chance duplicates.
FULL_ENOUGH = 0.75
# By numbers alone a last pass may be cut short only behind this many others.
WHOLE_BEFORE_CUT = 2

# The digest of an image's pixels by its key; empty when it is not known.
DigestOf = Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class Repeats:
    """What the images of one orientation say of being repeated.

    Attributes
    ----------
    passes
        Keys of each time point, one for each position, None where absent.
    absent
        Images that single time points lack.
    duplicates, identical
        Images beyond the first of their position that nothing tells apart; and how many of
        these have the very pixels of another one there.
    by_number
        Whether numbers or clocks alone tell the time points apart.
    """

    passes: tuple[tuple[Any, ...], ...]
    absent: int = 0
    duplicates: int = 0
    identical: int = 0
    by_number: bool = False


def examine_repeats(
    arranged: list[PlacedImage], positions: int, digest_of: DigestOf | None = None
) -> Repeats:
    """Examine the images of one orientation, each with its step among `positions`.

    `digest_of` is asked only for images at a position that others share and that nothing in
    the header tells apart.
    """
    tables: dict[tuple[Any, int], list[Any]] = {}
    for placed in arranged:
        row = tables.setdefault(placed.pass_key, [None] * positions)
        row[placed.step] = placed.image.key
    passes = tuple(map(tuple, tables.values()))
    absent = len(tables) * positions - len(arranged)
    if len(tables) == 1:
        return Repeats(passes)
    full = len(arranged) >= FULL_ENOUGH * len(tables) * positions
    if full and _differ(arranged, lambda one: one.parts):
        return Repeats(passes, absent)
    shared = _shared(arranged)
    is_numbered = _differ(
        arranged, lambda one: (one.image.instance_number, one.image.frame, one.parts)
    ) or _differ(arranged, lambda one: (one.image.clock, one.parts))
    comes_again = _comes_again(shared, positions, len(tables))
    if comes_again and is_numbered and not _are_copies(shared, digest_of):
        return Repeats(passes, absent, by_number=True)
    first: list[Any] = [None] * positions
    for placed in reversed(arranged):
        first[placed.step] = placed.image.key
    return Repeats(
        (tuple(first),),
        duplicates=len(arranged) - positions,
        identical=sum(_identical(keys, digest_of) for keys in shared.values()),
    )


def _differ(arranged: list[PlacedImage], mark: Callable[[PlacedImage], Any]) -> bool:
    return len({(one.step, mark(one)) for one in arranged}) == len(arranged)


def _shared(arranged: list[PlacedImage]) -> dict[int, list[Any]]:
    """Return the keys at each position that several images share."""
    by_step: dict[int, list[Any]] = defaultdict(list)
    for placed in arranged:
        by_step[placed.step].append(placed.image.key)
    return {step: keys for step, keys in by_step.items() if len(keys) > 1}


def _comes_again(shared: dict[int, list[Any]], positions: int, passes: int) -> bool:
    """Whether the whole set of positions is repeated, but for the end of a last pass."""
    if len(shared) < positions:
        return False
    counts = Counter(len(keys) for keys in shared.values())
    least = passes if passes <= WHOLE_BEFORE_CUT else passes - 1
    return all(least <= count <= passes for count in counts)


def _are_copies(shared: dict[int, list[Any]], digest_of: DigestOf | None) -> bool:
    """Whether all images at each position have the same pixels, as far as that is known."""
    return digest_of is not None and all(
        _identical(keys, digest_of) == len(keys) - 1 for keys in shared.values()
    )


def _identical(keys: list[Any], digest_of: DigestOf | None) -> int:
    """Return how many images have the very pixels of another one at their position."""
    if digest_of is None:
        return 0
    digests = [digest for digest in map(digest_of, keys) if digest]
    return len(digests) - len(set(digests))
