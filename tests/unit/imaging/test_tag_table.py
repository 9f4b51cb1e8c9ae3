"""The table of a file's elements, held against what pydicom reads from the same file."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.sequence import Sequence

from imaging.header import Header, read_header
from imaging.tag_table import TagRow, list_tags
from tests import factories

NAMES = ["CT_small.dcm", "rtplan.dcm", "MR_small_bigendian.dcm", "693_J2KI.dcm", "reportsi.dcm"]


def header_of(content: bytes) -> Header:
    return read_header(io.BytesIO(content), size=len(content))


def rows_of(dataset: Dataset, **options: str) -> list[TagRow]:
    rows, is_cut = list_tags(header_of(factories.as_part10(dataset)), limit=1000, **options)
    assert not is_cut
    return rows


def row_of(dataset: Dataset, path: str) -> TagRow:
    return next(row for row in rows_of(dataset) if row.path == path)


@pytest.mark.parametrize("name", NAMES)
def test_has_a_row_for_every_element_that_pydicom_finds(name: str) -> None:
    path = Path(str(get_testdata_file(name)))
    content = path.read_bytes()
    rows, _ = list_tags(header_of(content), limit=100_000)
    wanted: list[tuple[str, str]] = []

    def walk(dataset: Dataset, before: str) -> None:
        for element in dataset:
            here = f"{before}{int(element.tag):08x}"
            wanted.append((here, element.VR))
            if element.VR == "SQ":
                for number, item in enumerate(element.value, start=1):
                    walk(item, f"{here}[{number}].")

    walk(dcmread(path), "")
    found = [(row.path, row.vr) for row in rows if not row.path.startswith("0002")]
    assert [path for path, _vr in found] == [path for path, _vr in wanted]
    # Pixel data of implicit VR may be either.
    assert {a for a in found if a[1] not in ("OB", "OW")} == {
        a for a in wanted if a[1] not in ("OB", "OW")
    }


def test_values_read_as_people_write_them() -> None:
    dataset = factories.read_bundled("CT_small.dcm")
    dataset.PatientName = "Müller^Jörg"
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.TableTopLateralPosition = 0.1
    dataset.add_new(0x00189074, "DT", "")
    dataset.add_new(0x00280009, "AT", [0x00181063])
    assert row_of(dataset, "00100010").value == "Müller^Jörg"
    assert row_of(dataset, "00100010").name == "Patient's Name"
    assert row_of(dataset, "00280010").value == "128"
    assert row_of(dataset, "00200032").value == r"-158.135803\-179.035797\-75.699997"
    assert row_of(dataset, "00280009").value == "(0018,1063)"
    assert row_of(dataset, "7fe00010").value == "32768 bytes"
    assert row_of(dataset, "00020010").value == "1.2.840.10008.1.2.1"


def test_names_private_elements_by_their_creator() -> None:
    row = row_of(factories.read_bundled("CT_small.dcm"), "00191023")
    assert (row.name, row.is_private) == ("Table Speed [mm/rotation]", True)


@pytest.mark.parametrize(
    "search", ["0010,0020", "00100020", "(0010,0020)", "patientid", "PATIENT ID", "Known-77"]
)
def test_is_found_by_tag_keyword_name_and_value(search: str) -> None:
    dataset = factories.read_bundled("CT_small.dcm")
    dataset.PatientID = "known-77"
    assert "00100020" in [row.path for row in rows_of(dataset, search=search)]
    assert rows_of(dataset, search="no such thing") == []


def test_says_that_there_are_more_rows() -> None:
    header = header_of(factories.as_part10(factories.read_bundled("CT_small.dcm")))
    rows, is_cut = list_tags(header, limit=10)
    assert (len(rows), is_cut) == (10, True)


def test_hostile_text_is_shown_tame_and_cut() -> None:
    dataset = factories.read_bundled("CT_small.dcm")
    dataset.StudyDescription = "a\x00b\x08c"
    dataset.ImageComments = "x" * 5000
    assert row_of(dataset, "00081030").value == "a\ufffdb\ufffdc"
    assert row_of(dataset, "00204000").value == "x" * 1024 + "… 5000"


def test_unfolds_items_in_their_order() -> None:
    dataset = factories.read_bundled("CT_small.dcm")
    one, other = Dataset(), Dataset()
    one.ReferencedSOPInstanceUID, other.ReferencedSOPInstanceUID = "1.2.3", "1.2.4"
    dataset.ReferencedImageSequence = Sequence([one, other])
    assert row_of(dataset, "00081140").value == "2 items"
    row = row_of(dataset, "00081140[2].00081155")
    assert (row.value, row.depth) == ("1.2.4", 1)
