"""Marks written as DICOM objects and stored, by the one way in, beside the images they are on."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pydicom
from django.conf import settings
from django.utils.translation import gettext as _
from pydicom import Dataset
from pydicom.uid import generate_uid

from accounts.audit import record_for_user
from archive import storage
from archive.ingest import Source, ingest_file
from archive.models import Instance, Study
from archive.rendering import Rendering, find_window
from imaging.drawn import Drawn, graphics_of
from imaging.errors import NoctisError, UnreadableError, UnsupportedError
from imaging.key_object_writer import write_key_objects
from imaging.ordering import frame_view
from imaging.presentation_writer import Layer, Look, is_colour, write_presentation
from imaging.report_writer import Writing, write_report
from viewer.mark_rows import MARKS_LIMIT, StudyMarks, drawn_of, image_of, uid_of
from viewer.marks import Author

FORMS = ("report", "presentation", "key_objects")
# What the objects take over from the images: patient and study come from the archive's rows.
_TAGS = [
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality",
    "StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName",
    "StudyDescription", "FrameOfReferenceUID", "PositionReferenceIndicator", "Rows", "Columns",
    "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated",
    "BitsStored", "HighBit", "PixelRepresentation", "PixelSpacing", "ImagerPixelSpacing",
    "PixelAspectRatio", "RescaleSlope", "RescaleIntercept", "RescaleType", "WindowCenter",
    "WindowWidth", "VOILUTFunction", "PatientAge", "PatientSize", "PatientWeight",
    "ShutterShape", "ShutterLeftVerticalEdge", "ShutterRightVerticalEdge",
    "ShutterUpperHorizontalEdge", "ShutterLowerHorizontalEdge", "CenterOfCircularShutter",
    "RadiusOfCircularShutter", "VerticesOfThePolygonalShutter", "ShutterPresentationValue",
    "SpecificCharacterSet", "ImageType", "ImageOrientationSlide",
]  # fmt: skip


@dataclass
class Stored:
    """What became of a wish to export."""

    objects: list[dict[str, str]] = field(default_factory=list)
    left_out: list[dict[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Wish:
    """What is to be written, and how."""

    forms: Sequence[str]
    in_patient: bool = False
    look: Look = field(default_factory=Look)
    note: str = ""


def export_marks(author: Author, study: Study, marks: StudyMarks, wish: Wish) -> Stored:
    """Write the marks in the wished forms and store each object; blocks until all are durable.

    Raises UnsupportedError when there is nothing to write or too much, UnreadableError when an
    image cannot be read, and as `archive.ingest`.
    """
    if len(marks.drawings) > MARKS_LIMIT or len(marks.key_images) > MARKS_LIMIT:
        raise UnsupportedError(_("These are too many marks for one object."))
    images = [*marks.instances().values(), *_sources(study, marks)]
    headers = {one.sop_instance_uid: _read_header(study, one) for one in images}
    done = Stored()
    makers: dict[str, Callable[[], list[Dataset]]] = {
        "report": lambda: _reports(author, study, marks, headers, wish, done),
        "presentation": lambda: _presentations(author, study, marks, headers, wish, done),
        "key_objects": lambda: _key_objects(author, study, marks, headers, wish),
    }
    made = [(form, one) for form in wish.forms for one in makers[form]()]
    if not made:
        raise UnsupportedError(_("There are no marks to write."))
    first = min(int(one.SeriesNumber) for _form, one in made)
    series = list(dict.fromkeys(str(one.SeriesInstanceUID) for _form, one in made))
    for form, one in made:
        one.SeriesNumber = first + series.index(str(one.SeriesInstanceUID))
        done.objects.append(_store(author, study, form, one))
    record_for_user(
        author.user,
        "marks_exported",
        address=author.address,
        facility_id=study.facility_id,
        patient_id=study.patient.patient_id,
        study_instance_uid=study.study_instance_uid,
        detail={"objects": [one["sop_instance_uid"] for one in done.objects]},
    )
    return done


# --- each form ------------------------------------------------------------------------------
_Headers = dict[str, Dataset]


def _reports(
    author: Author, study: Study, marks: StudyMarks, headers: _Headers, wish: Wish, done: Stored
) -> list[Dataset]:
    drawn = _fitting([drawn_of(mark) for mark in marks.measurements], headers, done)
    drawn = [one for one in drawn if one.value is not None]
    if not drawn:
        return []
    evidence = _evidence(drawn, headers)
    writing = _writing(author, study)
    return [write_report(drawn, evidence, writing, in_patient=wish.in_patient)]


def _presentations(
    author: Author, study: Study, marks: StudyMarks, headers: _Headers, wish: Wish, done: Stored
) -> list[Dataset]:
    """Return a state for each series, kind of pixels and rescale: one state has one of each."""
    for mark in marks.on_planes:
        reason = _("A presentation state holds no marks on reformatted planes.")
        done.left_out.append({"uid": uid_of(mark.pk), "label": mark.label, "reason": reason})
    drawn = [drawn_of(mark) for mark in marks.on_images.drawings if mark.is_visible]
    layers = [
        Layer(name=layer.name, colour=layer.colour, position=layer.position)
        for layer in marks.layers
    ]
    hidden = {layer.name for layer in marks.layers if not layer.is_visible}
    drawn = [one for one in drawn if one.layer not in hidden]
    groups: dict[tuple[str, ...], list[Drawn]] = {}
    for one in _fitting(drawn, headers, done):
        header = headers[one.image.sop_instance_uid]
        key = (
            str(header.SeriesInstanceUID),
            str(is_colour(header)),
            *(str(header.get(name, "")) for name in ("RescaleSlope", "RescaleIntercept")),
            *(str(header.get(name, "")) for name in ("Rows", "Columns")),
        )
        groups.setdefault(key, []).append(one)
    series = generate_uid(prefix=None)
    if wish.look.window is None:
        known = {one.sop_instance_uid: one for one in marks.instances().values()}
        for group in groups.values():
            # The first image's window is that of the state.
            uid = group[0].image.sop_instance_uid
            _give_window(headers[uid], known[uid])
    return [
        write_presentation(
            group,
            layers,
            _evidence(group, headers),
            _writing(author, study, series, number),
            wish.look,
        )
        for number, group in enumerate(groups.values(), 1)
    ]


def _key_objects(
    author: Author, study: Study, marks: StudyMarks, headers: _Headers, wish: Wish
) -> list[Dataset]:
    images = [image_of(mark) for mark in marks.key_images]
    if not images:
        return []
    notes = [
        f"{mark.instance.instance_number or mark.instance.sop_instance_uid}"
        f"{f'/{mark.frame + 1}' if mark.instance.number_of_frames > 1 else ''}: {mark.note}"
        for mark in marks.key_images
        if mark.note
    ]
    note = "\n".join(part for part in [wish.note, *notes] if part)
    evidence = [headers[uid] for uid in dict.fromkeys(image.sop_instance_uid for image in images)]
    return [write_key_objects(images, note, evidence, _writing(author, study))]


def _fitting(drawn: Sequence[Drawn], headers: _Headers, done: Stored) -> list[Drawn]:
    """Return the marks that lie on their image; coordinates in DICOM begin at its edge."""
    fitting = [one for one in drawn if one.plane]
    for one in drawn:
        if one.plane:
            continue
        header = headers[one.image.sop_instance_uid]
        edge = [float(header.get("Columns", 0)), float(header.get("Rows", 0))]
        is_inside = all(
            (points >= 0).all() and (points <= edge).all() for _kind, points in graphics_of(one)
        ) and all(value >= -0.5 for point in one.points_px for value in point)
        if is_inside:
            fitting.append(one)
        else:
            reason = _("It reaches over the edge of the image.")
            done.left_out.append({"uid": one.uid, "label": one.label, "reason": reason})
    return fitting


def _sources(study: Study, marks: StudyMarks) -> list[Instance]:
    """Return the images that marks on planes name as one of those they were computed from."""
    uids = {drawn_of(mark).image.sop_instance_uid for mark in marks.on_planes}
    return list(Instance.objects.filter(study=study, sop_instance_uid__in=uids))


def _evidence(drawn: Sequence[Drawn], headers: _Headers) -> list[Dataset]:
    return [headers[uid] for uid in dict.fromkeys(one.image.sop_instance_uid for one in drawn)]


def _writing(
    author: Author, study: Study, series_instance_uid: str = "", instance_number: int = 1
) -> Writing:
    numbers = study.series_set.values_list("series_number", flat=True)
    highest = max((number for number in numbers if number and number < 2**30), default=0)
    user = author.user
    # The caret says that one component is all there is of a name.
    name = f"{user.last_name}^{user.first_name}"
    name = f"{user.get_username()}^" if name == "^" else name
    return Writing(
        sop_instance_uid=generate_uid(prefix=None),
        series_instance_uid=series_instance_uid or generate_uid(prefix=None),
        series_number=highest + 1,
        author_name=name[:64].replace("\\", " ").replace("=", " "),
        software_version=settings.NOCTIS_VERSION,
        instance_number=instance_number,
    )


# --- files ----------------------------------------------------------------------------------
def _read_header(study: Study, instance: Instance) -> Dataset:
    """Return what derived objects need of an image; patient and study as the archive has them."""
    try:
        with storage.open_instance(instance.storage_key) as file:
            header: Dataset = pydicom.dcmread(
                file, stop_before_pixels=True, specific_tags=list(_TAGS), force=True
            )
        header.decode()
    except NoctisError:
        raise
    except Exception as error:  # whatever a damaged file makes of the reader
        raise UnreadableError(_("The file is damaged: its header cannot be read.")) from error
    _lift_tables(header, instance)
    patient = study.patient
    header.SpecificCharacterSet = "ISO_IR 192"
    header.StudyInstanceUID = study.study_instance_uid
    header.PatientID = patient.patient_id
    header.PatientName = study.patient_name
    header.PatientSex = study.patient_sex if study.patient_sex in ("M", "F", "O") else ""
    birth_date = study.patient_birth_date
    header.PatientBirthDate = birth_date.strftime("%Y%m%d") if birth_date else ""
    if patient.issuer_of_patient_id:
        header.IssuerOfPatientID = patient.issuer_of_patient_id
    for keyword in ("StudyDate", "StudyTime", "StudyID", "AccessionNumber"):
        if keyword not in header:
            setattr(header, keyword, "")
    if "ReferringPhysicianName" not in header:
        header.ReferringPhysicianName = ""
    return header


def _lift_tables(header: Dataset, instance: Instance) -> None:
    """Set rescale and window of enhanced images, which they keep with their first frame."""
    facts = frame_view(instance.image, 0)
    for keyword in ("RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth"):
        name = "_".join(re.findall("[A-Z][a-z]+", keyword)).lower()
        if keyword not in header and facts.get(name) is not None:
            setattr(header, keyword, facts[name])


def _give_window(header: Dataset, instance: Instance) -> None:
    """Set the window of an image that names none: what the screen finds in its pixels."""
    if "WindowCenter" in header or is_colour(header):
        return
    found = find_window(instance, 0, Rendering())
    if found is not None:
        # Found as LINEAR_EXACT, written as LINEAR (PS3.3 C.11.2.1.2.1): the same two ends.
        header.WindowCenter, header.WindowWidth = found.center + 0.5, found.width + 1.0


def _store(author: Author, study: Study, form: str, made: Dataset) -> dict[str, Any]:
    made.SpecificCharacterSet = "ISO_IR 192"
    content = io.BytesIO()
    pydicom.dcmwrite(content, made, enforce_file_format=True)
    content.seek(0)
    source = Source(
        door="viewer",
        sender=author.user.get_username(),
        facility_id=study.facility_id,
        address=author.address,
        user_id=author.user.pk,
    )
    outcome = ingest_file(source, content)
    if outcome.instance_id is None:
        raise UnsupportedError(
            _("The archive put the object aside: %(reason)s") % {"reason": outcome.reason}
        )
    return {
        "form": form,
        "sop_class_uid": str(made.SOPClassUID),
        "sop_instance_uid": outcome.sop_instance_uid,
        "instance": str(outcome.instance_id),
        "series": str(outcome.series_id),
    }
