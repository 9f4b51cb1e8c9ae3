"""The viewer page, frame delivery, measurements and annotations."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ViewerConfig(AppConfig):
    """The room's configuration."""

    name = "viewer"
    verbose_name = _("Viewer")
