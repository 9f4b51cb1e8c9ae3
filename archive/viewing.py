"""Who looked at which study: an audit row for every view, none twice for one sitting."""

from __future__ import annotations

import uuid

from django.core.cache import cache
from django.http import HttpRequest

from accounts.address import read_address
from accounts.audit import record_for_user
from accounts.models import User
from archive.models import Study

SITTING_SECONDS = 900


def record_view(request: HttpRequest, study: Study, action: str = "view_study") -> None:
    """Write the audit row for a person who opens a study."""
    assert isinstance(request.user, User)
    record_for_user(
        request.user,
        action,
        address=read_address(request),
        facility_id=study.facility_id,
        patient_id=study.patient.patient_id,
        study_instance_uid=study.study_instance_uid,
    )
    cache.set(_sitting(request.user, study.pk, action), True, SITTING_SECONDS)


def ensure_view_recorded(request: HttpRequest, study: Study, action: str = "view_study") -> None:
    """Write the audit row unless this person's sitting with this study has one.

    Pictures come by many small requests; opening the page has written the
    row for all of them. Who asks for pictures without a page leaves one too.
    """
    assert isinstance(request.user, User)
    if cache.get(_sitting(request.user, study.pk, action)) is None:
        record_view(request, study, action)


def ensure_viewing_recorded(
    request: HttpRequest, study_id: uuid.UUID, action: str = "view_study"
) -> None:
    """Do the same by the study's key: its row is read when there is something to write."""
    assert isinstance(request.user, User)
    if cache.get(_sitting(request.user, study_id, action)) is None:
        study = Study.objects.select_related("patient").get(pk=study_id)
        record_view(request, study, action)


def _sitting(user: User, study_id: uuid.UUID, action: str) -> str:
    return f"viewing:{action}:{user.pk}:{study_id}"
