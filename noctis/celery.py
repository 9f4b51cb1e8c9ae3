"""The Celery application, and what each worker does besides its tasks.

Jobs are rows of the database (`archive.jobs`); a message only wakes a worker.
So every worker also looks for due jobs by itself: with a broker that is down,
or a message that is lost, work is late by a second and never lost.
"""

from __future__ import annotations

import logging
import os
import threading
import warnings
from typing import Any

from celery import Celery, bootsteps, signals
from celery.exceptions import SecurityWarning

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "noctis.settings")
# Django's checks would load every page of the house into a process that serves none.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

# Celery warns of root because messages could hold pickles; ours are JSON alone.
warnings.filterwarnings("ignore", category=SecurityWarning)

app = Celery("noctis")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@signals.setup_logging.connect
def _keep_logging(**_: Any) -> None:
    """Leave logging to Django's settings: having a receiver keeps Celery's hands off."""


class BackgroundStep(bootsteps.StartStopStep):
    """Start the worker's threads before it looks for the broker."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self.stopped = threading.Event()
        self.threads: list[threading.Thread] = []

    def start(self, parent: Any) -> None:
        """Start the threads."""
        from noctis import background  # noqa: PLC0415  (needs Django's apps, which load after us)

        # With `-Q` a worker takes only what its queues hold: `noctis`, `reconstruction`, `bulk`.
        for name, run in background.threads_for(set(parent.app.amqp.queues.consume_from)):
            thread = threading.Thread(target=run, args=(self.stopped,), name=name)
            thread.start()
            self.threads.append(thread)

    def stop(self, parent: Any) -> None:
        """Let the running job finish, within the time that a stop may take."""
        self.stopped.set()
        for thread in self.threads:
            thread.join(timeout=20)
            if thread.is_alive():
                logging.getLogger(__name__).warning("%s is still busy", thread.name)

    terminate = stop


app.steps["worker"].add(BackgroundStep)
