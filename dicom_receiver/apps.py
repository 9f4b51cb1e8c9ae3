"""DIMSE: the guarded port, peers, statistics."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DicomReceiverConfig(AppConfig):
    """The room's configuration."""

    name = "dicom_receiver"
    verbose_name = _("DICOM network")
