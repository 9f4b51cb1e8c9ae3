"""What no administrator can shorten, shortened, so that tests need not wait for it."""

from __future__ import annotations

from django.apps import AppConfig

DRAIN_SECONDS = 3.0


class HastyConfig(AppConfig):
    name = "tests.hasty"
    label = "hasty"

    def ready(self) -> None:
        from dicom_receiver import child, fleet, heartbeat, limits

        limits.DRAIN_SECONDS = DRAIN_SECONDS
        child.FLUSH_SECONDS = heartbeat.BEAT_SECONDS = 0.3
        fleet.QUESTION_SECONDS = 0.5
