"""The DICOM file interface: files taken, described, shown, listed, deleted."""

from __future__ import annotations

from typing import Any, BinaryIO, cast

import pydicom
from django.conf import settings
from django.db.models import Count, Q, Sum
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.address import read_address
from accounts.audit import record_for_user
from accounts.models import User
from archive.deleting import delete_instances, may_delete
from archive.kept_pictures import read_kept_picture
from archive.models import Instance, Study
from archive.picture_answers import answer_unchanged, kept_private
from archive.rendering import Rendering, render_picture
from archive.viewing import ensure_view_recorded
from dicomweb.files import schema
from dicomweb.files.answers import FileView, Refused
from dicomweb.files.documents import read_document
from dicomweb.files.forms import ImageForm, ListForm, SummaryForm
from dicomweb.files.keys import file_path_of, find_file
from dicomweb.files.summary import structure, summarize
from dicomweb.files.taking import OneFileHandler, choose_facility, max_file_megabytes, take_file
from imaging.display import encode_jpeg, encode_png
from imaging.errors import PermanentError, StorageUnavailableError
from imaging.search import search_forms
from worklist.uploading import may_upload

FORMATS = [".dcm", ".dicom"]
_NO_PIXELS = "DICOM file does not contain pixel data"


def _person(request: Request) -> User:
    assert isinstance(request.user, User)
    return request.user


class UploadView(FileView):
    """One file on its way in."""

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        """Have the body go to the archive's own file system, whoever reads it first."""
        request.upload_handlers = [OneFileHandler(request)]
        return super().initialize_request(request, *args, **kwargs)

    @schema.UPLOAD
    def post(self, request: Request) -> Response:
        """Store the form's `file` and say what it is."""
        user = _person(request)
        if not may_upload(user):
            raise Refused(403, "Your role may not upload files")
        form = request._request
        handler = form.upload_handlers[0]
        assert isinstance(handler, OneFileHandler)
        file = form.FILES.get("file")
        if handler.is_too_large:
            limit = max_file_megabytes()
            raise Refused(413, f"File size exceeds maximum allowed size ({limit}MB)")
        if handler.trouble is not None:
            raise Refused(507, str(handler.trouble))
        if file is None or file.file is None:
            raise Refused(400, "No file uploaded")
        stream = cast(BinaryIO, file.file)
        facility_id = choose_facility(user, form.POST.get("facility", ""), stream)
        try:
            outcome = take_file(user, stream, facility_id, read_address(form))
        except StorageUnavailableError as error:
            raise Refused(507, str(error)) from error
        except PermanentError as error:
            raise Refused(400, f"Invalid DICOM file: {error}") from error
        if outcome.instance_id is None:
            raise Refused(409, outcome.reason)
        instance = Instance.objects.get(pk=outcome.instance_id)
        is_new = outcome.status == "stored"
        return Response(
            {
                "success": True,
                "message": "DICOM file uploaded successfully"
                if is_new
                else "DICOM file was already stored",
                "file_path": file_path_of(instance),
                "metadata": read_document(instance),
            }
        )


class MetadataView(FileView):
    """What a file says of itself."""

    @schema.METADATA
    def get(self, request: Request, file_path: str) -> Response:
        """Return the same `metadata` as the upload did."""
        instance = find_file(request.user, file_path)
        ensure_view_recorded(request._request, instance.study)
        return Response(
            {"success": True, "file_path": file_path, "metadata": read_document(instance)}
        )


class ImageView(FileView):
    """A file as a picture."""

    @schema.IMAGE
    def get(self, request: Request, file_path: str) -> HttpResponseBase:
        """Return one frame as a screen shows it."""
        instance = find_file(request.user, file_path)
        form = ImageForm(data=request.query_params.dict())
        form.is_valid(raise_exception=True)
        asked = form.validated_data
        if not instance.number_of_frames:
            raise Refused(400, _NO_PIXELS)
        if asked["frame"] >= instance.number_of_frames:
            raise Refused(400, f"frame: this file has {instance.number_of_frames}, counted from 0.")
        ensure_view_recorded(request._request, instance.study)
        rendering = Rendering(window=asked.get("window"))
        is_png = asked["format"] == "png"
        look = f"{rendering.key};{'png' if is_png else asked['quality']}"
        etag = f'"{instance.dataset_sha256[:32]}-{instance.facts_version}-{asked["frame"]}-{look}"'
        if unchanged := answer_unchanged(request, etag):
            return unchanged

        def make() -> bytes:
            picture = render_picture(instance, asked["frame"], rendering)
            return encode_png(picture) if is_png else encode_jpeg(picture, quality=asked["quality"])

        data = read_kept_picture(instance, asked["frame"], f"files;{look}", make)
        return kept_private(
            HttpResponse(bytes(data), content_type=f"image/{asked['format']}"), etag
        )


class ListView(FileView):
    """The files that the person may see."""

    @schema.LIST
    def get(self, request: Request) -> Response:
        """Return files, newest first."""
        given = {name: text for name, text in request.query_params.items() if text}
        form = ListForm(data=given)
        form.is_valid(raise_exception=True)
        asked = form.validated_data
        rows = Instance.objects.visible_to(request.user).filter(_condition(asked))
        rows = rows.select_related("study__patient", "series").defer("image", "frame_table")
        files = [_entry(row) for row in rows.order_by("-pk")[: asked["limit"]]]
        record_for_user(
            _person(request),
            "search",
            address=read_address(request._request),
            detail={
                "by": "files",
                "keys": {name: text[:200] for name, text in given.items() if name in asked},
                "answers": len(files),
            },
        )
        return Response({"success": True, "count": len(files), "files": files})


def _condition(asked: dict[str, Any]) -> Q:
    condition = Q()
    if "patient_id" in asked:
        condition &= Q(study__patient__patient_id=asked["patient_id"])
    for word in asked.get("patient_name", "").replace("^", " ").replace("=", " ").split():
        either = Q()
        for key in search_forms(word):
            either |= Q(study__search_key__contains=key)
        condition &= either
    if "modality" in asked:
        condition &= Q(series__modality=asked["modality"].upper())
    if "study_date_from" in asked:
        condition &= Q(study__study_date__gte=asked["study_date_from"])
    if "study_date_to" in asked:
        condition &= Q(study__study_date__lte=asked["study_date_to"])
    return condition


def _entry(row: Instance) -> dict[str, Any]:
    study = row.study
    return {
        "file_path": file_path_of(row),
        "patient_id": study.patient.patient_id,
        "patient_name": study.patient_name,
        "study_uid": study.study_instance_uid,
        "series_uid": row.series.series_instance_uid,
        "modality": row.series.modality,
        "study_date": f"{study.study_date:%Y%m%d}" if study.study_date else None,
        "study_description": study.study_description,
        "uploaded_at": row.received_at.isoformat().replace("+00:00", "Z"),
    }


class FileDetail(FileView):
    """One file."""

    @schema.DELETE
    def delete(self, request: Request, file_path: str) -> Response:
        """Take the file out of the archive."""
        if not may_delete(_person(request)):
            raise Refused(403, "Your role may not delete files")
        instance = find_file(request.user, file_path)
        address = read_address(request._request)
        delete_instances(
            instance.study_id, _person(request), instance_id=instance.pk, address=address
        )
        return Response({"success": True, "message": "DICOM file deleted successfully"})


class SummaryView(FileView):
    """A file in sentences."""

    @schema.SUMMARY
    def post(self, request: Request, file_path: str) -> Response:
        """Return the wanted sections as text, and the values behind them."""
        instance = find_file(request.user, file_path)
        # A form's boxes that are not told would count as unticked.
        told = request.data
        form = SummaryForm(data=told.dict() if isinstance(told, QueryDict) else told)
        form.is_valid(raise_exception=True)
        ensure_view_recorded(request._request, instance.study)
        document = read_document(instance)
        wanted = {
            name: form.validated_data[f"include_{name}_{kind}"]
            for name, kind in (("patient", "info"), ("study", "info"), ("technical", "params"))
        }
        return Response(
            {
                "success": True,
                "summary": summarize(document, **wanted),
                "structured_data": structure(document, **wanted),
            }
        )


class StatusView(FileView):
    """What the interface can do, and how much the person sees of the archive."""

    @schema.STATUS
    def get(self, request: Request) -> Response:
        """Return limits and counts; the directory is named as in `file_path`."""
        found = Study.objects.visible_to(request.user).aggregate(
            studies=Count("pk"),
            series=Sum("series_count"),
            files=Sum("instance_count"),
            size=Sum("size_bytes"),
        )
        return Response(
            {
                "enabled": True,
                "storage_dir": "studies",
                "max_file_size_mb": _megabytes(settings.DICOM_MAX_FILE_SIZE),
                "supported_formats": FORMATS,
                "pydicom_version": pydicom.__version__,
                "storage_info": {
                    "total_files": found["files"] or 0,
                    "total_size_mb": _megabytes(found["size"] or 0),
                    "studies_count": found["studies"],
                    "series_count": found["series"] or 0,
                },
            }
        )


def _megabytes(size_bytes: int) -> float | int:
    size = round(size_bytes / (1 << 20), 2)
    return int(size) if size.is_integer() else size
