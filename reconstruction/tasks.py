"""What Celery carries for this room: a key that wakes a worker."""

from celery import shared_task

from reconstruction.turns import woken


@shared_task(name="reconstruction.look", ignore_result=True)
def look(_key: str) -> None:
    """Look for jobs now. The row says what is to do, so a message may be lost or come twice."""
    woken.set()
