"""What holds a study in the archive: somebody has reported on it."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from archive.models import Study
from imaging.errors import ConflictError
from worklist.models import WorklistEntry


def keep_reported(study: Study, **_also: Any) -> None:
    """Raise ConflictError for a study with a report; answers `archive.signals.study_leaving`."""
    reported = (WorklistEntry.Status.REPORTED, WorklistEntry.Status.FINAL)
    if WorklistEntry.objects.filter(study=study, status__in=reported).exists():
        raise ConflictError(_("It is reported: it cannot be deleted."))
