"""Success is said at once; the rows are written a moment later, if there is one."""

from __future__ import annotations

import threading
from collections.abc import Callable

from django.apps import AppConfig

LATE_SECONDS = 2.0


class EarlyConfig(AppConfig):
    name = "tests.faults.early"
    label = "early"

    def ready(self) -> None:
        from archive import ingest
        from archive.arrival import Arrival, Outcome

        commit = vars(ingest)["commit"]

        def answer_first(arrival: Arrival, publish: Callable[[], None]) -> Outcome:
            publish()
            threading.Timer(LATE_SECONDS, commit, [arrival, lambda: None]).start()
            return Outcome(
                status="stored",
                study_instance_uid=arrival.facts.study_instance_uid,
                series_instance_uid=arrival.facts.series_instance_uid,
                sop_instance_uid=arrival.facts.sop_instance_uid,
            )

        vars(ingest)["commit"] = answer_first
