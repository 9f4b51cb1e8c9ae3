"""What Celery runs: keys in, verbs called."""

from celery import shared_task

from archive import jobs


@shared_task(name="archive.run_due_jobs", ignore_result=True)
def run_due_jobs() -> None:
    """Run the jobs that are due."""
    jobs.run_due()
