"""QIDO-RS: searching studies, series and instances (PS3.18 10.6)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from pydicom import Dataset
from rest_framework.exceptions import NotFound
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.address import read_address
from accounts.audit import record_for_user
from accounts.models import User
from archive.query.attributes import COLUMNS, UNIQUE_KEYS, Level, is_collected, is_supported
from archive.query.scope import Scope
from archive.query.search import Search
from dicomweb import media_types
from dicomweb.parameters import Parameters, parse_parameters
from dicomweb.statuses import NotAcceptable, Refusal
from imaging.datasets import add_element
from imaging.dicom_json import to_json
from imaging.dicom_xml import to_xml
from imaging.dictionary import TAG_OF_KEYWORD, vr_of
from imaging.errors import NoctisError, QueryError
from imaging.matching import values_of

# What every answer has (Tables 10.6.3-3, 10.6.3-4, 10.6.3-5).
_RETURNED = {
    Level.STUDY: """
        StudyDate StudyTime AccessionNumber ModalitiesInStudy ReferringPhysicianName PatientName
        PatientID PatientBirthDate PatientSex StudyInstanceUID StudyID NumberOfStudyRelatedSeries
        NumberOfStudyRelatedInstances
    """,
    Level.SERIES: """
        Modality SeriesDescription SeriesInstanceUID SeriesNumber NumberOfSeriesRelatedInstances
        PerformedProcedureStepStartDate PerformedProcedureStepStartTime RequestAttributesSequence
    """,
    Level.IMAGE: """
        SOPClassUID SOPInstanceUID InstanceNumber Rows Columns BitsAllocated NumberOfFrames
    """,
}
_OF_LEVEL = {
    level: [TAG_OF_KEYWORD[name] for name in names.split()] for level, names in _RETURNED.items()
}
INSTANCE_AVAILABILITY, RETRIEVE_URL = 0x00080056, 0x00081190
_LONGEST_IN_TRAIL = 200


class AnyNegotiation(DefaultContentNegotiation):
    """The view itself decides what it gives: its media types are no renderers."""

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> Any:
        """Return the renderer of problems."""
        return renderers[0], renderers[0].media_type


class SearchView(APIView):
    """One of the six resources: a level, within a study or series that the path may name."""

    level = Level.STUDY
    # How the trail calls it.
    service = "QIDO-RS"
    content_negotiation_class = AnyNegotiation
    # DICOMweb has a document of its own; the REST interface's schema leaves it out.
    schema = None

    def get(self, request: Request, **above: str) -> HttpResponse:
        """Answer a search."""
        media_type = media_types.choose_for_search(accepted(request))
        try:
            return self._search(request, media_type, above)
        except NoctisError as error:
            raise Refusal(error) from error

    def _search(self, request: Request, media_type: str, above: dict[str, str]) -> HttpResponse:
        asked = parse_parameters(request.query_params)
        scope = Scope.of_user(request.user)
        keys, given = self._keys(asked, above)
        self._check_above(scope, above)
        search = Search(scope, self.level, keys, rules=asked.rules)
        refused = [tag for tag in search.unsupported if _has_value(keys, tag)]
        if refused:
            raise QueryError("An attribute cannot be matched at this level.")
        found = list(search.answers(offset=asked.offset, limit=asked.limit + 1))
        has_more = len(found) > asked.limit
        answers = [self._finish(request, answer, given) for answer in found[: asked.limit]]
        self._tell(request, asked, above, len(answers))
        response = respond(answers, media_type)
        if has_more:
            say_more(request, response, asked)
        return response

    def _keys(self, asked: Parameters, above: dict[str, str]) -> tuple[Dataset, frozenset[int]]:
        """Return what is asked of the archive, and what of it is given to the client."""
        columns = COLUMNS[self.level]
        wanted = {*_OF_LEVEL[self.level], *asked.include}
        for level, returned in _OF_LEVEL.items():
            # What the path does not name is described, too, as far as no file must be read.
            if len(above) < level < self.level:
                wanted |= {tag for tag in returned if tag in columns}
        if asked.includes_all:
            wanted |= set(columns)
        wanted |= {int(element.tag) for element in asked.keys}
        keys = Dataset()
        keys.update(asked.keys)
        needed = {UNIQUE_KEYS[level] for level in _OF_LEVEL if level <= self.level}
        for tag in (wanted | needed) - {int(element.tag) for element in keys}:
            if is_supported(self.level, tag) or is_collected(self.level, tag):
                add_element(keys, tag, vr_of(tag).decode("ascii")[:2], [])
                if vr_of(tag) == b"SQ":
                    keys[tag].value = []
        for keyword, uid in above.items():
            tag = TAG_OF_KEYWORD[keyword]
            if values_of(keys, tag) not in ([], [uid]):
                raise QueryError("An attribute contradicts the path.")
            add_element(keys, tag, "UI", [uid])
        return keys, frozenset(wanted)

    def _check_above(self, scope: Scope, above: dict[str, str]) -> None:
        """Answer for a study or series that is not there, or is not the person's."""
        named = Dataset()
        for keyword, uid in above.items():
            add_element(named, TAG_OF_KEYWORD[keyword], "UI", [uid])
        if above:
            level = Level(len(above))
            if next(Search(scope, level, named).answers(limit=1), None) is None:
                raise NotFound(_("Not found."), "not_found")

    def _finish(self, request: Request, answer: Dataset, given: frozenset[int]) -> Dataset:
        add_element(answer, RETRIEVE_URL, "UR", [_address(request, self.level, answer)])
        add_element(answer, INSTANCE_AVAILABILITY, "CS", ["ONLINE"])
        kept = Dataset()
        for element in answer:
            tag = int(element.tag)
            if tag in given or tag in {RETRIEVE_URL, INSTANCE_AVAILABILITY}:
                kept.add(element)
        add_element(kept, 0x00080005, "CS", ["ISO_IR 192"])
        return kept

    def _tell(self, request: Request, asked: Parameters, above: dict[str, str], count: int) -> None:
        assert isinstance(request.user, User)
        keys = {
            name: str(value)[:_LONGEST_IN_TRAIL]
            for name, value in {**request.query_params.dict(), **above}.items()
            if value
        }
        detail = {"by": self.service, "level": self.level.name, "keys": keys, "answers": count}
        record_for_user(
            request.user, "search", address=read_address(request._request), detail=detail
        )


def accepted(request: Request) -> str:
    """Return what the client accepts; the query wins over the header (8.3.3)."""
    charset = request.query_params.get("charset", "utf-8").lower()
    if not {"utf-8", "*"} & {one.split(";")[0].strip() for one in charset.split(",")}:
        raise NotAcceptable
    return str(request.query_params.get("accept") or request.headers.get("Accept", ""))


def _has_value(keys: Dataset, tag: int) -> bool:
    return bool(values_of(keys, tag))


def _address(request: Request, level: Level, answer: Dataset) -> str:
    parts = [request.build_absolute_uri(reverse("dicomweb:studies"))]
    parts.append(str(answer.StudyInstanceUID))
    if level >= Level.SERIES:
        parts += ["series", str(answer.SeriesInstanceUID)]
    if level >= Level.IMAGE:
        parts += ["instances", str(answer.SOPInstanceUID)]
    return "/".join(parts)


# --- answers -------------------------------------------------------------------------------------
def respond(answers: list[Dataset], media_type: str) -> HttpResponse:
    """Return data sets in the media type of a search's answers."""
    if media_type == media_types.JSON:
        text = json.dumps([to_json(answer) for answer in answers], ensure_ascii=False)
        response = HttpResponse(text, content_type=media_type)
    elif not answers:
        response = HttpResponse(status=204)
    else:
        boundary = uuid.uuid4().hex
        response = HttpResponse(
            b"".join(_parts(answers, boundary)), content_type=f'{media_type}; boundary="{boundary}"'
        )
    response["Cache-Control"] = "private, no-store"
    return response


def _parts(answers: list[Dataset], boundary: str) -> Iterator[bytes]:
    for answer in answers:
        yield f"--{boundary}\r\nContent-Type: application/dicom+xml\r\n\r\n".encode()
        yield to_xml(answer) + b"\r\n"
    yield f"--{boundary}--\r\n".encode()


def say_more(request: Request, response: HttpResponse, asked: Parameters) -> None:
    """Say that there are more answers, and where (8.3.4.4)."""
    service = request.build_absolute_uri(reverse("dicomweb:studies")).removesuffix("/studies")
    response["Warning"] = f"299 {service}: There are additional results that can be requested."
    if asked.limit:
        query = request.query_params.copy()
        query["offset"] = str(asked.offset + asked.limit)
        query["limit"] = str(asked.limit)
        address = request.build_absolute_uri(f"{request.path}?{query.urlencode()}")
        response["Link"] = f'<{address}>; rel="next"'
