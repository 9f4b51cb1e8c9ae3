"""DIMSE: the guarded port, peers, statistics."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DicomReceiverConfig(AppConfig):
    """The room's configuration."""

    name = "dicom_receiver"
    verbose_name = _("DICOM network")

    def ready(self) -> None:
        """Have what comes in looked at by the routing rules, after the answer."""
        # Models can be imported only now.
        from archive import jobs  # noqa: PLC0415
        from archive.promises import register_promiser  # noqa: PLC0415
        from archive.signals import studies_indexed, study_leaving  # noqa: PLC0415
        from dicom_receiver.outgoing.keeping import keep_while_sent  # noqa: PLC0415
        from dicom_receiver.routing.evaluate import KIND, queue_studies  # noqa: PLC0415

        register_promiser("dicom_receiver.commitment.over_http.HttpPromiser")
        studies_indexed.connect(queue_studies, dispatch_uid="dicom_receiver.routing")
        study_leaving.connect(keep_while_sent, dispatch_uid="dicom_receiver.keeping")
        jobs.register(KIND, "dicom_receiver.routing.evaluate.run_routing_job")
