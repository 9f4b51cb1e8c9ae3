"""What ended long ago is forgotten: the trail keeps who got what."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from dicom_receiver.commitment.models import Commitment
from dicom_receiver.outgoing.models import Transfer

KEEP = timedelta(days=90)
ROWS_A_SWEEP = 200


def forget_old() -> int:
    """Remove transfers and commitments that ended well, a few at a time; returns how many."""
    before = timezone.now() - KEEP
    over = [Transfer.Status.DONE, Transfer.Status.CANCELLED]
    transfers = Transfer.objects.filter(status__in=over, ended_at__lt=before)
    reported = Commitment.objects.filter(status=Commitment.Status.REPORTED, reported_at__lt=before)
    count = 0
    for rows in (transfers, reported):
        keys = list(rows.order_by("id").values_list("pk", flat=True)[:ROWS_A_SWEEP])
        for key in keys:
            # One by one: a transfer may have many thousand images, and others want to write.
            rows.filter(pk=key).delete()
        count += len(keys)
    return count
