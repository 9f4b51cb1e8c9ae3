"""Where DICOMweb peers may not be."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from pytest_django import Settings

from dicom_receiver.remote.web_address import (
    RefusedAddressError,
    check_base_url,
    check_connection,
)

ELSEWHERE = "10.0.0.5"


@pytest.mark.parametrize(
    "address",
    [
        *("169.254.169.254", "fe80::1%eth0", "100.100.100.200", "168.63.129.16", "fd00:ec2::254"),
        *("0.0.0.0", "::", "224.0.0.1", "255.255.255.255", "::ffff:169.254.169.254"),
    ],
)
def test_services_of_the_machine_and_addresses_of_nobody_are_not_called(address: str) -> None:
    with pytest.raises(RefusedAddressError):
        check_connection((address, 443), ELSEWHERE)


@pytest.mark.parametrize(("there", "here"), [("127.0.0.1", "127.0.0.1"), (ELSEWHERE, ELSEWHERE)])
def test_we_do_not_call_ourselves(there: str, here: str, settings: Settings) -> None:
    settings.NOCTIS_HTTP, settings.NOCTIS_DICOM = ("127.0.0.1", 8000), ("127.0.0.1", 11112)
    for port in (8000, 11112):
        with pytest.raises(RefusedAddressError):
            check_connection((there, port), here)
    check_connection((there, 8042), here)


def test_loopback_is_for_houses_that_listen_there_alone(settings: Settings) -> None:
    settings.NOCTIS_DICOM = ("0.0.0.0", 11112)
    for address in ("127.0.0.1", "::1", "::ffff:127.0.0.1"):
        with pytest.raises(RefusedAddressError):
            check_connection((address, 6379), address)
    check_connection((ELSEWHERE, 443), "10.0.0.6")


@pytest.mark.parametrize(
    "url",
    [
        *(
            "ftp://pacs/",
            "file:///etc/passwd",
            "pacs",
            "http://",
            "http://user:word@pacs/dicom-web",
        ),
        *("http://pacs/?a=b", "http://pacs/#a", "http://pacs:0/", "http://pacs:x/", "http://a b/"),
    ],
)
def test_only_plain_web_addresses_are_taken(url: str) -> None:
    with pytest.raises(ValidationError):
        check_base_url(url)
    check_base_url("https://pacs.example.org:8443/dicom-web")
