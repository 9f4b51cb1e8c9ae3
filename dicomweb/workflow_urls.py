"""Addresses of what scanners ask and tell: commitment, worklist, performed steps (PS3.18 13-15)."""

from django.urls import path

from dicomweb.commitment import CommitmentView
from dicomweb.performed_steps import PerformedStepView
from dicomweb.scheduled_steps import ScheduledStepsView

urlpatterns = [
    path("commitment-requests/<uid:transaction_uid>", CommitmentView.as_view(), name="commitment"),
    path(
        "modality-scheduled-procedure-steps", ScheduledStepsView.as_view(), name="scheduled-steps"
    ),
    path(
        "modality-performed-procedure-steps/<uid:uid>",
        PerformedStepView.as_view(),
        name="performed-step",
    ),
]
