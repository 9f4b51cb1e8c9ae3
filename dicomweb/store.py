"""STOW-RS: storing what comes by HTTP, streamed into the one way in (PS3.18 10.5).

The body is read from the socket while it comes; a part that is an object goes straight into the
archive's incoming room. Metadata with bulk data are put together in `dicomweb.assembly`.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.utils.translation import gettext as _
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from accounts import audit
from accounts.address import read_address
from accounts.models import User
from archive.ingest import Intake, Source, open_intake
from dicomweb.assembly import METADATA, Assembly
from dicomweb.destination import HEAD_BYTES, Destination, choose_destination, read_names
from dicomweb.intakes import Received, Result, failed, finish_all
from dicomweb.media_types import parse_accept
from dicomweb.multipart import CHUNK_BYTES, BodyType, InPart, PartReader, parse_body_type
from dicomweb.statuses import Refusal
from dicomweb.store_answer import answer_stored, choose_media_type
from dicomweb.unread import Unread
from imaging.errors import NoctisError, UnreadableError, UnsupportedError
from worklist.uploading import may_upload

DOOR = "stow"
DICOM = "application/dicom"


class Storing:
    """Beside a view on studies: POST stores, into the study that the path may name."""

    parser_classes: Sequence[type[BaseParser]] = (Unread,)

    def post(self, request: Request, **above: str) -> HttpResponse:
        """Store what the body holds, and say what became of each object."""
        user = request.user
        if not isinstance(user, User) or not may_upload(user):
            raise PermissionDenied
        accept = request.query_params.get("accept") or request.headers.get("Accept", "")
        media_type = choose_media_type(accept)
        study = above.get("StudyInstanceUID", "")
        try:
            destination = choose_destination(user, request.query_params.get("facility", ""))
            store = _Store(request._request, destination, study)
            results = store.run()
        except NoctisError as error:
            raise Refusal(error) from error
        return answer_stored(request, results, media_type, study)


class _Store:
    """One request's objects on their way in."""

    def __init__(self, request: HttpRequest, destination: Destination, study: str) -> None:
        self._request = request
        self._destination = destination
        self._study = study
        self._address = read_address(request)

    def run(self) -> list[Result]:
        """Return what became of each object; there is at least one.

        Raises UnreadableError when the body is none that could be read and nothing of it was
        stored, UnsupportedMediaType when it is of another kind.
        """
        results: list[Result] = []
        try:
            # One by one, so that those before an error are known.
            results.extend(finish_all(self._receive()))
        except NoctisError as error:
            if not any(one.is_stored for one in results):
                raise
            # What was stored before the body broke stays, and is told.
            results.append(failed(error))
        finally:
            self._tell(results)
        if not results:
            raise UnreadableError(_("The body holds no object."))
        return results

    def _receive(self) -> Iterator[Received]:
        if self._request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise UnsupportedMediaType("", _("The body must not be compressed."))
        content_type = self._request.headers.get("Content-Type", "")
        body_type = parse_body_type(content_type)
        with _reading():
            if body_type is None:
                kinds = [one.kind for one in parse_accept(content_type)]
                if kinds != [DICOM]:
                    raise UnsupportedMediaType(content_type[:100])
                yield self._take(_Whole(self._request))
            elif body_type.inner in ("", DICOM):
                yield from self._take_parts(self._parts(body_type))
            elif body_type.inner in METADATA:
                yield from self._take_metadata(self._parts(body_type), body_type)
            else:
                raise UnsupportedMediaType(content_type[:100])

    def _parts(self, body_type: BodyType) -> Iterator[InPart]:
        yield from PartReader(self._request, body_type.boundary)  # type: ignore[arg-type]

    # --- objects as they are ---------------------------------------------------------------
    def _take_parts(self, parts: Iterator[InPart]) -> Iterator[Received]:
        for part in parts:
            if part.kind in ("", DICOM):
                yield self._take(part)
            else:
                yield failed(UnsupportedError(_("A part is of another media type.")))

    def _take(self, stream: Any) -> Received:
        """Let one object stream into the archive's incoming room."""
        head = _read_head(stream)
        intake = None
        try:
            intake = self.open(read_names(head).study_instance_uid if self.is_open else "")
            intake.write(head)
            while chunk := stream.read(CHUNK_BYTES):
                intake.write(chunk)
            received, intake = (intake, head), None
        except UnreadableError:
            raise
        except NoctisError as error:
            return failed(error, head)
        finally:
            if intake is not None:
                intake.abandon()
        return received

    @property
    def is_open(self) -> bool:
        """Whether the object's own study is to say which facility it is."""
        return self._destination.is_open and not self._study

    def open(self, study_instance_uid: str) -> Intake:
        """Open the way in for one object of this study."""
        source = Source(
            door=DOOR,
            sender=self._destination.user.get_username(),
            facility_id=self._destination.of_study(self._study or study_instance_uid),
            address=self._address,
            user_id=self._destination.user.pk,
        )
        return open_intake(source, study_instance_uid=self._study)

    # --- metadata and bulk data ------------------------------------------------------------
    def _take_metadata(self, parts: Iterator[InPart], body_type: BodyType) -> Iterator[Received]:
        base = self._request.build_absolute_uri()
        with contextlib.closing(Assembly(self.open, base, body_type.inner)) as assembly:
            for part in parts:
                assembly.take(part)
            yield from assembly.finish()

    def _tell(self, results: list[Result]) -> None:
        """Write into the trail what was not stored; what was, the index has written."""
        reasons = Counter(f"{one.failure:04X}" for one in results if one.failure is not None)
        if reasons:
            detail = {"door": DOOR, "refused": dict(reasons)}
            audit.record_for_user(
                self._destination.user,
                "store",
                address=self._address,
                outcome="failure",
                facility_id=self._destination.facility_id,
                study_instance_uid=self._study,
                detail=detail,
            )


class _Whole:
    """A body that is one object."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    def read(self, size: int) -> bytes:
        return self._request.read(size)


def _read_head(stream: Any) -> bytes:
    head = b""
    while len(head) < HEAD_BYTES and (piece := stream.read(HEAD_BYTES - len(head))):
        head += piece
    return head


@contextlib.contextmanager
def _reading() -> Iterator[None]:
    """Say in our words that a client has gone away; nobody hears them, but the trail does."""
    try:
        yield
    except (UnreadablePostError, ConnectionError) as error:
        raise UnreadableError(_("The body ended before it was whole.")) from error
