"""What holds a study in the archive: it is on its way to another one."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from archive.models import Study
from dicom_receiver.outgoing.models import Transfer
from imaging.errors import ConflictError


def keep_while_sent(study: Study, **_also: Any) -> None:
    """Raise ConflictError while it is being sent; answers `archive.signals.study_leaving`."""
    if Transfer.objects.filter(study=study, status__in=Transfer.OPEN).exists():
        raise ConflictError(_("It is being sent to another archive: wait, or cancel that."))
