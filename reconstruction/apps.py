"""Volumes and what is computed from them."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ReconstructionConfig(AppConfig):
    """The room's configuration."""

    name = "reconstruction"
    verbose_name = _("Reconstruction")
