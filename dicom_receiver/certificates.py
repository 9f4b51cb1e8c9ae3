"""Certificates of the other side, and until when ours are valid (RFC 5280)."""

from __future__ import annotations

import hashlib
import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FINGERPRINT_LENGTH = 64

# Names of a subject's parts as people write them (RFC 4514 3), by Python's names for them.
_SHORT_NAMES = {
    "commonName": "CN",
    "countryName": "C",
    "domainComponent": "DC",
    "localityName": "L",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "serialNumber": "SERIALNUMBER",
    "stateOrProvinceName": "ST",
    "streetAddress": "STREET",
    "userId": "UID",
}
_PART = re.compile(r"\s*([A-Za-z]+)\s*=\s*((?:\\.|[^\\,])+)\s*(?:,|$)")
_PEM_BLOCK = re.compile(
    r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL | re.ASCII
)


@dataclass(frozen=True)
class Certificate:
    """A verified certificate: SHA-256 of its DER in lower case, and the parts of its subject."""

    fingerprint: str
    subject: frozenset[tuple[str, str]]

    def fits(self, binding: str) -> bool:
        """Whether this is what an administrator wrote down: a fingerprint, or parts of a subject.

        All the parts that are written must be in the subject; their order does not count.
        """
        fingerprint = parse_fingerprint(binding)
        if fingerprint is not None:
            return fingerprint == self.fingerprint
        wanted = parse_subject(binding)
        return bool(wanted) and wanted <= self.subject


def read_certificate(sock: ssl.SSLSocket) -> Certificate | None:
    """Return the other side's verified certificate, None when it showed none."""
    encoded = sock.getpeercert(binary_form=True)
    if not encoded:
        return None
    told: dict[str, Any] = sock.getpeercert() or {}
    parts = [pair for part in told.get("subject", ()) for pair in part]
    subject = frozenset((_SHORT_NAMES.get(name, name.upper()), value) for name, value in parts)
    return Certificate(hashlib.sha256(encoded).hexdigest(), subject)


def parse_fingerprint(text: str) -> str | None:
    """Return a SHA-256 fingerprint in its plain form, None when the text is none."""
    plain = re.sub(r"[\s:]", "", text).lower()
    return plain if re.fullmatch(rf"[0-9a-f]{{{FINGERPRINT_LENGTH}}}", plain) else None


def parse_subject(text: str) -> frozenset[tuple[str, str]]:
    """Return the parts of `CN=ct1, O=Hospital`; empty when the text is no such list."""
    found: set[tuple[str, str]] = set()
    position = 0
    while position < len(text.rstrip()):
        part = _PART.match(text, position)
        if part is None:
            return frozenset()
        value = re.sub(r"\\(.)", r"\1", part[2].strip())
        found.add((part[1].upper(), value))
        position = part.end()
    return frozenset(found)


def read_expiry(path: Path) -> datetime:
    """Return when the first certificate to expire in a PEM file does so.

    Raises OSError when the file cannot be read, ValueError when it holds no certificate.
    """
    blocks = _PEM_BLOCK.findall(path.read_text("ascii", "replace"))
    if not blocks:
        raise ValueError("there is no certificate in PEM form")
    return min(_not_after(ssl.PEM_cert_to_DER_cert(block)) for block in blocks)


def _not_after(certificate: bytes) -> datetime:
    """Return notAfter of a certificate in DER (RFC 5280 4.1)."""
    _, outer, _ = _read_element(certificate, 0)
    _, inner, _ = _read_element(outer, 0)
    position = 0
    kind, _, end = _read_element(inner, position)
    if kind == 0xA0:  # the version, which is optional
        position = end
    for _ in range(3):  # serial number, signature, issuer
        _, _, position = _read_element(inner, position)
    _, validity, _ = _read_element(inner, position)
    _, _, position = _read_element(validity, 0)
    kind, raw, _ = _read_element(validity, position)
    text = raw.decode("ascii")
    if kind == 0x17:  # UTCTime: years 1950 to 2049
        text = ("19" if text[:2] >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _read_element(data: bytes, position: int) -> tuple[int, bytes, int]:
    """Return tag, content and end of the DER element at a position."""
    if len(data) < position + 2:
        raise ValueError("the certificate is cut short")
    length, begin = data[position + 1], position + 2
    if length & 0x80:
        count = length & 0x7F
        length = int.from_bytes(data[begin : begin + count], "big")
        begin += count
    if len(data) < begin + length:
        raise ValueError("the certificate is cut short")
    return data[position], data[begin : begin + length], begin + length
