"""Patients, studies, series, instances; their files; the one way in."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ArchiveConfig(AppConfig):
    """The archive room."""

    name = "archive"
    verbose_name = _("Archive")

    def ready(self) -> None:
        """Name what is done after the answer."""
        from archive import jobs  # noqa: PLC0415  (models are not ready before)

        jobs.register("thumbnail", "archive.thumbnails.run_thumbnail_job")
        jobs.register("passport", "archive.passport.run_passport_job")
        jobs.register("metadata", "archive.metadata.run_metadata_job")
        jobs.register("upkeep", "archive.upkeep.run_upkeep_job")
