"""The viewer page, frame delivery, measurements and annotations."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ViewerConfig(AppConfig):
    """The room's configuration."""

    name = "viewer"
    verbose_name = _("Viewer")

    def ready(self) -> None:
        """Name the jobs of this room."""
        from archive import jobs  # noqa: PLC0415  (models are not ready before)

        jobs.register("export", "viewer.export_job.run_export_job")
        jobs.register("export_end", "viewer.exports.run_export_end_job")
