"""The upload page in a real browser: files, folders and ZIPs, dropped or chosen."""

import io
import re
import zipfile

import pytest
from playwright.sync_api import expect
from pydicom.uid import generate_uid

from tests import factories

pytestmark = pytest.mark.browser


def dicom(patient, **changes):
    changes = {"PatientID": patient, "PatientName": f"{patient}^Up", **changes}
    changes.setdefault("SOPInstanceUID", generate_uid())
    return factories.as_part10(factories.read_bundled("CT_small.dcm", **changes))


def series_of(patient, count):
    uids = {"StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid()}
    return [dicom(patient, InstanceNumber=number + 1, **uids) for number in range(count)]


@pytest.fixture
def patient(request):
    """A patient of this test's own."""
    return f"U{abs(hash(request.node.name)) % 10**9}"


@pytest.fixture
def upload(open_page, live_house):
    """Return the function that opens the upload page for somebody."""

    def open_it(username="tess", **also):
        page = open_page(username, **also)
        page.goto(f"{live_house.url}/worklist/upload/")
        return page

    return open_it


def drop(page, files):
    """Drop files on the page as a hand would; `files` is [(name, bytes)]."""
    data = page.evaluate_handle(
        """files => {
            const data = new DataTransfer();
            for (const [name, bytes] of files) {
                data.items.add(new File([new Uint8Array(bytes)], name));
            }
            return data;
        }""",
        [[name, list(content)] for name, content in files],
    )
    page.dispatch_event("#drop", "dragenter", {"dataTransfer": data})
    page.dispatch_event("#drop", "drop", {"dataTransfer": data})


def totals(page):
    return {
        word.strip(): int(count.replace(",", ""))
        for count, word in re.findall(
            r"([\d,]+) ([A-Z][a-z ]+)", page.locator("#totals").inner_text()
        )
    }


def wait_done(page, count):
    files = "1 file" if count == 1 else f"{count} files"
    expect(page.locator("#progress-text")).to_have_text(f"Done: {files}", timeout=30_000)


def test_dropped_files_get_a_verdict_each_and_the_study_is_on_the_list(upload, patient):
    page = upload()
    good = series_of(patient, 3)
    files = [(f"{number}.dcm", content) for number, content in enumerate(good)]

    drop(
        page,
        [*files, ("again.dcm", good[0]), ("notes.txt", b"hello"), ("broken.dcm", good[1][:900])],
    )

    wait_done(page, 6)
    assert totals(page) == {"Stored": 3, "Already here": 1, "Skipped": 1, "Refused": 1}
    verdicts = page.locator("#verdicts tr")
    expect(verdicts).to_have_count(6)
    expect(page.locator("#verdicts tr.refused")).to_contain_text("broken.dcm")
    expect(page.locator("#verdicts tr.skipped .why")).to_have_text("it is not DICOM")

    page.check("#only-trouble")
    expect(page.locator("#verdicts tr.stored").first).to_be_hidden()
    expect(page.locator("#verdicts tr.refused")).to_be_visible()

    page.click("text=Show on the worklist")
    row = page.locator("tr.row", has_text=patient)
    expect(row).to_have_count(1)
    expect(row.locator(".c-count")).to_have_text(re.compile(r"1\s*/\s*3"))


def test_a_zip_is_told_file_by_file(upload, patient):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, content in enumerate(series_of(patient, 4)):
            archive.writestr(f"disc/IM{number}", content)
        archive.writestr("../../evil.dcm", dicom(patient))
        archive.writestr("disc/.DS_Store", b"Bud1")
    page = upload()

    drop(page, [("disc.zip", buffer.getvalue())])

    wait_done(page, 1)
    assert totals(page) == {"Stored": 4, "Skipped": 2}
    expect(page.locator("#verdicts tr").first).to_contain_text("disc.zip/disc/IM0")


def test_a_chosen_folder_is_walked(upload, patient, tmp_path):
    inner = tmp_path / "cd" / "images"
    inner.mkdir(parents=True)
    for number, content in enumerate(series_of(patient, 30)):
        (inner / f"{number:02}.dcm").write_bytes(content)
    (tmp_path / "cd" / "readme.txt").write_text("hello")
    page = upload()

    # Chromium without a screen opens no window to choose a folder; the field behind it takes one.
    page.evaluate("document.querySelector('#files').click = () => {}")
    page.click("#pick-folder")
    page.set_input_files("#files", tmp_path / "cd")

    wait_done(page, 31)
    assert totals(page) == {"Stored": 30, "Skipped": 1}
    expect(page.locator("#verdicts")).to_contain_text("cd/images/00.dcm")


def test_a_second_time_everything_is_there_already(upload, patient):
    files = [(f"{number}.dcm", content) for number, content in enumerate(series_of(patient, 2))]
    page = upload()
    drop(page, files)
    wait_done(page, 2)
    page.reload()

    drop(page, files)

    wait_done(page, 2)
    assert totals(page) == {"Already here": 2}


def test_at_most_three_requests_at_once_and_cancel_stops_the_rest(upload, patient):
    page = upload()
    open_now, most = set(), 0

    def begun(request):
        nonlocal most
        if request.method == "POST":
            open_now.add(request)
            most = max(most, len(open_now))

    page.on("request", begun)
    page.on("requestfinished", lambda request: open_now.discard(request))
    page.on("requestfailed", lambda request: open_now.discard(request))
    held = []
    page.route("**/upload/files/", lambda route: held.append(route))

    drop(page, [(f"{number}.txt", b"hello") for number in range(200)])
    page.wait_for_timeout(400)
    page.click("#cancel")

    expect(page.locator("#progress-text")).to_contain_text("Cancelled")
    assert most == 3
    assert len(held) == 3


def test_a_broken_connection_is_told_for_each_file(upload, patient):
    page = upload()
    page.route("**/upload/files/", lambda route: route.abort())

    drop(page, [("a.dcm", dicom(patient)), ("b.dcm", dicom(patient))])

    wait_done(page, 2)
    assert totals(page) == {"Not sent": 2}
    expect(page.locator("#verdicts tr.failed").first).to_contain_text("The connection broke")


def test_an_ended_session_is_told(upload, patient):
    page = upload()
    page.context.clear_cookies()

    drop(page, [("a.dcm", dicom(patient))])

    wait_done(page, 1)
    expect(page.locator("#verdicts tr.failed")).to_contain_text("You are logged out")


def test_an_administrator_must_say_where_to(upload, patient):
    page = upload("admin")

    drop(page, [("a.dcm", dicom(patient))])
    expect(page.locator("#progress-text")).to_contain_text("Choose the facility")
    expect(page.locator("#facility")).to_be_focused()

    page.select_option("#facility", "none")
    drop(page, [("a.dcm", dicom(patient))])
    wait_done(page, 1)
    page.click("text=Show on the worklist")
    expect(page.locator("tr.row", has_text=patient)).to_contain_text("Quarantine")


def test_hostile_file_names_are_text(upload, patient):
    page = upload()
    name = "<img src=x onerror=window.caught=1>\u202egnp.dcm"

    drop(page, [(name, b"hello")])

    wait_done(page, 1)
    expect(page.locator("#verdicts .file")).to_contain_text("<img src=x onerror=window.caught=1>")
    assert page.evaluate("window.caught") is None


def test_files_go_in_without_javascript(upload, patient, tmp_path):
    one, two = tmp_path / "one.dcm", tmp_path / "two.txt"
    one.write_bytes(dicom(patient))
    two.write_text("hello")
    page = upload(java_script_enabled=False)

    page.set_input_files("#files", [one, two])
    page.click("button:has-text('Upload')")

    expect(page.get_by_role("heading", name="Upload result")).to_be_visible()
    expect(page.locator("tr.stored")).to_contain_text("one.dcm")
    expect(page.locator("tr.skipped")).to_contain_text("two.txt")
