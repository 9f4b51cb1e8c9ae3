"""A canary in every attribute: none may be found in the bytes that leave."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from imaging.codestream_comments import blank_comments
from imaging.deidentify import CLEAN, KEEP, SHIFT, Deidentifier, Options, why_risky
from imaging.deidentify_file import DeidentifiedFile
from imaging.deidentify_table import ACTIONS
from imaging.deidentify_text import TECHNICAL_TEXT
from imaging.dicomdir import Directory
from imaging.errors import NoctisError
from tests.unit.imaging.build import BIG, DEFLATED, EXPLICIT, IMPLICIT, encapsulated, image, written
from tests.unit.imaging.fuzz_seeds import phantoms
from tests.unit.imaging.fuzzing import mutant
from tests.unit.imaging.real_files import bundled
from tests.unit.imaging.test_pixels import JPEG_LS, coded

KEY = b"a key for tests only"
BASIC = Options()
TEXTS = {"AE", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"}
PIXELS = np.arange(64, dtype=np.uint16).reshape(8, 8) * 50


def outgoing(content: bytes, options: Options = BASIC) -> bytes:
    file = io.BytesIO(content)
    return b"".join(DeidentifiedFile(file, len(content), Deidentifier(KEY, options)).pieces())


def reread(content: bytes, options: Options = BASIC) -> Dataset:
    return pydicom.dcmread(io.BytesIO(outgoing(content, options)))


def with_canaries() -> Dataset:
    """Return an image with a canary in every text attribute that the dictionary knows."""
    made = image(PIXELS)
    for tag, (vr, _vm, _name, _retired, keyword) in DicomDictionary.items():
        if tag >> 16 < 8 or not keyword or keyword in made:
            continue
        if vr in TEXTS and keyword not in TECHNICAL_TEXT:
            value = "CANARY^CANARY" if vr == "PN" else "canary:CANARY" if vr == "UR" else "CANARY"
            made.add_new(tag, vr, value)
        elif vr in ("DA", "DT"):
            made.add_new(tag, vr, "19710203")
        elif vr == "UI":
            made.add_new(tag, vr, "1.2.3.71020304")
    return made


def test_no_canary_in_any_attribute_of_text_is_left() -> None:
    made = with_canaries()
    assert len(made) > 900
    item = with_canaries()
    del item.PixelData
    made.add_new(0x00091001, "LO", "CANARY")
    made.add_new(0x00090010, "LO", "CANARY")
    made.add_new(0x60003000, "OW", b"CANARY" * 4)
    made.add_new(0x60000022, "LO", "CANARY")
    made.add_new(0x50003000, "OW", b"CANARY" * 4)
    for keyword in ("ReferencedStudySequence", "DerivationCodeSequence", "ViewCodeSequence",
                    "PerFrameFunctionalGroupsSequence", "IconImageSequence"):  # fmt: skip
        setattr(made, keyword, Sequence([item]))
    for syntax in (EXPLICIT, IMPLICIT):
        content = written(made, syntax)
        assert content.count(b"CANARY") > 3000
        for options in (Options(), Options(dates=SHIFT, descriptions=CLEAN, characteristics=True)):
            out = outgoing(content, options)
            assert b"CANARY" not in out
            assert b"19710203" not in out
            assert b"1.2.3.71020304" not in out
            assert PIXELS.tobytes() in out


def test_every_row_of_the_table_is_obeyed() -> None:
    made = image(PIXELS)
    for tag in ACTIONS:
        try:
            vr = dictionary_VR(tag)
        except KeyError:
            continue
        if vr in TEXTS and tag >> 16 >= 8:
            made.add_new(tag, vr, "CANARY")
    left = reread(written(made))
    for element in left:
        action = ACTIONS.get(int(element.tag))
        if action == "X":
            raise AssertionError(f"{element.keyword} should be gone")
        if action in ("Z", "D", "Z/D", "X/Z") and element.keyword not in (
            "PatientName",
            "PatientID",
        ):
            assert str(element.value or "") in ("", "REMOVED", "NONE", "urn:removed")
        assert "CANARY" not in str(element.value)
    # Rows of the standard's text, looked up by hand (PS3.15 table E.1-1).
    by_hand = {
        0x00100010: "Z", 0x00100020: "Z/D", 0x00100030: "Z", 0x00101010: "X", 0x00080018: "U",
        0x00080080: "X/Z/D", 0x00081030: "X", 0x0008103E: "X", 0x00080090: "Z", 0x00080050: "Z",
        0x00204000: "X", 0x00181030: "X/D", 0x00400244: "X", 0x00880200: "X", 0x00081140: "X/Z/U*",
    }  # fmt: skip
    assert {tag: ACTIONS[tag] for tag in by_hand} == by_hand


def test_the_same_uid_becomes_the_same_and_classes_stay() -> None:
    made = image(PIXELS, FrameOfReferenceUID="1.2.3.9", PatientID="P1", PatientName="Doe^Jane")
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = (
        made.SOPClassUID,
        made.SOPInstanceUID,
    )
    made.SourceImageSequence = Sequence([item])
    first, second = reread(written(made)), reread(written(made, IMPLICIT))
    assert first.SOPInstanceUID == first.SourceImageSequence[0].ReferencedSOPInstanceUID
    assert first.SOPInstanceUID == first.file_meta.MediaStorageSOPInstanceUID
    assert first.SOPInstanceUID.startswith("2.25.")
    assert first.SOPInstanceUID != made.SOPInstanceUID
    assert first.SourceImageSequence[0].ReferencedSOPClassUID == made.SOPClassUID
    assert first.StudyInstanceUID == second.StudyInstanceUID
    assert first.PatientID == second.PatientID != "P1"
    other = Deidentifier(b"another key for tests")
    assert other.new_uid("1.2.3.4") != Deidentifier(KEY).new_uid("1.2.3.4")
    assert first.PatientIdentityRemoved == "YES"
    codes = first.DeidentificationMethodCodeSequence
    assert [code.CodeValue for code in codes] == ["113100"]


def test_dates_are_removed_shifted_alike_or_kept() -> None:
    made = image(
        PIXELS, PatientID="P1", StudyDate="20200301", AcquisitionDateTime="20200229101112.5",
        StudyTime="101112", SeriesDescription="CT CHEST 1mm Dr. Miller", PatientAge="042Y", ContentDate="20200301",
    )  # fmt: skip
    content = written(made)
    removed = reread(content)
    assert removed.StudyDate == ""  # Z, which objects may have empty; ContentDate must have one
    assert removed.ContentDate == "19000101"
    assert "SeriesDescription" not in removed
    assert "PatientAge" not in removed
    shifted = reread(content, Options(dates=SHIFT, descriptions=CLEAN, characteristics=True))
    days = np.datetime64("2020-03-01") - np.datetime64(f"{shifted.StudyDate[:4]}-"
        f"{shifted.StudyDate[4:6]}-{shifted.StudyDate[6:]}")  # fmt: skip
    assert 0 < days.astype(int) <= 3650
    moved = str(shifted.AcquisitionDateTime)
    assert (
        np.datetime64(f"{moved[:4]}-{moved[4:6]}-{moved[6:8]}")
        == np.datetime64("2020-02-29") - days
    )
    assert moved[8:] == "101112.5"
    assert shifted.SeriesDescription == "CT CHEST"
    assert shifted.PatientAge == "042Y"
    kept = reread(content, Options(dates=KEEP))
    assert kept.StudyDate == "20200301"
    assert kept.LongitudinalTemporalInformationModified == "UNMODIFIED"


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG, DEFLATED])
def test_pixels_and_geometry_stay_whatever_the_encoding(syntax: str) -> None:
    made = image(PIXELS, ImagePositionPatient=[1, 2, 3], RescaleSlope="2", Modality="CT")
    if syntax == BIG:
        made.PixelData = PIXELS.astype(">u2").tobytes()
    left = reread(written(made, syntax))
    assert (left.pixel_array == PIXELS).all()
    assert left.ImagePositionPatient == [1, 2, 3]
    assert left.RescaleSlope == 2
    assert left.Modality == "CT"


def test_compressed_frames_stay_and_lose_their_comments() -> None:
    packed = coded("jpegls", PIXELS)
    comment = b"\xff\xfe\x00\x0aJane Doe"
    frame = packed[:2] + comment + packed[2:]
    made = image(PIXELS)
    made.PixelData = encapsulated([frame + b"\0" * (len(frame) % 2)])
    made["PixelData"].is_undefined_length = True
    content = written(made, JPEG_LS)
    out = outgoing(content)
    assert b"Jane Doe" in content
    assert b"Jane Doe" not in out
    assert (pydicom.dcmread(io.BytesIO(out)).pixel_array == PIXELS).all()
    j2k = coded("jpeg2k", PIXELS, level=0, codecformat="j2k")
    blanked = blank_comments(j2k)
    assert len(blanked) == len(j2k)
    assert b"OpenJPEG" in j2k
    assert b"OpenJPEG" not in blanked


def test_overlays_in_unused_bits_are_cleared() -> None:
    made = image(PIXELS | 0x8000, BitsStored=12, HighBit=11)
    made.add_new(0x60000100, "US", 16)
    made.add_new(0x60000102, "US", 15)
    left = reread(written(made))
    assert (np.frombuffer(left.PixelData, "<u2").reshape(8, 8) == PIXELS & 0xFFF).all()
    assert (0x6000, 0x0102) not in left


def test_pictures_that_may_show_a_name_are_told_apart() -> None:
    ct, capture = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.7"
    assert why_risky("", "CT", ct) == ""
    assert why_risky("YES", "CT", ct) == "said"
    assert why_risky("", "CT", ct, ["DERIVED", "SECONDARY", "SCREEN SAVE"]) == "screen"
    assert why_risky("", "CT", capture) == "capture"
    assert why_risky("", "US", "1.2.840.10008.5.1.4.1.1.6.1") == "modality"
    assert why_risky("NO", "US", "1.2.840.10008.5.1.4.1.1.6.1") == ""


@pytest.mark.parametrize(
    "name", ["CT_small.dcm", "MR_small_RLE.dcm", "image_dfl.dcm", "rtdose.dcm"]
)
def test_real_files_stay_readable_to_another_program(name: str, tmp_path: Path) -> None:
    out = tmp_path / "out.dcm"
    out.write_bytes(outgoing(bundled(name).read_bytes()))
    before, after = pydicom.dcmread(bundled(name)), pydicom.dcmread(out)
    assert (before.pixel_array == after.pixel_array).all()
    if shutil.which("dcmdump"):
        said = subprocess.run(["dcmdump", "-q", str(out)], capture_output=True, check=False)
        assert said.returncode == 0


def test_functional_groups_keep_one_item_a_frame() -> None:
    made = image(np.zeros((3, 4, 4), np.uint8))
    items = []
    for name in ("", "Doe", ""):
        item = Dataset()
        if name:
            item.PatientComments = name
        items.append(item)
    made.PerFrameFunctionalGroupsSequence = Sequence(items)
    site, public = Dataset(), Dataset()
    site.CodeValue, site.CodingSchemeDesignator, site.CodeMeaning = "1", "99HOUSE", "Doe"
    public.CodeValue, public.CodingSchemeDesignator, public.CodeMeaning = "1", "SCT", "Liver"
    made.AnatomicRegionSequence = Sequence([site, public])
    left = reread(written(made))
    assert [len(item) for item in left.PerFrameFunctionalGroupsSequence] == [0, 0, 0]
    assert [code.CodeMeaning for code in left.AnatomicRegionSequence] == ["Liver"]


def test_mutants_leave_deidentified_or_not_at_all() -> None:
    contents = [bundled("CT_small.dcm").read_bytes(), *phantoms()[:4]]
    left = 0
    for number in range(120):
        content = mutant(contents, number)
        try:
            made = DeidentifiedFile(io.BytesIO(content), len(content), Deidentifier(KEY))
            directory = Directory("1.2.3")
            directory.add(made.dataset, ("DICOM", "IM000001"), made.transfer_syntax_uid)
            left += bool(b"".join(made.pieces())) and bool(directory.to_bytes())
        except NoctisError:
            continue
    assert left > 20
