"""Everything that can go wrong, said once.

    NoctisError
      PermanentError            trying again cannot help
        UnreadableError         not DICOM, or malformed
          LimitExceededError    claims more than our documented bounds
        UnsupportedError        understood, but nothing here can show or do it
        IdentityError           a UID is missing or bad
          MismatchError         two names for one object disagree
        ConflictError           contradicts what is stored already
        UndecodableError        the pixels cannot be decoded
        NotAVolumeError         the images do not form a volume
        NotAllowedError         this person or peer may not
        MissingError            there is no such thing (or it is not yours)
      TransientError            trying again may help
        StorageUnavailableError
        IndexUnavailableError
        PeerUnavailableError
        BusyError               too much of this work is under way

Children say what is wrong, not which protocol reported it; every door maps the tree to its
own statuses. Messages never hold patient data.
"""


class NoctisError(Exception):
    """Any failure that Noctis names."""


class PermanentError(NoctisError):
    """Trying again with the same input cannot help."""


class UnreadableError(PermanentError):
    """The bytes are not DICOM, or are malformed or cut short."""


class LimitExceededError(UnreadableError):
    """The bytes claim more than our documented bounds allow."""


class UnsupportedError(PermanentError):
    """Understood, but nothing here can show or do it."""


class IdentityError(PermanentError):
    """A UID is missing or bad."""


class MismatchError(IdentityError):
    """Two names for the same object disagree."""


class ConflictError(PermanentError):
    """Contradicts what is stored already."""


class QueryError(PermanentError):
    """A question breaks the rules of what may be asked."""


class TooBroadError(QueryError):
    """A question would take more work than one may ask for; a narrower one is answered."""


class UndecodableError(PermanentError):
    """The pixels cannot be decoded as their description says."""


class NotAVolumeError(PermanentError):
    """The images do not form a volume.

    `reasons` are codes and sentences of what forbids it, where that is known.
    """

    def __init__(self, words: str = "", *, reasons: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(words)
        self.reasons = reasons


class NotAllowedError(PermanentError):
    """The person or peer may not do this."""


class MissingError(PermanentError):
    """There is no such thing, or it belongs to someone else."""


class TransientError(NoctisError):
    """Trying again may help."""


class StorageUnavailableError(TransientError):
    """The file system or object store refuses or is full."""


class IndexUnavailableError(TransientError):
    """The database refuses or is busy."""


class PeerUnavailableError(TransientError):
    """The other application entity cannot be reached, refuses us, or does not answer.

    `trouble` is one word for what happened, where that is known: "unreachable",
    "rejected", "no context", "timed out", "aborted", "lost", "not dicom", "tls".
    """

    def __init__(self, words: str = "", *, trouble: str = "") -> None:
        super().__init__(words)
        self.trouble = trouble


class BusyError(TransientError):
    """Too much of this work is under way already; nothing is wrong with this piece.

    `progress`, from 0 to 1, is there when the very thing is being made.
    """

    def __init__(self, words: str = "", *, progress: float | None = None) -> None:
        super().__init__(words)
        self.progress = progress


def leaves() -> list[type[NoctisError]]:
    """Return every class that may be raised: the whole tree but its three trunk classes.

    A class with children of its own (`UnreadableError`) is raised too, so it is listed.
    """
    trunk = {NoctisError, PermanentError, TransientError}
    found: list[type[NoctisError]] = []
    pending: list[type[NoctisError]] = [NoctisError]
    while pending:
        branch = pending.pop()
        pending.extend(branch.__subclasses__())
        if branch not in trunk:
            found.append(branch)
    return sorted(found, key=lambda leaf: leaf.__name__)
