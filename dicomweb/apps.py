"""DICOM over HTTP (PS3.18)."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DicomwebConfig(AppConfig):
    """The room's configuration."""

    name = "dicomweb"
    verbose_name = _("DICOMweb")
