"""Derived series: read back by other programs where they were cut, and valid."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import uuid
import zipfile
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.sequence import Sequence
from pydicom.uid import (
    MRImageStorage,
    NuclearMedicineImageStorage,
    PositronEmissionTomographyImageStorage,
)
from rest_framework.exceptions import ValidationError

from accounts.models import User
from archive.models import Series
from imaging.element_writer import ElementWriter
from reconstruction import kind_mip, kind_mpr, kind_rotating_mip, kind_segmentation
from reconstruction.derived import RENDERED, derived_series
from reconstruction.kinds import load_kind
from reconstruction.work import JobCancelledError, Work
from tests.unit.reconstruction.conftest import SHAPE, index_volume, make_slices

pytestmark = pytest.mark.django_db(transaction=True)
Store = Callable[[Iterable[Dataset]], Series]
NAME = "Müller^Jörg".encode("latin-1")
FACTS: dict[str, Any] = {
    "SpecificCharacterSet": "ISO_IR 100",
    "PatientName": NAME,
    "WindowCenter": ["40", "300"],
    "WindowWidth": ["400", "1500"],
    "LossyImageCompression": "01",
    "LossyImageCompressionRatio": "9.5",
    "ImageComments": "of the source",
}


@pytest.fixture
def work_on(rada: User, tmp_path: Path) -> Callable[..., Work]:
    """Return the maker of work on a series, always of the same job."""

    def make(series: Series, folder: str = "one", **also: Any) -> Work:
        (tmp_path / folder).mkdir()
        return Work(
            series=series, person=rada, folder=tmp_path / folder, job_id=uuid.UUID(int=7),
            asked_at=datetime(2026, 11, 21, 12, tzinfo=UTC), **also,
        )  # fmt: skip

    return make


def is_valid(path: Path) -> bool:
    """Ask dciodvfy, where it is installed, whether it finds an error."""
    if not shutil.which("dciodvfy"):
        return True
    told = subprocess.run(
        ["dciodvfy", "-new", path], capture_output=True, text=True, check=False
    ).stderr
    return not [line for line in told.splitlines() if line.startswith("Error")]


def place(header: Dataset, column: float, row: float) -> np.ndarray:
    """Return a pixel's place by PS3.3 C.7.6.2.1.1."""
    right, down = np.array(header.ImageOrientationPatient, float).reshape(2, 3)
    between_rows, between_columns = map(float, header.PixelSpacing)
    found: np.ndarray = np.array(header.ImagePositionPatient, float)
    return found + right * between_columns * column + down * between_rows * row


# --- patients ---------------------------------------------------------------------------
def test_all_that_is_made_names_the_patient_whom_the_archive_knows(
    store: Store, work_on: Callable[..., Work]
) -> None:
    facts = {**FACTS, "StudyDescription": "Schädel".encode("latin-1"), "PatientAge": "061Y"}
    series = store(make_slices(index_volume(), **facts))
    study = series.study
    study.patient_name = "Łukasiewicz^Jörg=李^明"
    study.patient_birth_date, study.patient_sex = date(1961, 2, 3), "O"
    study.patient.patient_id = "новый-7"
    study.save()
    study.patient.save()
    planes, region = work_on(series), work_on(series, "other")

    kind_mpr.run(planes, kind_mpr.parse({"plane": "coronal"}))
    wish = {"lowest": 0, "highest": 3000, "output": ["dicom"]}
    kind_segmentation.run(region, kind_segmentation.parse(wish))

    for path in (planes.dicom_paths[0], region.dicom_paths[0]):
        one = dcmread(path)
        assert one.SpecificCharacterSet == "ISO_IR 192"
        assert (str(one.PatientName), one.PatientID) == ("Łukasiewicz^Jörg=李^明", "новый-7")
        assert (one.PatientBirthDate, one.PatientSex) == ("19610203", "O")
        # What the archive's rows do not correct is the source's, in the new character set.
        assert (one.StudyDescription, one.PatientAge) == ("Schädel", "061Y")
        assert is_valid(path)


# --- planes -----------------------------------------------------------------------------
def test_coronal_planes_are_the_voxels_and_others_read_them_at_their_places(
    store: Store, work_on: Callable[..., Work]
) -> None:
    slices = make_slices(index_volume(), **FACTS)
    for one in slices:
        one.add_new((0x0009, 0x0010), "LO", "PRIVATE")
    work = work_on(store(slices))

    kind_mpr.run(work, kind_mpr.parse({"plane": "coronal", "spacing_mm": 0.75}))

    made = [dcmread(path) for path in work.dicom_paths]
    assert len(made) == SHAPE[1]
    for number, one in enumerate(made):
        # Rows run downwards at 0.5 mm: each fourth is a slice, the lowest but one half a voxel up.
        values = one.pixel_array * one.RescaleSlope + one.RescaleIntercept
        assert np.array_equal(place(one, 0, 0)[:2], [-20, 30 + 0.75 * number])
        for row in range(one.Rows):
            slice_place = (place(one, 0, row)[2] + 5) / 2
            if abs(slice_place - round(slice_place)) < 1e-6:
                assert np.array_equal(values[row], index_volume()[round(slice_place), number])
        assert is_valid(work.dicom_paths[number]) or number % 6
    reader = SimpleITK.ImageSeriesReader()
    ids = reader.GetGDCMSeriesIDs(str(work.folder))
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(work.folder), ids[0]))
    image = reader.Execute()
    for number in (0, 5, 11):
        theirs = image.TransformIndexToPhysicalPoint([9, 3, number])
        assert np.abs(place(made[number], 9, 3) - theirs).max() < 1e-3

    first, source = made[0], slices[0]
    assert first.get_item("PatientName").value.rstrip() == NAME
    for keyword in ("SpecificCharacterSet", "StudyInstanceUID", "FrameOfReferenceUID",
                    "PatientID", "WindowCenter", "LossyImageCompressionRatio", "KVP"):  # fmt: skip
        assert first[keyword].value == source[keyword].value
    assert first.SeriesInstanceUID != source.SeriesInstanceUID
    assert list(first.ImageType) == ["DERIVED", "SECONDARY", "MPR"]
    assert "ImageComments" not in first
    assert not [element for element in first if element.tag.is_private]
    assert ("BodyPartExamined" in first) == ("BodyPartExamined" in source)
    assert [one.InstanceNumber for one in made] == list(range(1, 13))
    uids = {one.ReferencedSOPInstanceUID for one in first.SourceImageSequence}
    assert uids == {one.SOPInstanceUID for one in slices}


def test_oblique_slabs_name_the_slices_they_saw_and_a_second_run_makes_the_same_bytes(
    store: Store, work_on: Callable[..., Work]
) -> None:
    series = store(slices := make_slices(index_volume()))
    wish = {"normal": [0, 0.01, 1], "up": [0, -1, 0], "spacing_mm": 2, "thickness_mm": 1,
            "mode": "mean"}  # fmt: skip
    works = [work_on(series, folder) for folder in ("one", "two")]
    for work in works:
        kind_mpr.run(work, kind_mpr.parse(wish))

    one, two = ([path.read_bytes() for path in work.dicom_paths] for work in works)
    assert one == two
    header = dcmread(works[0].dicom_paths[3])
    assert float(header.SliceThickness) == 1
    assert float(header.SpacingBetweenSlices) == 2
    middle = place(header, (header.Columns - 1) / 2, (header.Rows - 1) / 2)
    by_uid = {str(each.SOPInstanceUID): each.ImagePositionPatient[2] for each in slices}
    seen = [by_uid[each.ReferencedSOPInstanceUID] for each in header.SourceImageSequence]
    assert 1 <= len(seen) <= 3
    assert min(seen) - 1 <= middle[2] <= max(seen) + 1


def test_every_kind_of_object_is_valid_and_keeps_its_values(
    store: Store, work_on: Callable[..., Work]
) -> None:
    pet: dict[str, Any] = {
        "SOPClassUID": PositronEmissionTomographyImageStorage, "Modality": "PT", "Units": "BQML",
        "CountsSource": "EMISSION", "DecayCorrection": "START", "SeriesDate": "20260102",
        "SeriesTime": "080000", "SeriesType": ["STATIC", "IMAGE"], "RescaleIntercept": 0,
        "RescaleSlope": "0.25", "RadiopharmaceuticalInformationSequence": Sequence([Dataset()]),
    }  # fmt: skip
    mr = {"SOPClassUID": MRImageStorage, "Modality": "MR", "ScanningSequence": "SE",
          "SequenceVariant": "SK", "EchoTime": "12"}  # fmt: skip
    nm = {"SOPClassUID": NuclearMedicineImageStorage, "Modality": "NM"}
    # PET images know one way alone (PS3.3 C.8.9.4); elsewhere what was dark stays dark.
    pet["PhotometricInterpretation"] = mr["PhotometricInterpretation"] = "MONOCHROME1"
    shown_as = ("MONOCHROME2", "MONOCHROME1", "MONOCHROME2")
    pet["RadiopharmaceuticalInformationSequence"][0].RadionuclideCodeSequence = []
    kinds: list[tuple[dict[str, Any], int]] = [(pet, 0), (mr, -1000), (nm, -1000)]
    for number, (facts, lowest) in enumerate(kinds):
        values = index_volume() - index_volume().min() + lowest
        slices = make_slices(values, **facts)
        for one in slices:
            one.file_meta.MediaStorageSOPClassUID = one.SOPClassUID
        work = work_on(store(slices), f"{number}")
        kind_mip.run(work, kind_mip.parse({"plane": "coronal"}))
        header = dcmread(work.dicom_paths[0])
        found = header.pixel_array * float(header.RescaleSlope) + float(header.RescaleIntercept)
        assert np.abs(found - values.max(axis=1)[::-1]).max() <= float(header.RescaleSlope) / 2
        if number == 0:
            assert float(header.RescaleIntercept) == 0
        assert header.Modality == facts["Modality"]
        assert header.PhotometricInterpretation == shown_as[number]
        assert is_valid(work.dicom_paths[0])

    views = derived_series(work, work.open_volume(), image_type=("VOLUME",),
                           description="Views", codes=[RENDERED], name="views")  # fmt: skip
    shown = np.arange(3 * 5 * 7 * 3, dtype=np.uint8).reshape(3, 5, 7, 3)
    views.add_views(iter(shown[:1]), 1)
    views.add_views(iter(shown), 3)
    single, film = (dcmread(path) for path in views.paths)
    assert np.array_equal(single.pixel_array, shown[0])
    assert np.array_equal(film.pixel_array, shown)
    assert [is_valid(path) for path in views.paths] == [True, True]


def test_what_is_broken_in_the_source_is_not_handed_on() -> None:
    made = ElementWriter()
    made.set("ImagePositionPatient", 1 / 3, -1e-17, 1e12 / 7)

    # PS3.5 6.2: a DS has at most 16 characters, none of them another number's.
    raw = made.encode()[8:].rstrip().split(b"\\")
    assert all(len(one) <= 16 for one in raw)
    assert [float(one) for one in raw] == pytest.approx([1 / 3, 0, 1e12 / 7], abs=1e-9, rel=1e-9)


# --- other forms ------------------------------------------------------------------------
def test_files_say_the_same_as_the_series(store: Store, work_on: Callable[..., Work]) -> None:
    work = work_on(store(make_slices(index_volume())))
    wish = {"plane": "sagittal", "output": ["dicom", "png", "nifti", "npy", "json"],
            "window": [2000, 2000]}  # fmt: skip

    kind_mpr.run(work, kind_mpr.parse(wish))

    made = [dcmread(path) for path in work.dicom_paths]
    values = np.stack([one.pixel_array for one in made])
    files = {one.name: one.path for one in work.files}
    assert np.array_equal(np.load(files["planes.npy"]), values)
    image = SimpleITK.ReadImage(str(files["planes.nii"]))
    assert np.array_equal(SimpleITK.GetArrayFromImage(image), values)
    for column, row, number in ((0, 0, 0), (11, 20, 9)):
        theirs = image.TransformIndexToPhysicalPoint([column, row, number])
        assert np.abs(place(made[number], column, row) - theirs).max() < 1e-3
    about = json.loads(files["geometry.json"].read_text())
    assert about["planes"][4]["origin"] == pytest.approx(place(made[4], 0, 0).tolist())
    with zipfile.ZipFile(files["pictures.zip"]) as pictures:
        assert pictures.namelist()[4] == "plane-00005.png"
        shown = np.asarray(Image.open(io.BytesIO(pictures.read("plane-00005.png"))))
    # PS3.3 C.11.2.1.2.1 by hand, as the plane's own address.
    grey = np.clip(((values[4] - 1999.5) / 1999 + 0.5) * 255, 0, 255)
    assert np.array_equal(shown, np.floor(grey + 0.5))


@pytest.mark.parametrize("mode", ["mip", "minip", "mean"])
def test_projections_are_numpys(store: Store, work_on: Callable[..., Work], mode: str) -> None:
    noise = np.random.default_rng(4).integers(-900, 2000, SHAPE)
    series = store(make_slices(noise))
    kind = load_kind(mode)
    made: dict[str, np.ndarray] = {}
    for plane in ("axial", "coronal", "sagittal"):
        work = work_on(series, f"{plane}")
        kind.run(work, kind.parse({"plane": plane}))
        made[plane] = dcmread(work.dicom_paths[0]).pixel_array

    act: Any = {"mip": np.max, "minip": np.min, "mean": np.mean}[mode]
    truth = [np.floor(act(noise, axis=axis) + 0.5) for axis in (0, 1, 2)]
    assert np.array_equal(made["axial"], truth[0])
    assert np.array_equal(made["coronal"], truth[1][::-1])
    assert np.array_equal(made["sagittal"], truth[2][::-1])


def test_a_turning_maximum_shows_front_and_side_and_ends_when_nobody_wants_it(
    store: Store, work_on: Callable[..., Work]
) -> None:
    noise = np.random.default_rng(4).integers(-900, 2000, SHAPE)
    series = store(make_slices(noise))
    work = work_on(series)

    kind_rotating_mip.run(work, kind_rotating_mip.parse({"views": 4}))

    views = [dcmread(path) for path in work.dicom_paths]
    # From the front, the left (the picture's right is the back), the back and the right.
    for number, (axis, start, step, line) in enumerate(
        [(1, -20, 0.5, 0), (2, 30, 0.75, 1), (1, -20, 0.5, 0), (2, 30, 0.75, 1)]
    ):
        view = views[number]
        places = np.array([place(view, column, 0)[line] for column in range(view.Columns)])
        voxels = start + step * np.arange(noise.shape[2 if axis == 1 else 1])
        inside = (places >= voxels[0]) & (places <= voxels[-1])
        assert inside.sum() > 8
        for row in range(view.Rows):
            truth = np.interp(places, voxels, noise.max(axis=axis)[SHAPE[0] - 1 - row])
            assert np.abs(view.pixel_array[row] - truth)[inside].max() <= 0.51

    def nobody(_progress: float) -> None:
        raise JobCancelledError

    with pytest.raises(JobCancelledError):
        kind_rotating_mip.run(
            work_on(series, "two", tell=nobody), kind_rotating_mip.parse({"views": 4})
        )


def test_what_would_take_a_day_is_refused_before_it_begins(
    store: Store, work_on: Callable[..., Work], monkeypatch: pytest.MonkeyPatch
) -> None:
    series = store(make_slices(index_volume()))
    monkeypatch.setattr("reconstruction.planar.WORK_LIMIT", 100)
    slab = {"plane": "axial", "mode": "mean", "thickness_mm": 5}
    about = {"axis": [1, 0, 0], "views": 4}
    for kind, wish, name in ((kind_mpr, slab, "spacing_mm"), (kind_rotating_mip, about, "views")):
        work = work_on(series, name)
        with pytest.raises(ValidationError, match=f"{name}: "):
            kind.run(work, kind.parse(wish))
        assert not list(work.folder.iterdir())


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({}, "plane"), ({"plane": "top"}, "plane"), ({"plane": "axial", "up": [0, 1, 0]}, "up"),
        ({"normal": [0, 0, 1], "up": [0, 0, 2]}, "up"), ({"normal": [0, 0, 0]}, "normal"),
        ({"plane": "axial", "mode": "mip"}, "thickness_mm"),
        ({"plane": "axial", "spacing_mm": 0}, "spacing_mm"),
        ({"plane": "axial", "output": "tiff"}, "output"),
        ({"plane": "axial", "output": []}, "output"),
        ({"plane": "axial", "window": [40, 0]}, "window"),
        ({"plane": "axial", "zoom": 1}, "zoom"),
    ],
)  # fmt: skip
def test_a_wrong_parameter_of_a_job_is_named(parameters: dict[str, Any], name: str) -> None:
    with pytest.raises(Exception, match=f"{name}: ") as refused:
        kind_mpr.parse(parameters)

    assert refused.value.status_code == 400  # type: ignore[attr-defined]
