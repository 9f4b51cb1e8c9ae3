"""What a credential lets its bearer do: at most what the person may, often less.

Authentication puts a grant on the person for the length of a request. The role and the
facilities are asked through `User`, rows through `visible_to`; both look here, so that no
other place need know by which credential somebody came.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Grant:
    """The bounds of one credential.

    Parameters
    ----------
    name : how the audit trail calls the credential; "" for a session in a browser
    may_write : whether requests may change anything
    may_delegate : whether further credentials may be made with this one
    facility_id : the one facility whose rows are there; None is all of the person's
    study_id : the one study whose rows are there; None is all that the person sees
    """

    name: str = ""
    may_write: bool = True
    may_delegate: bool = True
    facility_id: uuid.UUID | None = None
    study_id: uuid.UUID | None = None


WHOLE = Grant()
