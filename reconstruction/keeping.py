"""What holds a study in the archive: a reconstruction that is under way."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from archive.models import Study
from imaging.errors import ConflictError
from reconstruction.models import ReconstructionJob


def keep_while_reconstructed(study: Study, **_also: Any) -> None:
    """Raise ConflictError while a job reads it; answers `archive.signals.study_leaving`."""
    jobs = ReconstructionJob.objects.filter(study=study, status__in=ReconstructionJob.OPEN)
    if jobs.exists():
        raise ConflictError(_("A reconstruction of it is under way: wait, or cancel it."))
