"""The file interface in the OpenAPI document: parameters, answers, errors, examples."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
)
from rest_framework import serializers

from dicomweb.files.forms import ImageForm, ListForm, SummaryForm

_TAGS = ["DICOM files"]
_PATH = "studies/{0}/{0}/{0}.dcm".format("0193c9f1b0c47d2aa1b2c3d4e5f60718")


def _text() -> serializers.CharField:
    return serializers.CharField(allow_null=True)


class FilePatient(serializers.Serializer[Any]):
    """Who is examined."""

    patient_name = _text()
    patient_id = _text()
    patient_birth_date = _text()
    patient_sex = _text()
    patient_age = _text()


class FileStudy(serializers.Serializer[Any]):
    """Which examination."""

    study_instance_uid = _text()
    study_date = _text()
    study_time = _text()
    study_description = _text()
    accession_number = _text()
    referring_physician = _text()


class FileSeries(serializers.Serializer[Any]):
    """Which series of it."""

    series_instance_uid = _text()
    series_number = serializers.IntegerField(allow_null=True)
    series_description = _text()
    modality = _text()
    body_part = _text()


class FileImage(serializers.Serializer[Any]):
    """What the pixels are."""

    instance_number = serializers.IntegerField(allow_null=True)
    rows = serializers.IntegerField(allow_null=True)
    columns = serializers.IntegerField(allow_null=True)
    bits_allocated = serializers.IntegerField(allow_null=True)
    bits_stored = serializers.IntegerField(allow_null=True)
    samples_per_pixel = serializers.IntegerField(allow_null=True)
    photometric_interpretation = _text()
    pixel_spacing = serializers.ListField(child=serializers.FloatField(), allow_null=True)
    slice_thickness = serializers.FloatField(allow_null=True)
    has_pixel_data = serializers.BooleanField()


class FileEquipment(serializers.Serializer[Any]):
    """What made it."""

    manufacturer = _text()
    model = _text()
    station_name = _text()


class FileMetadata(serializers.Serializer[Any]):
    """What a file says of itself; what it does not say is null."""

    patient = FilePatient()
    study = FileStudy()
    series = FileSeries()
    image = FileImage()
    equipment = FileEquipment()


class FileUploaded(serializers.Serializer[Any]):
    """A file that is in the archive."""

    success = serializers.BooleanField()
    message = serializers.CharField()
    file_path = serializers.CharField()
    metadata = FileMetadata()


class FileDescribed(serializers.Serializer[Any]):
    """A file of the archive."""

    success = serializers.BooleanField()
    file_path = serializers.CharField()
    metadata = FileMetadata()


class ListedFile(serializers.Serializer[Any]):
    """One file of a list."""

    file_path = serializers.CharField()
    patient_id = serializers.CharField()
    patient_name = serializers.CharField()
    study_uid = serializers.CharField()
    series_uid = serializers.CharField()
    modality = serializers.CharField()
    study_date = _text()
    study_description = serializers.CharField()
    uploaded_at = serializers.DateTimeField()


class FileList(serializers.Serializer[Any]):
    """Files, newest first."""

    success = serializers.BooleanField()
    count = serializers.IntegerField()
    files = ListedFile(many=True)


class FileDeleted(serializers.Serializer[Any]):
    """A file that is gone."""

    success = serializers.BooleanField()
    message = serializers.CharField()


class FileSummary(serializers.Serializer[Any]):
    """A file in sentences, and the values behind them by section."""

    success = serializers.BooleanField()
    summary = serializers.CharField()
    structured_data = serializers.DictField(child=serializers.DictField())


class FileStorage(serializers.Serializer[Any]):
    """How much the person sees."""

    total_files = serializers.IntegerField()
    total_size_mb = serializers.FloatField()
    studies_count = serializers.IntegerField()
    series_count = serializers.IntegerField()


class FileStatus(serializers.Serializer[Any]):
    """What the interface can do."""

    enabled = serializers.BooleanField()
    storage_dir = serializers.CharField()
    max_file_size_mb = serializers.FloatField()
    supported_formats = serializers.ListField(child=serializers.CharField())
    pydicom_version = serializers.CharField()
    storage_info = FileStorage()


class FileRefusal(serializers.Serializer[Any]):
    """Why the answer is no."""

    detail = serializers.CharField()


class FileForm(serializers.Serializer[Any]):
    """The upload's form."""

    file = serializers.FileField()
    facility = serializers.CharField(
        required=False,
        help_text="Code of the facility it belongs to; needed by who works in several.",
    )


_METADATA = {
    "patient": {
        "patient_name": "DOE^JOHN",
        "patient_id": "12345",
        "patient_birth_date": "19700131",
        "patient_sex": "M",
        "patient_age": "055Y",
    },
    "study": {
        "study_instance_uid": "1.2.826.0.1.3680043.8.498.1",
        "study_date": "20251106",
        "study_time": "143022",
        "study_description": "CT CHEST",
        "accession_number": "A-4711",
        "referring_physician": "ROE^RICHARD",
    },
    "series": {
        "series_instance_uid": "1.2.826.0.1.3680043.8.498.2",
        "series_number": 3,
        "series_description": "AXIAL 5 MM",
        "modality": "CT",
        "body_part": "CHEST",
    },
    "image": {
        "instance_number": 1,
        "rows": 512,
        "columns": 512,
        "bits_allocated": 16,
        "bits_stored": 12,
        "samples_per_pixel": 1,
        "photometric_interpretation": "MONOCHROME2",
        "pixel_spacing": [0.7, 0.7],
        "slice_thickness": 5.0,
        "has_pixel_data": True,
    },
    "equipment": {"manufacturer": "ACME", "model": "CT 3000", "station_name": "CT1"},
}
_SUMMARY = """PATIENT INFORMATION
Name: DOE, JOHN
Patient ID: 12345

STUDY INFORMATION
Date: November 6, 2025

TECHNICAL PARAMETERS
Slice Thickness: 5.0 mm
Matrix: 512 x 512"""


def _example(status: int, value: Any) -> OpenApiExample:
    return OpenApiExample(f"{status}", value=value, response_only=True, status_codes=[str(status)])


def _refusals(**words: str) -> tuple[dict[int, OpenApiResponse], list[OpenApiExample]]:
    """Return responses and examples of refusals, by status."""
    told = {"s401": "Authentication credentials were not provided.", **words}
    responses: dict[int, OpenApiResponse] = {}
    examples: list[OpenApiExample] = []
    for name, detail in told.items():
        status = int(name[1:4])
        meaning = {401: "Nobody is logged in.", 403: "The role or token may not."}
        description = meaning.get(status, detail)
        responses.setdefault(status, OpenApiResponse(FileRefusal, description=description))
        examples.append(
            OpenApiExample(
                name[1:],
                value={"detail": detail},
                response_only=True,
                status_codes=[str(status)],
            )
        )
    return responses, examples


def _describe(
    operation: str,
    success: type[serializers.Serializer[Any]] | Any,
    example: Any,
    refusals: dict[str, str],
    **also: Any,
) -> Any:
    """Return the decorator that documents one operation."""
    summary = also.pop("summary")
    responses, examples = _refusals(**refusals)
    shown = [] if example is None else [_example(200, example)]
    return extend_schema(
        operation_id=f"files_{operation}",
        summary=summary,
        tags=_TAGS,
        responses={**success, **responses}
        if isinstance(success, dict)
        else {200: success, **responses},
        examples=[*shown, *examples],
        **also,
    )


_MISSING = {"s404": "DICOM file not found"}
_DAMAGED = {"s422": "The file is damaged: it has another size than was stored."}
_BUSY = {"s503": "The storage cannot be read."}
_MAY_NOT = {"s403": "Your role may not delete files"}
_BROWSER = {"s403": "CSRF Failed: CSRF token missing."}
_KEY = OpenApiParameter(
    "file_path", str, OpenApiParameter.PATH, description="As the upload or the list gave it."
)

UPLOAD = _describe(
    "upload",
    FileUploaded,
    {
        "success": True,
        "message": "DICOM file uploaded successfully",
        "file_path": _PATH,
        "metadata": _METADATA,
    },
    {
        "s400": "No file uploaded",
        "s400_invalid": "Invalid DICOM file: no DICOM",
        "s403": "Your role may not upload files",
        "s409": "The SOP Instance UID is here already with other content.",
        "s413": "File size exceeds maximum allowed size (2048MB)",
        "s507": "The disk is full: its reserve is reached.",
        "s503": "The database does not answer; try again soon.",
    },
    summary="Upload one DICOM file",
    request={"multipart/form-data": FileForm},
)
METADATA = _describe(
    "metadata",
    FileDescribed,
    {"success": True, "file_path": _PATH, "metadata": _METADATA},
    {**_MISSING, **_DAMAGED, **_BUSY},
    summary="What a file says of itself",
    parameters=[_KEY],
)
IMAGE = _describe(
    "image",
    {
        (200, "image/png"): OpenApiTypes.BINARY,
        (200, "image/jpeg"): OpenApiTypes.BINARY,
        304: OpenApiResponse(description="The browser has this picture already."),
    },
    None,
    {
        "s400": "DICOM file does not contain pixel data",
        **_MISSING,
        **_DAMAGED,
        **_BUSY,
    },
    summary="A frame as a picture",
    parameters=[_KEY, ImageForm],
)
LIST = _describe(
    "list",
    FileList,
    {
        "success": True,
        "count": 1,
        "files": [
            {
                "file_path": _PATH,
                "patient_id": "12345",
                "patient_name": "DOE^JOHN",
                "study_uid": "1.2.826.0.1.3680043.8.498.1",
                "series_uid": "1.2.826.0.1.3680043.8.498.2",
                "modality": "CT",
                "study_date": "20251106",
                "study_description": "CT CHEST",
                "uploaded_at": "2025-11-06T14:41:07.123456Z",
            }
        ],
    },
    {"s400": "limit: A valid integer is required."},
    summary="Files, newest first",
    parameters=[ListForm],
)
DELETE = _describe(
    "delete",
    FileDeleted,
    {"success": True, "message": "DICOM file deleted successfully"},
    {**_MISSING, **_MAY_NOT, "s409": "Marks belong to it: it cannot be deleted.", **_BUSY},
    summary="Delete a file",
    parameters=[_KEY],
)
SUMMARY = _describe(
    "clinical_summary",
    FileSummary,
    {
        "success": True,
        "summary": _SUMMARY,
        "structured_data": {
            "patient": _METADATA["patient"],
            "study": _METADATA["study"],
            "technical": {"rows": 512, "columns": 512, "slice_thickness": 5.0},
        },
    },
    {
        "s400": "include_patient_info: Must be a valid boolean.",
        **_BROWSER,
        **_MISSING,
        **_DAMAGED,
        **_BUSY,
    },
    summary="A file in sentences",
    request=SummaryForm,
    parameters=[_KEY],
)
STATUS = _describe(
    "status",
    FileStatus,
    {
        "enabled": True,
        "storage_dir": "studies",
        "max_file_size_mb": 2048,
        "supported_formats": [".dcm", ".dicom"],
        "pydicom_version": "3.0.1",
        "storage_info": {
            "total_files": 312,
            "total_size_mb": 161.4,
            "studies_count": 2,
            "series_count": 5,
        },
    },
    {},
    summary="What the interface can do",
)
