"""DICOM over TLS: can it be used, until when are its certificates valid, who checks whom?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings

from dicom_receiver.certificates import read_expiry
from dicom_receiver.models import Peer
from dicom_receiver.tls import UnusableError, accepting_context, calling_context
from noctis.checkup.finding import Finding, fail, ok, warn

SOON = timedelta(days=30)


def check_tls() -> Iterator[Finding]:
    """Yield findings on DICOM over TLS; none when nobody uses it."""
    calls = Peer.objects.filter(use_tls=True, is_active=True).exists()
    if not settings.NOCTIS_DICOM_TLS and not calls:
        return
    try:
        (accepting_context() if settings.NOCTIS_DICOM_TLS else calling_context()).get()
    except UnusableError as error:
        yield fail("DICOM TLS", str(error), "See NOCTIS_DICOM_TLS in docs/settings.md.")
        return
    files = {"certificate": settings.NOCTIS_DICOM_TLS_CERTIFICATE}
    files["authority"] = settings.NOCTIS_DICOM_TLS_CA
    for name, path in files.items():
        if path:
            yield check_expiry(f"DICOM TLS {name}", Path(path), datetime.now(UTC))
    yield from _check_binding()


def check_expiry(subject: str, path: Path, now: datetime) -> Finding:
    """Return how long the certificates of a file are valid."""
    try:
        expires_at = read_expiry(path)
    except (OSError, ValueError) as error:
        return fail(subject, f"{path} cannot be read: {error}", "It must be a file in PEM form.")
    words = f"{path} is valid until {expires_at:%Y-%m-%d}"
    advice = "Replace the file; the receiver uses the new one by itself."
    if expires_at <= now:
        return fail(subject, f"{path} has expired on {expires_at:%Y-%m-%d}", advice)
    if expires_at <= now + SOON:
        return warn(subject, words, advice)
    return ok(subject, words)


def _check_binding() -> Iterator[Finding]:
    """Yield what is wrong when peers name certificates that nobody is asked for."""
    is_bound = Peer.objects.filter(is_active=True).exclude(certificate="").exists()
    if is_bound and (not settings.NOCTIS_DICOM_TLS or settings.NOCTIS_DICOM_TLS_CLIENTS == "none"):
        yield fail(
            "DICOM TLS peers",
            "peers name certificates, but no caller is asked for one: they are all strangers",
            "Set NOCTIS_DICOM_TLS and NOCTIS_DICOM_TLS_CA.",
        )
