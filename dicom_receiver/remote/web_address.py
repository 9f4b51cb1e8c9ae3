"""Where DICOMweb peers may be: the rules for their addresses, and for what these resolve to.

Administrators alone write peers down; still, an address must not turn this server against
itself, its neighbours on the same machine, or the service that tells a cloud machine its secrets.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

# What tells cloud machines their secrets, beside all of link-local.
METADATA_ADDRESSES = frozenset(
    ipaddress.ip_address(text) for text in ("100.100.100.200", "168.63.129.16", "fd00:ec2::254")
)
_WELL_KNOWN_PORTS = {"http": 80, "https": 443}


class RefusedAddressError(Exception):
    """We do not call that address; the words say why."""


def check_base_url(text: str) -> None:
    """Raise ValidationError unless this is an http(s) address without user, query or fragment."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValidationError(_("This is no web address.")) from None
    if parts.scheme not in _WELL_KNOWN_PORTS or not parts.hostname:
        raise ValidationError(_("Give an address that begins with https:// or http://."))
    if port == 0 or any(ord(letter) <= 0x20 or ord(letter) == 0x7F for letter in text):
        raise ValidationError(_("This is no web address."))
    if "@" in parts.netloc:
        raise ValidationError(_("Give user and password in their own fields."))
    if "?" in text or "#" in text:
        raise ValidationError(_("Give the address without ? and #."))


def origin_of(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of an address: what a redirect must not leave."""
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    return scheme, (parts.hostname or "").lower(), parts.port or _WELL_KNOWN_PORTS.get(scheme, 0)


def check_connection(there: tuple[str, int], here: str) -> None:
    """Raise RefusedAddressError unless a connection to `there` from our address `here` may be used.

    It is asked of the connection that was made, before a byte is sent: a name cannot resolve to
    one address for the check and to another one afterwards.
    """
    address = _plain(there[0])
    if address.is_link_local or address in METADATA_ADDRESSES:
        raise RefusedAddressError(_("This address belongs to the machine's own services."))
    if address.is_multicast or address.is_unspecified or address.is_reserved:
        raise RefusedAddressError(_("This address is no machine's."))
    is_here = address.is_loopback or address == _plain(here)
    if is_here and there[1] in _own_ports():
        raise RefusedAddressError(_("This address is this server itself."))
    if address.is_loopback and not is_loopback_allowed():
        raise RefusedAddressError(
            _("This address means this machine; give the one that others use.")
        )


def is_loopback_allowed() -> bool:
    """Whether peers may be on this machine's loopback: only where we too listen there alone."""
    return _means_loopback(settings.NOCTIS_DICOM[0])


def _means_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return _plain(host).is_loopback
    except ValueError:
        return False


def _own_ports() -> set[int]:
    return {int(settings.NOCTIS_HTTP[1]), int(settings.NOCTIS_DICOM[1])}


def _plain(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return the address without zone; IPv4 in IPv6 is IPv4."""
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address
