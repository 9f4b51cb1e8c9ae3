"""Where what somebody stores by the web belongs: a facility, or what its study already says."""

from __future__ import annotations

import io
import uuid
from dataclasses import dataclass

from django.utils.translation import gettext as _
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_partial

from accounts.models import Facility, User
from archive.access import may_see_quarantine
from archive.models import Study
from imaging.errors import IdentityError, NotAllowedError, QueryError
from imaging.uids import checked_uid
from worklist.filters import QUARANTINE

# So much of an object is looked at for its UIDs before it goes on its way.
HEAD_BYTES = 1 << 16
_STUDY, _CLASS, _INSTANCE = 0x0020000D, 0x00080016, 0x00080018
_META_CLASS, _META_INSTANCE = 0x00020002, 0x00020003


@dataclass(frozen=True)
class Destination:
    """A facility; or, when `is_open`, the one that has the study already."""

    user: User
    facility_id: uuid.UUID | None = None
    is_open: bool = False

    def of_study(self, study_instance_uid: str) -> uuid.UUID | None:
        """Return the facility of an object of this study; None is the quarantine.

        Raises NotAllowedError when nothing says which facility it is.
        """
        if not self.is_open:
            return self.facility_id
        known = Study.objects.visible_to(self.user).filter(study_instance_uid=study_instance_uid)
        found = list(known.values_list("facility_id", flat=True)[:2]) if study_instance_uid else []
        if len(found) == 1:
            return found[0]
        raise NotAllowedError(_("Name the facility that it belongs to: ?facility=CODE."))


def choose_destination(user: User, code: str) -> Destination:
    """Return where the person's objects go; a code names one of their facilities.

    Raises QueryError for a code that is none of theirs.
    """
    # What a token narrows, it narrows here as well.
    theirs = Facility.objects.visible_to(user).filter(is_active=True)
    facilities = dict(theirs.values_list("code", "pk"))
    if code:
        if code in facilities:
            return Destination(user, facilities[code])
        if code == QUARANTINE and may_see_quarantine(user):
            return Destination(user)
        raise QueryError(_("There is no such facility."))
    if len(facilities) == 1:
        return Destination(user, next(iter(facilities.values())))
    return Destination(user, is_open=True)


@dataclass(frozen=True)
class Named:
    """What the head of an object says of itself; what is missing or no UID is empty."""

    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    study_instance_uid: str = ""


def read_names(head: bytes) -> Named:
    """Return what the first bytes of a file name; never raises, for the file may be anything."""
    try:
        found = read_partial(
            io.BytesIO(head), stop_when=lambda tag, _vr, _length: tag > _STUDY, force=True
        )
    except (InvalidDicomError, OSError, ValueError, TypeError, KeyError, NotImplementedError):
        return Named()
    except Exception:  # noqa: BLE001 - whatever a stranger's bytes do to the reader, they name nothing
        return Named()

    def uid(source: object, tag: int) -> str:
        try:
            value = source[tag].value  # type: ignore[index]
            return checked_uid(str(value), "UID")[0]
        except (KeyError, IdentityError, ValueError, AttributeError, TypeError):
            return ""

    meta = found.file_meta
    return Named(
        uid(found, _CLASS) or uid(meta, _META_CLASS),
        uid(found, _INSTANCE) or uid(meta, _META_INSTANCE),
        uid(found, _STUDY),
    )
