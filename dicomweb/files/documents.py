"""What a file says of itself, as the file interface tells it.

Values are those of the file's own header: dates as `YYYYMMDD`, names with their carets. Text
is one line without control and reordering characters. What the file does not say is null.
"""

from __future__ import annotations

from typing import Any

from archive import storage
from archive.models import Instance
from imaging.facts import LO_LENGTH, PN_LENGTH
from imaging.header import Header, read_header
from imaging.ordering import frame_view
from imaging.text import clean_line

Document = dict[str, Any]


def read_document(instance: Instance) -> Document:
    """Return patient, study, series, image and equipment of a stored file.

    Raises
    ------
    MissingError, UnreadableError, LimitExceededError
        The file is gone or damaged.
    StorageUnavailableError
        The storage does not answer.
    """
    with storage.open_instance(instance.storage_key) as file:
        header = read_header(file, size=instance.size_bytes)
        return _describe(header, frame_view(instance.image, 0) if instance.image else {})


def _describe(header: Header, facts: Document) -> Document:
    """Describe a header; `facts` are the index's of the first frame, for enhanced objects."""
    return {
        "patient": {
            "patient_name": _line(header, "PatientName", PN_LENGTH),
            "patient_id": _line(header, "PatientID"),
            "patient_birth_date": _line(header, "PatientBirthDate"),
            "patient_sex": _line(header, "PatientSex"),
            "patient_age": _line(header, "PatientAge"),
        },
        "study": {
            "study_instance_uid": _line(header, "StudyInstanceUID"),
            "study_date": _line(header, "StudyDate"),
            "study_time": _line(header, "StudyTime"),
            "study_description": _line(header, "StudyDescription"),
            "accession_number": _line(header, "AccessionNumber"),
            "referring_physician": _line(header, "ReferringPhysicianName", PN_LENGTH),
        },
        "series": {
            "series_instance_uid": _line(header, "SeriesInstanceUID"),
            "series_number": header.integer("SeriesNumber"),
            "series_description": _line(header, "SeriesDescription"),
            "modality": _line(header, "Modality"),
            "body_part": _line(header, "BodyPartExamined"),
        },
        "image": {
            "instance_number": header.integer("InstanceNumber"),
            "rows": header.integer("Rows"),
            "columns": header.integer("Columns"),
            "bits_allocated": header.integer("BitsAllocated"),
            "bits_stored": header.integer("BitsStored"),
            "samples_per_pixel": header.integer("SamplesPerPixel"),
            "photometric_interpretation": _line(header, "PhotometricInterpretation"),
            "pixel_spacing": _spacing(header, facts),
            "slice_thickness": _thickness(header, facts),
            "has_pixel_data": header.pixel is not None,
        },
        "equipment": {
            "manufacturer": _line(header, "Manufacturer"),
            "model": _line(header, "ManufacturerModelName"),
            "station_name": _line(header, "StationName"),
        },
    }


def _line(header: Header, keyword: str, longest: int = LO_LENGTH) -> str | None:
    return clean_line("\\".join(header.texts(keyword)))[:longest] or None


def _spacing(header: Header, facts: Document) -> list[float] | None:
    """Return the distance of rows and of columns in mm; at the detector where no other is told."""
    for keyword in ("PixelSpacing", "ImagerPixelSpacing"):
        found = header.floats(keyword)
        if len(found) == 2:
            return found
    spacing = facts.get("pixel_spacing")
    return [float(one) for one in spacing] if spacing else None


def _thickness(header: Header, facts: Document) -> float | None:
    told = header.number("SliceThickness")
    return told if told is not None else facts.get("slice_thickness")
