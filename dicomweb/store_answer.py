"""What the store transaction answers: the Store Instances Response Module (PS3.18 10.5.3, I.2)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from http import HTTPStatus

from django.http import HttpResponse
from django.urls import reverse
from pydicom import DataElement, Dataset
from rest_framework.request import Request

from dicomweb.intakes import Result, fill_classes
from dicomweb.media_types import Range, parse_accept
from dicomweb.statuses import NotAcceptable
from imaging.datasets import add_element
from imaging.dicom_json import to_json
from imaging.dicom_xml import to_xml

JSON, XML = "application/dicom+json", "application/dicom+xml"
RETRY_SECONDS = 5
_CLASS, _INSTANCE = 0x00081150, 0x00081155
_RETRIEVE_URL, _WARNING, _FAILURE = 0x00081190, 0x00081196, 0x00081197
_FAILED, _REFERENCED, _OTHERS = 0x00081198, 0x00081199, 0x0008119A


def choose_media_type(accept: str) -> str:
    """Return JSON or XML by what the client accepts, JSON without a wish.

    Raises NotAcceptable when it is neither.
    """
    for wish in sorted(
        parse_accept(accept) or [Range("*/*", {}, 1.0)], key=lambda one: -one.quality
    ):
        if wish.quality <= 0:
            continue
        if wish.kind in {"*/*", "application/*", "application/json", JSON}:
            return JSON
        is_xml_in_parts = wish.kind == "multipart/related" and wish.parameters.get("type") == XML
        if wish.kind in {XML, "application/xml", "text/xml"} or is_xml_in_parts:
            return XML
    raise NotAcceptable


def answer_stored(
    request: Request, results: Sequence[Result], media_type: str, study_instance_uid: str
) -> HttpResponse:
    """Return the answer on these objects; `study_instance_uid` is the path's, if it names one."""
    fill_classes(results)
    response = answer_dataset(_describe(request, results, study_instance_uid), media_type)
    status = choose_status(results)
    response.status_code = status
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response["Retry-After"] = str(RETRY_SECONDS)
    words = next((one.words for one in results if one.words), "")
    if words:
        # The module has no room for words; a person who looks for the reason finds them here.
        service = request.build_absolute_uri(reverse("dicomweb:studies")).removesuffix("/studies")
        response["Warning"] = f"299 {service}: {words}".encode("ascii", "replace").decode("ascii")
    return response


def answer_dataset(dataset: Dataset, media_type: str) -> HttpResponse:
    """Return one data set in JSON or XML."""
    if media_type == XML:
        response = HttpResponse(to_xml(dataset), content_type=XML)
    else:
        text = json.dumps(to_json(dataset), ensure_ascii=False)
        response = HttpResponse(text, content_type=JSON)
    response["Cache-Control"] = "private, no-store"
    return response


def choose_status(results: Sequence[Result]) -> HTTPStatus:
    """Return the status for these results (Table 10.5.3-1); there is at least one."""
    stored = [one for one in results if one.is_stored]
    if len(stored) == len(results) and all(one.warning is None for one in stored):
        return HTTPStatus.OK
    if stored:
        return HTTPStatus.ACCEPTED
    if all(one.is_transient for one in results):
        return HTTPStatus.SERVICE_UNAVAILABLE
    return HTTPStatus.CONFLICT


def _describe(request: Request, results: Sequence[Result], study: str) -> Dataset:
    base = request.build_absolute_uri(reverse("dicomweb:studies"))
    module = Dataset()
    kept = {one.study_instance_uid for one in results if _is_retrievable(one)}
    study = study if kept == {study} else next(iter(kept)) if len(kept) == 1 else ""
    add_element(module, _RETRIEVE_URL, "UR", [f"{base}/{study}"] if study else [])
    for tag, items in (
        (_FAILED, [_failed(one) for one in results if not one.is_stored and _is_named(one)]),
        (_REFERENCED, [_stored(base, one) for one in results if one.is_stored]),
        (_OTHERS, [_other(one) for one in results if not one.is_stored and not _is_named(one)]),
    ):
        if items:
            module.add(DataElement(tag, "SQ", items))
    return module


def _is_named(one: Result) -> bool:
    return bool(one.sop_class_uid and one.sop_instance_uid)


def _is_retrievable(one: Result) -> bool:
    """Whether it lies where its UIDs say: what is kept for review does not."""
    return one.is_stored and one.warning is None


def _name(item: Dataset, one: Result) -> None:
    add_element(item, _CLASS, "UI", [one.sop_class_uid])
    add_element(item, _INSTANCE, "UI", [one.sop_instance_uid])


def _stored(base: str, one: Result) -> Dataset:
    item = Dataset()
    _name(item, one)
    parts = [base, one.study_instance_uid, "series", one.series_instance_uid]
    address = "/".join([*parts, "instances", one.sop_instance_uid])
    add_element(item, _RETRIEVE_URL, "UR", [address] if _is_retrievable(one) else [])
    if one.warning is not None:
        add_element(item, _WARNING, "US", [one.warning])
    return item


def _failed(one: Result) -> Dataset:
    item = _other(one)
    _name(item, one)
    return item


def _other(one: Result) -> Dataset:
    item = Dataset()
    add_element(item, _FAILURE, "US", [one.failure])
    return item
