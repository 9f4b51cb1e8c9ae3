"""Sending instances to a peer: which contexts to propose, how each goes out, what came of it.

Files go out as they lie, in the transfer syntax that they are stored in. Only when the
peer accepts nothing else for a class is an instance transcoded, to Explicit (else
Implicit) VR Little Endian. An association that is lost is opened again for what is left.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from archive.transcode import transcoded
from dicom_receiver import limits, statuses
from dicom_receiver.contexts import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from dicom_receiver.requestor import Agreed, Offer, Part, Requestor, Response, Target
from dicom_receiver.wire import Stop
from imaging.errors import MissingError, NoctisError, PeerUnavailableError, UnreadableError

logger = logging.getLogger("noctis.dimse")

Kind = tuple[str, str]
"""SOP class and transfer syntax, as UIDs."""

_TRIES = 2
_LOSSES = 4
_PAUSE_SECONDS = 0.3
# Files that a disk needs a while for, and how much of them is fetched early.
_AHEAD_BYTES, _AHEAD_MOST_BYTES = 128 * 1024, 8 * 1024 * 1024
_PLAIN = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)


@dataclass(frozen=True, slots=True)
class Sendable:
    """One instance on the disk: what it is and where its data set begins.

    `size_bytes` is that of the whole file; `key` is the caller's own name for it.
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    path: Path | str
    dataset_offset: int
    size_bytes: int
    key: Any = None

    @property
    def kind(self) -> Kind:
        """What a context must be for."""
        return self.sop_class_uid, self.transfer_syntax_uid


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of one instance: the peer's status, or None when it never answered.

    `trouble` is the one word of PeerUnavailableError when the association was the problem.
    """

    item: Sendable
    status: int | None
    words: str = ""
    trouble: str = ""
    is_transcoded: bool = False

    @property
    def is_stored(self) -> bool:
        """Whether the peer has it, also with a warning (PS3.4 B.2.3)."""
        return self.status is not None and statuses.is_stored(self.status)

    @property
    def is_warning(self) -> bool:
        """Whether the peer has it, with a remark."""
        return self.is_stored and self.status != statuses.SUCCESS


# --- what to propose -----------------------------------------------------------------
def offers_for(kinds: Iterable[Kind]) -> list[Offer]:
    """Return a context for each kind, and for each class one of the plain syntaxes to fall back on.

    Each kind is in a context of its own, so that the peer says yes or no to it alone.
    """
    by_class: dict[str, list[str]] = {}
    for sop_class_uid, syntax in dict.fromkeys(kinds):
        by_class.setdefault(sop_class_uid, []).append(syntax)
    offers = []
    for sop_class_uid, syntaxes in by_class.items():
        offers += [Offer(sop_class_uid, (syntax,)) for syntax in syntaxes]
        if plain := tuple(uid for uid in _PLAIN if uid not in syntaxes):
            offers.append(Offer(sop_class_uid, plain))
    return offers


def split_kinds(kinds: Iterable[Kind]) -> list[frozenset[Kind]]:
    """Return the kinds in groups that fit into an association each (PS3.8 9.3.2.2: 128 contexts).

    Kinds of one class stay together.
    """
    groups: list[set[Kind]] = [set()]
    by_class: dict[str, set[Kind]] = {}
    for kind in sorted(set(kinds)):
        by_class.setdefault(kind[0], set()).add(kind)
    for of_class in by_class.values():
        if len(offers_for(groups[-1] | of_class)) > limits.PRESENTATION_CONTEXTS:
            groups.append(set())
        groups[-1] |= of_class
    return [frozenset(group) for group in groups if group]


def choose_context(contexts: Sequence[Agreed], item: Sendable) -> Agreed | None:
    """Return the context in which an instance goes out: as it is stored, else plain."""
    of_class = {
        one.transfer_syntax: one for one in contexts if one.abstract_syntax == item.sop_class_uid
    }
    for syntax in (item.transfer_syntax_uid, *_PLAIN):
        if syntax in of_class:
            return of_class[syntax]
    return None


# --- one instance ------------------------------------------------------------------------
Store = Callable[[Agreed, str, Part], Response]


def send_one(store: Store, context: Agreed | None, item: Sendable) -> Sent:
    """Send one instance by `store` in this context; what fails before it is an outcome.

    Raises PeerUnavailableError when the association is lost.
    """
    if context is None:
        return Sent(item, None, "The peer takes this kind in no way that we can send it.")
    is_transcoded = context.transfer_syntax != item.transfer_syntax_uid
    try:
        with _transcoded(item, context) if is_transcoded else _opened(item) as part:
            response = store(context, item.sop_instance_uid, part)
    except PeerUnavailableError:
        raise
    except NoctisError as error:
        return Sent(item, None, f"Not sent: {error}", is_transcoded=is_transcoded)
    words = response.comment or statuses.words_of(response.status)
    return Sent(item, response.status, words, is_transcoded=is_transcoded)


@contextlib.contextmanager
def _transcoded(item: Sendable, context: Agreed) -> Iterator[Part]:
    with transcoded(item.path, context.transfer_syntax) as (descriptor, offset, size_bytes):
        yield Part(descriptor, offset, size_bytes - offset)


@contextlib.contextmanager
def _opened(item: Sendable) -> Iterator[Part]:
    """Give the data set in its file, if that is whole."""
    try:
        descriptor = os.open(item.path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise MissingError("The stored file is missing or cannot be read.") from error
    try:
        if os.fstat(descriptor).st_size != item.size_bytes:
            raise UnreadableError("The file is damaged: it has another size than was stored.")
        yield Part(descriptor, item.dataset_offset, item.size_bytes - item.dataset_offset)
    finally:
        os.close(descriptor)


# --- many ------------------------------------------------------------------------------------
def reading_ahead(items: Iterable[Sendable | None]) -> Iterator[Sendable | None]:
    """Yield the items; the file of the next one is on its way into memory meanwhile."""
    waiting: list[Sendable | None] = []
    for item in items:
        if item is not None and item.size_bytes >= _AHEAD_BYTES:
            _advise(item)
        yield from waiting
        waiting = [item]
    yield from waiting


def _advise(item: Sendable) -> None:
    # What is wrong with the file is said when its turn comes.
    with contextlib.suppress(OSError):
        descriptor = os.open(item.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.posix_fadvise(descriptor, 0, _AHEAD_MOST_BYTES, os.POSIX_FADV_WILLNEED)
        finally:
            os.close(descriptor)


class Sender:
    """Sends what it is given to one peer, over one association after the other.

    `kinds` is all that will come. Use it as a context manager, so that the last association is
    released in order. It serves one thread.
    """

    def __init__(
        self,
        target: Target,
        kinds: Iterable[Kind],
        *,
        calling_ae: str = "",
        move_originator: tuple[str, int] | None = None,
        stop: Stop | None = None,
    ) -> None:
        self.target = target
        self.given_up: PeerUnavailableError | None = None
        """Why nothing more is tried, or None."""
        self._calling_ae = calling_ae
        self._move_originator = move_originator
        self._stop = stop or Stop()
        self._groups = split_kinds(kinds)
        self._refused: set[frozenset[Kind]] = set()
        self._group: frozenset[Kind] = frozenset()
        self._peer: Requestor | None = None
        self._was_open = False
        self._losses = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.close(in_order=kind is None)

    def close(self, *, in_order: bool = True) -> None:
        """End the association, if there is one."""
        peer, self._peer = self._peer, None
        if peer is None:
            return
        if in_order:
            peer.release()
        else:
            peer.abort()

    def send(self, item: Sendable) -> Sent:
        """Send one instance; an association that is lost is opened again.

        An instance at which it is lost twice fails. After four losses without an answer in
        between (time-outs count twice), or when the first association does not come about,
        nothing more is tried: every further instance fails with the last trouble's words.
        """
        error = self.given_up
        for _ in range(_TRIES):
            if self.given_up is not None:
                break
            try:
                return self._send(item)
            except PeerUnavailableError as trouble:
                error = trouble
                self._note_loss(trouble)
        assert error is not None
        return Sent(item, None, str(error), error.trouble)

    def _send(self, item: Sendable) -> Sent:
        group = self._group_of(item)
        peer = self._association_for(group)
        if peer is None:
            return Sent(item, None, "The peer takes nothing of this kind.", "no context")
        store = functools.partial(peer.store, move_originator=self._move_originator)
        sent = send_one(store, choose_context(peer.accepted, item), item)
        self._losses = 0
        if not peer.is_open:
            # The file broke off in the middle of the data set, and so did the association.
            self._peer = None
        return sent

    def _group_of(self, item: Sendable) -> frozenset[Kind]:
        if item.kind in self._group:
            return self._group
        return next((one for one in self._groups if item.kind in one), frozenset({item.kind}))

    def _association_for(self, group: frozenset[Kind]) -> Requestor | None:
        """Return the association for these kinds, or None when the peer takes none of them."""
        if group in self._refused:
            return None
        if self._peer is not None and group == self._group:
            return self._peer
        self.close()
        peer = Requestor(
            self.target, offers_for(group), calling_ae=self._calling_ae, stop=self._stop
        )
        try:
            peer.open()
        except PeerUnavailableError as error:
            if error.trouble == "no context":
                self._refused.add(group)
                return None
            raise
        self._peer, self._group, self._was_open = peer, group, True
        return peer

    def _note_loss(self, error: PeerUnavailableError) -> None:
        self._peer = None
        self._losses += 2 if error.trouble == "timed out" else 1
        if not self._was_open or self._losses >= _LOSSES:
            self.given_up = error
            logger.warning("sending to %s is given up: %s", self.target, error)
            return
        self._stop.now.wait(_PAUSE_SECONDS * self._losses)
