"""The running parts: receiver, worker, queue, web."""

from __future__ import annotations

import http.client
from collections.abc import Iterator

from django.conf import settings
from django.db.models import Max
from django.utils import timezone

from archive.models import Heartbeat, Job
from dicom_receiver.contexts import VERIFICATION
from dicom_receiver.requestor import Offer, Requestor, Target
from imaging.errors import PeerUnavailableError
from noctis import parts
from noctis.checkup.finding import Finding, fail, ok, warn

CALLING_AE_TITLE = "NOCTIS_CHECK"
START = "Start it: make run starts all parts, manage.py serve does the same."


def check_services() -> Iterator[Finding]:
    """Yield findings on every part that runs."""
    yield _check_web()
    yield from _check_receiver()
    yield _check_worker()
    yield from _check_queue()


def _check_web() -> Finding:
    host, port = settings.NOCTIS_HTTP
    connection = http.client.HTTPConnection(_reach(host), port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return fail("web", f"nobody answers at {host}:{port}", START)
    finally:
        connection.close()
    if status != 200:
        return fail("web", f"{host}:{port} answers {status}", "Is another program on this port?")
    return ok("web", f"answers at {host}:{port}")


def _check_receiver() -> Iterator[Finding]:
    if parts.look_at_role("receiver").is_well:
        yield ok("receiver", "gives signs of life")
    else:
        yield fail("receiver", f"no sign of life{_last_seen('receiver')}", START)
    yield _echo()


def _echo() -> Finding:
    """Send a real C-ECHO, as a modality would."""
    host, port = settings.NOCTIS_DICOM
    target = Target(
        host=_reach(host),
        port=port,
        called_ae=settings.NOCTIS_AET.strip(),
        connect_seconds=5,
        answer_seconds=5,
    )
    try:
        with Requestor(target, [Offer(VERIFICATION)], calling_ae=CALLING_AE_TITLE) as peer:
            if peer.echo() == 0:
                return ok("C-ECHO", f"{settings.NOCTIS_AET} answers at {host}:{port}")
            return fail("C-ECHO", "no success in the answer", "See logs/noctis.log.")
    except PeerUnavailableError as error:
        if error.trouble == "rejected":
            words = f"{host}:{port} speaks DICOM and refuses unknown callers"
            return ok("C-ECHO", words)
        return fail(
            "C-ECHO",
            f"no DICOM association at {host}:{port}",
            f"{START} If it runs, is a firewall or another program on this port?",
        )


def _check_worker() -> Finding:
    if parts.look_at_role("worker").is_well:
        return ok("worker", "gives signs of life")
    return fail(
        "worker",
        f"no sign of life{_last_seen('worker')}",
        f"Thumbnails and notices wait until it runs. {START}",
    )


def _check_queue() -> Iterator[Finding]:
    state = parts.look_at_queue()
    if state.is_well:
        yield ok("queue", state.word)
    else:
        yield warn(
            "queue",
            state.word,
            "Storing goes on, and jobs run late. Is Redis running at NOCTIS_REDIS_URL, and is a "
            "worker alive?",
        )
    failed = Job.objects.filter(state=Job.State.FAILED).count()
    if failed:
        yield warn(
            "jobs",
            f"{failed} failed for good",
            "The admin pages list them under Jobs with the reason; choose Retry there.",
        )
    else:
        yield ok("jobs", "none has failed")


def _last_seen(role: str) -> str:
    seen_at = Heartbeat.objects.filter(role=role).aggregate(last=Max("seen_at"))["last"]
    if seen_at is None:
        return ""
    return f" for {(timezone.now() - seen_at).total_seconds():.0f} s"


def _reach(host: str) -> str:
    """Return how this machine reaches what listens there."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
