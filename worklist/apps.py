"""The worklist, uploads, reading and reports."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from archive.signals import studies_indexed, study_leaving


class WorklistConfig(AppConfig):
    """The room's configuration."""

    name = "worklist"
    verbose_name = _("Worklist")

    def ready(self) -> None:
        """Answer the archive: a study that is stored gets its entry in the same transaction."""
        # Models can be imported only now.
        from worklist.entries import write_entries  # noqa: PLC0415
        from worklist.keeping import keep_reported  # noqa: PLC0415

        studies_indexed.connect(write_entries, dispatch_uid="worklist.entries")
        study_leaving.connect(keep_reported, dispatch_uid="worklist.keeping")
