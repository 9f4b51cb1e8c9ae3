"""Segmentations of a series as DICOM, each frame on the image that it was made of."""

from __future__ import annotations

from pathlib import Path

import pydicom
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from pydicom import Dataset

from archive import storage
from archive.models import Instance, Series
from archive.passport import read_passport
from imaging.errors import BusyError, NoctisError, UnreadableError
from imaging.ordering import frame_view
from imaging.report_writer import Writing
from imaging.segmentation_writer import SegmentText, SourceSlice, write_segmentation
from reconstruction.assembly import Slice, plan_volume
from reconstruction.derived import number_of_series, patient_of
from reconstruction.tissue import Found
from reconstruction.volume_files import Volume
from reconstruction.work import Work

_TAGS = [
    "SpecificCharacterSet", "StudyInstanceUID", "SeriesInstanceUID", "Modality", "StudyDate",
    "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName", "StudyDescription",
    "PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate", "PatientSex",
    "PatientAge", "PatientSize", "PatientWeight", "FrameOfReferenceUID",
    "PositionReferenceIndicator", "BodyPartExamined", "Laterality",
]  # fmt: skip


def write_tissue(work: Work, volume: Volume, found: Found, text: SegmentText) -> Path:
    """Write what was found as a segmentation into the folder of the work.

    Raises BusyError when the series is changing, UnreadableError for a header that cannot be
    read.
    """
    series = work.series
    plan = plan_volume(series, read_passport(series), volume.about["time_point"])
    if len(plan.slices) != volume.geometry.shape[0]:
        raise BusyError("The series is changing; try again in a moment.")
    numbers = [int(number) for number in found.slice_counts.nonzero()[0]]
    slices = [_source(plan.slices[number]) for number in numbers]
    header = _read_header(series, plan.slices[numbers[0]], volume)
    uid = work.uid_of("segmentation")
    writing = Writing(
        sop_instance_uid=work.uid_of("segmentation", 1),
        series_instance_uid=uid,
        series_number=number_of_series(series, uid),
        author_name=_name_of(work),
        software_version=settings.NOCTIS_VERSION,
    )
    path = work.folder / "segmentation.dcm"
    with (work.folder / "segmentation.bits").open("w+b") as pixels:
        made = write_segmentation(
            header,
            slices,
            lambda one: found.mask.read(numbers[one], numbers[one] + 1)[0],
            text,
            writing,
            pixels,
        )
        _set_times(made, work)
        made.save_as(path, enforce_file_format=True)
    return path


def _source(one: Slice) -> SourceSlice:
    instance = one.instance
    x, y, z = frame_view(instance.image, one.frame)["image_position_patient"]
    frame = one.frame + 1 if instance.number_of_frames > 1 else 0
    return SourceSlice(instance.sop_class_uid, instance.sop_instance_uid, frame, (x, y, z))


def _read_header(series: Series, one: Slice, volume: Volume) -> Dataset:
    """Return what a segmentation takes of its source; the patient as the archive has them."""
    header = _read_tags(one.instance)
    study = series.study
    header.SpecificCharacterSet = "ISO_IR 192"
    header.StudyInstanceUID = study.study_instance_uid
    header.SeriesInstanceUID = series.series_instance_uid
    if header.get("PatientSex") not in ("M", "F", "O"):
        header.PatientSex = ""
    for keyword, value in patient_of(study).values().items():
        setattr(header, keyword, value)
    for keyword in (
        "PatientID", "PatientName", "PatientBirthDate",
        "StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName",
        "PositionReferenceIndicator",
    ):  # fmt: skip
        if keyword not in header:
            setattr(header, keyword, "")
    facts = frame_view(one.instance.image, one.frame)
    header.Rows, header.Columns = one.instance.rows, one.instance.columns
    header.PixelSpacing = list(facts["pixel_spacing"])
    header.ImageOrientationPatient = list(facts["image_orientation_patient"])
    header.SliceThickness = facts.get("slice_thickness") or volume.geometry.spacing_mm[2]
    if not header.get("FrameOfReferenceUID"):
        header.FrameOfReferenceUID = volume.about.get("frame_of_reference_uid") or ""
    return header


def _read_tags(instance: Instance) -> Dataset:
    try:
        with storage.open_instance(instance.storage_key) as file:
            header = pydicom.dcmread(
                file, stop_before_pixels=True, specific_tags=list(_TAGS), force=True
            )
        header.decode()
    except NoctisError:
        raise
    except Exception as error:  # whatever a damaged file makes of the reader
        raise UnreadableError(_("The file is damaged: its header cannot be read.")) from error
    return header


def _name_of(work: Work) -> str:
    person = work.person
    # The caret says that one component is all there is of a name.
    name = f"{person.last_name}^{person.first_name}"
    name = f"{person.get_username()}^" if name == "^" else name
    return name[:64].replace("\\", " ").replace("=", " ")


def _set_times(made: Dataset, work: Work) -> None:
    """Give a job that runs twice the same object."""
    asked = timezone.localtime(work.asked_at)
    for what in ("InstanceCreation", "Series", "Content"):
        for kind, form in (("Date", "%Y%m%d"), ("Time", "%H%M%S.%f")):
            if f"{what}{kind}" in made:
                setattr(made, f"{what}{kind}", asked.strftime(form))
