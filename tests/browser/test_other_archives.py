"""Another archive (DCMTK's): tested, asked, fetched from; what came stands in the worklist, and goes back."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from pydicom.uid import generate_uid

from tests import factories
from tests.browser.conftest import House
from tests.conformance.port import wait_for
from tests.services import find_free_port

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(shutil.which("dcmqrscp") is None, reason="DCMTK is not installed"),
]
CONFIGURATION = """
MaxPDUSize = 16384
MaxAssociations = 8
HostTable BEGIN
noctis = (NOCTIS_SCP, localhost, {ours})
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
OLDPACS {folder} RW (100, 64mb) ANY
AETable END
"""


@dataclass
class Old:
    """The old archive: its port, and the only patient in it."""

    port: int
    name: str = "Importer^Ida"


@pytest.fixture
def old(live_house: House, tmp_path: Path) -> Iterator[Old]:
    """Run an archive that holds one study of two images, and write it down."""
    there = Old(find_free_port())
    (tmp_path / "held").mkdir()
    configuration = tmp_path / "dcmqrscp.cfg"
    configuration.write_text(
        CONFIGURATION.format(ours=live_house.dicom_port, folder=tmp_path / "held")
    )
    study, series = generate_uid(), generate_uid()
    for number in range(2):
        dataset = factories.read_bundled(
            "CT_small.dcm", PatientName=there.name, PatientID="IDA", StudyInstanceUID=study,
            SeriesInstanceUID=series, SOPInstanceUID=generate_uid(), InstanceNumber=number,
            StudyDescription="Old thorax",
        )  # fmt: skip
        (tmp_path / f"{number}.dcm").write_bytes(factories.as_part10(dataset))
    plan = tmp_path / "peer.toml"
    plan.write_text(
        f'[[peer]]\nae_title = "OLDPACS"\nfacility = "north"\nhost = "127.0.0.1"\n'
        f'port = {there.port}\nmay = ["store"]\n'
    )
    live_house.manage("provision", plan)
    process = subprocess.Popen(
        ["dcmqrscp", "-c", str(configuration), str(there.port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    send = ["storescu", "-aec", "OLDPACS", "127.0.0.1", str(there.port)]
    files = [str(tmp_path / f"{number}.dcm") for number in range(2)]
    try:
        wait_for(lambda: subprocess.run([*send, *files], check=False).returncode == 0, 30)
        yield there
    finally:
        process.terminate()
        process.wait(20)


def test_a_study_is_found_in_another_archive_imported_and_sent_back(
    live_house: House, open_page: Callable[..., Page], old: Old
) -> None:
    page = open_page("tess")
    page.get_by_role("link", name="Other archives").click()
    page.get_by_role("link", name="Peers").click()
    peer = page.locator("tr.row", has_text="OLDPACS")
    peer.get_by_role("button", name="Test connection").click()
    expect(peer.locator(".probe.well")).to_contain_text("OLDPACS answers C-ECHO")

    page.get_by_role("link", name="Query", exact=True).click()
    page.locator("#id_peer").select_option(label="OLDPACS")
    page.locator("#ask").click()
    expect(page.get_by_role("alert")).to_contain_text("at least a name")
    page.locator("#id_name").fill("Importer")
    page.locator("#ask").click()
    row = page.locator("tr.row", has_text="Importer, Ida")
    expect(row.locator(".c-here")).to_have_text("–")
    row.locator(".c-exam").click()
    page.keyboard.press("Enter")
    expect(page.locator(".peers-inside .series-row")).to_have_count(1)
    row.locator(".c-exam").click()
    page.keyboard.press("i")
    expect(row.locator(".c-here")).to_contain_text("Here", timeout=30_000)

    page.goto(f"{live_house.url}/worklist/?q=importer")
    study = page.locator("tr.row", has_text="Importer, Ida")
    expect(study.locator(".c-count")).to_have_text("1 / 2")
    study.locator(".c-exam").click()
    page.keyboard.press("Space")
    page.locator("details[data-send] summary").click()
    page.get_by_role("button", name="OLDPACS").click()
    expect(page.locator(".send-way .state")).to_have_text("Done", timeout=30_000)

    page.goto(f"{live_house.url}/transfers/")
    expect(page.locator("#rows tr")).to_have_count(2)
    expect(page.locator("#rows .state")).to_have_text(["Done", "Done"])
