"""Volumes and what is computed from them."""

from django.apps import AppConfig
from django.db.models.signals import post_delete
from django.utils.translation import gettext_lazy as _


class ReconstructionConfig(AppConfig):
    """The room's configuration."""

    name = "reconstruction"
    verbose_name = _("Reconstruction")

    def ready(self) -> None:
        """Say who cuts planes, and let files go with their rows."""
        # Models can be imported only now.
        from archive.plane_values import register_plane_source  # noqa: PLC0415
        from archive.signals import study_leaving  # noqa: PLC0415
        from reconstruction.keeping import keep_while_reconstructed  # noqa: PLC0415
        from reconstruction.models import ReconstructionJob  # noqa: PLC0415
        from reconstruction.plane_values import cut_values  # noqa: PLC0415
        from reconstruction.results import remove_with_row  # noqa: PLC0415

        register_plane_source(cut_values)
        post_delete.connect(remove_with_row, ReconstructionJob)
        study_leaving.connect(keep_while_reconstructed, dispatch_uid="reconstruction.keeping")
