"""Which stored instances and frames a rendered resource stands for, as one person may see them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from django.contrib.auth.models import AnonymousUser
from django.db.models import F, QuerySet
from django.utils.translation import gettext as _
from rest_framework.exceptions import NotFound

from accounts.models import User
from archive.models import Instance
from imaging.errors import QueryError, TooBroadError

# More are not rendered by one request.
INSTANCES_LIMIT = 5_000
FRAMES_LIMIT = 1_000
_FRAMES = re.compile(r"\d{1,9}(?:,\d{1,9})*", re.ASCII)
_FIELDS = {
    "StudyInstanceUID": "study__study_instance_uid",
    "SeriesInstanceUID": "series__series_instance_uid",
    "SOPInstanceUID": "sop_instance_uid",
}


def find_rows(user: User | AnonymousUser, uids: Mapping[str, str]) -> QuerySet[Instance]:
    """Return the instances below a study, a series or an instance, in the order of their numbers.

    Each has its series, study and patient. Where several facilities that the person may see
    hold the UIDs, the study that was received last is meant. Raises NotFound for what is not
    there or belongs to others.
    """
    visible = Instance.objects.visible_to(user)
    found = visible.filter(**{_FIELDS[keyword]: uid for keyword, uid in uids.items()})
    latest = found.order_by("-study__last_received_at", "-study_id").values("study_id").first()
    if latest is None:
        raise NotFound(_("Not found."), "not_found")
    rows = found.filter(study_id=latest["study_id"]).select_related("series", "study__patient")
    return rows.order_by(
        F("series__series_number").asc(nulls_last=True),
        "series_id",
        F("instance_number").asc(nulls_last=True),
        "sop_instance_uid",
    )


def find_instances(user: User | AnonymousUser, uids: Mapping[str, str]) -> list[Instance]:
    """Return the same as a list. Raises TooBroadError for more than are rendered at once, too."""
    instances = list(find_rows(user, uids)[: INSTANCES_LIMIT + 1])
    if len(instances) > INSTANCES_LIMIT:
        raise TooBroadError("There are too many instances to be rendered at once.")
    return instances


def parse_frames(text: str, count: int) -> Sequence[int]:
    """Return the frames of a list in its order, counted from 0; in the list they count from 1.

    Raises QueryError for what is no list, NotFound for a frame that the instance does not have.
    """
    if not _FRAMES.fullmatch(text):
        raise QueryError("The list of frames holds numbers from 1, with commas between them.")
    frames = [int(part) - 1 for part in text.split(",")]
    if len(frames) > FRAMES_LIMIT:
        raise TooBroadError("There are too many frames to be rendered at once.")
    if min(frames) < 0:
        raise QueryError("Frames are counted from 1.")
    if max(frames) >= count:
        raise NotFound(_("Not found."), "not_found")
    return frames
