"""The worklist in a real browser: rows that arrive by themselves, keys, filters, preview."""

import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from pydicom.uid import generate_uid

from tests import factories

pytestmark = pytest.mark.browser

# A second is promised; a machine that does other work besides gets more.
PATIENCE_MS = 5000


def write_study(folder: Path, name: str, *, instances: int = 1, **changes: object) -> Path:
    """Write a study's files into a folder of its own; `name` is the patient's ID, too."""
    place = folder / name
    place.mkdir()
    uids = {"StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid()}
    for number in range(instances):
        facts = {
            "PatientName": f"{name}^Test",
            "PatientID": name,
            "SOPInstanceUID": generate_uid(),
            "InstanceNumber": number + 1,
            **uids,
            **changes,
        }
        dataset = factories.read_bundled("CT_small.dcm", **facts)
        (place / f"{number}.dcm").write_bytes(factories.as_part10(dataset))
    return place


@pytest.fixture
def bring(live_house, tmp_path):
    """Return the function that brings a study in from another process."""

    def import_it(name, *, facility="north", **facts):
        folder = write_study(tmp_path, name, **facts)
        options = ["--facility", facility] if facility else []
        live_house.manage("import_dicom", *options, folder)

    return import_it


@pytest.fixture
def name(request):
    """A patient of this test's own."""
    return f"P{abs(hash(request.node.name)) % 10**9}"


def row(page: Page, name: str):
    return page.locator("tr.row", has_text=f"{name}, Test")


def test_a_study_appears_by_itself_with_its_counts(open_page, bring, name):
    page = open_page("rada")
    expect(page.locator("#live")).to_have_attribute("data-state", "on")

    bring(name, instances=3)

    # The command has ended, so the last instance is stored.
    expect(row(page, name)).to_be_visible(timeout=PATIENCE_MS)
    expect(row(page, name).locator(".c-count")).to_have_text(
        re.compile(r"1\s*/\s*3"), timeout=PATIENCE_MS
    )
    expect(row(page, name)).to_have_count(1)


def test_a_study_of_another_facility_or_quarantine_never_appears(open_page, bring, name):
    page = open_page("fiona")
    admin = open_page("admin")
    # Everybody's studies are more than a page.
    admin.goto(f"{admin.url.split('?')[0]}?q={name}")
    for one in (page, admin):
        expect(one.locator("#live")).to_have_attribute("data-state", "on")

    bring(name)
    bring(f"{name}Q", facility="")

    expect(row(admin, name)).to_be_visible()
    quarantined = row(admin, f"{name}Q")
    expect(quarantined).to_be_visible()
    expect(quarantined).to_contain_text("Quarantine")
    expect(row(page, name)).to_have_count(0)
    expect(page.get_by_text("No studies yet")).to_be_visible()


def test_new_rows_wait_above_while_one_reads_below(open_page, bring, name):
    page = open_page("rada", viewport={"width": 1000, "height": 340})
    for number in range(6):
        bring(f"{name}{number}", StudyDate="20010101")
    page.reload()
    expect(page.locator("#live")).to_have_attribute("data-state", "on")
    page.evaluate("document.querySelector('#list-scroll').scrollTo(0, 60)")
    before = page.locator("tr.row").first.get_attribute("id")

    bring(f"{name}A", StudyDate="20990101")
    bring(f"{name}B", StudyDate="20990102")

    button = page.locator(".newcomers")
    expect(button).to_have_text("2 new studies")
    assert page.locator("tr.row").first.get_attribute("id") == before

    button.click()
    expect(page.locator("tr.row").first).to_contain_text(f"{name}B, Test")
    expect(button).to_be_hidden()
    assert page.evaluate("document.querySelector('#list-scroll').scrollTop") == 0


def test_a_lost_connection_is_told_and_what_was_missed_comes_later(open_page, bring, name):
    page = open_page("rada")
    expect(page.locator("#live")).to_have_attribute("data-state", "on")

    page.route("**/api/v1/events/**", lambda route: route.abort())
    page.context.set_offline(True)
    page.evaluate("window.dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    expect(page.locator("#live")).to_have_attribute("data-state", "off", timeout=8000)
    expect(page.get_by_text("Connection lost")).to_be_visible()
    bring(name)
    expect(row(page, name)).to_have_count(0)

    page.unroute("**/api/v1/events/**")
    page.context.set_offline(False)
    expect(page.locator("#live")).to_have_attribute("data-state", "on", timeout=15000)
    expect(row(page, name)).to_be_visible()


def test_the_whole_list_by_key(open_page, bring, live_house, name):
    bring(name, StudyDate="20980101", instances=2)
    bring(f"{name}X", StudyDate="20980102")
    page = open_page("rada")

    page.keyboard.press("/")
    page.keyboard.type(name)
    expect(page).to_have_url(re.compile(rf"[?&]q={name}(&|$)"))
    expect(page.locator("tr.row")).to_have_count(2)
    page.keyboard.press("Escape")
    # It leaves the field as it is; a browser by itself would empty it.
    expect(page.locator("#search")).not_to_be_focused()
    assert page.locator("#search").input_value() == name

    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("j")
    chosen = page.locator("tr.row[aria-current=true]")
    expect(chosen).to_contain_text(f"{name}, Test")

    page.keyboard.press("Space")
    expect(page.locator("#preview h2")).to_have_text(f"{name}, Test")
    expect(page.locator("#preview .series-list li")).to_have_count(1)
    page.keyboard.press("k")
    expect(page.locator("#preview h2")).to_have_text(f"{name}X, Test")
    page.keyboard.press("Escape")
    expect(page.locator("#preview")).to_be_hidden()

    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()

    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/viewer/[0-9a-f-]{36}/"))


def test_filters_stay_in_the_address_and_sorting_turns_round(open_page, bring, name):
    bring(name, StudyDate="20970101", Modality="CT")
    bring(f"{name}X", StudyDate="20970102", Modality="MR")
    page = open_page("rada")
    page.fill("#search", name)
    expect(page.locator("tr.row")).to_have_count(2)

    page.click("summary:has-text('Modality')")
    page.locator(".chip-choice", has_text=re.compile("^MR$")).click()
    expect(page.locator("tr.row")).to_have_count(1)
    expect(page).to_have_url(re.compile("modality=MR"))
    assert "status=&" not in page.url
    page.reload()
    expect(page.locator("tr.row")).to_have_count(1)
    expect(page.locator("#search")).to_have_value(name)

    page.click("#clear")
    page.fill("#search", name)
    expect(page.locator("tr.row")).to_have_count(2)
    first = page.locator("tr.row").first
    expect(first).to_contain_text(f"{name}X, Test")
    page.click("th.c-time a")
    expect(page.locator("th.c-time")).to_have_attribute("aria-sort", "ascending")
    expect(first).not_to_contain_text(f"{name}X, Test")
    expect(page).to_have_url(re.compile("sort=study"))

    page.fill("#search", "nobody has this name")
    expect(page.get_by_text("No study matches")).to_be_visible()
    page.go_back()
    expect(page.locator("tr.row")).to_have_count(2)


def test_a_list_that_cannot_be_loaded_says_so_and_tries_again(open_page, bring, name):
    bring(name)
    page = open_page("rada")
    page.route("**/worklist/?*", lambda route: route.fulfill(status=503, body="no"))

    page.fill("#search", name)
    trouble = page.get_by_role("alert")
    expect(trouble).to_contain_text("could not be loaded")

    page.unroute("**/worklist/?*")
    page.fill("#search", name[:-1])
    expect(trouble).to_be_hidden()


def test_a_session_that_ended_leads_to_the_door(open_page, live_house):
    page = open_page("rada")
    page.context.clear_cookies()

    page.fill("#search", "x")

    expect(page).to_have_url(f"{live_house.url}/accounts/login/")


def test_hostile_names_are_text(open_page, bring, live_house, name):
    hostile = f"{name}<img src onerror>"
    bring(
        name,
        PatientName=f"{hostile}^" + "{{7*7}}",
        StudyDescription="<img src=x onerror=window.caught=1>",
    )
    page = open_page("rada")
    page.fill("#search", name)

    expect(page.locator("tr.row")).to_have_count(1)
    expect(page.locator("tr.row .name")).to_have_text(hostile + ", {{7*7}}")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("Space")
    expect(page.locator("#preview h2")).to_have_text(hostile + ", {{7*7}}")
    assert page.evaluate("window.caught") is None
    assert page.locator("#list img").count() == 0


def test_the_list_works_without_javascript(open_page, bring, name):
    bring(name)
    page = open_page("rada", java_script_enabled=False)

    page.fill("#search", name)
    page.click("text=Apply")

    expect(row(page, name)).to_be_visible()
    page.click("th.c-patient a")
    expect(page).to_have_url(re.compile(f"sort=patient&q={name}|q={name}.*sort=patient"))
    row(page, name).locator("a.open").click()
    expect(page).to_have_url(re.compile(r"/viewer/[0-9a-f-]{36}/"))


def test_light_and_dark_are_remembered(open_page):
    page = open_page("rada")
    background = "getComputedStyle(document.body.parentElement).backgroundColor"
    dark = page.evaluate(background)

    page.click(".topbar .menu summary")
    page.click("text=Light theme")
    page.wait_for_url("**/worklist/")

    assert page.evaluate(background) != dark
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "light"


def test_a_burst_of_news_asks_for_few_rows(open_page, bring, live_house, name):
    page = open_page("rada")
    expect(page.locator("#live")).to_have_attribute("data-state", "on")
    asked = []
    page.on(
        "request", lambda request: "/worklist/rows/" in request.url and asked.append(time.time())
    )

    bring(name, instances=150)

    expect(row(page, name).locator(".c-count")).to_have_text(re.compile(r"1\s*/\s*150"))
    assert len(asked) <= 12, f"{len(asked)} requests for 150 instances"
