"""The modality doctor: a stranger calls, is seen without reloading, and becomes a peer."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import House
from tests.browser.test_access import faults
from tests.conformance.dimse import EXPLICIT_LITTLE, IMPLICIT_LITTLE, VERIFICATION, Client, context

pytestmark = pytest.mark.browser

STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"


def test_stranger_who_calls_appears_and_is_written_down_in_two_clicks(
    live_house: House, open_page: Callable[..., Page]
) -> None:
    page = open_page("admin", bypass_csp=True)
    page.goto(live_house.url + "/doctor/")
    with Client(live_house.dicom_port) as client:
        client.associate(
            context(1, VERIFICATION, EXPLICIT_LITTLE),
            context(3, STUDY_ROOT_FIND, IMPLICIT_LITTLE),
            calling=b"NEWUS1",
        )
        client.release()
    row = page.get_by_role("row").filter(has_text="NEWUS1")
    expect(row).to_contain_text("is known")
    row.click()
    call = page.get_by_role("complementary", name="The chosen call")
    expect(call).to_contain_text("It asked to query, which strangers may not.")
    assert faults(page) == []
    call.get_by_role("link", name="Add peer").first.click()
    expect(page.get_by_label("AE title")).to_have_value("NEWUS1")
    expect(page.get_by_label("May query", exact=True)).to_be_checked()
