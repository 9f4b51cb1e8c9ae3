"""The modality worklist by HTTP: a search for scheduled procedure steps (PS3.18 14)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from django.http import HttpResponse
from pydicom import DataElement, Dataset
from rest_framework.request import Request

from accounts.models import Facility, User
from dicomweb.parameters import Parameters, parse_parameters
from dicomweb.search import SearchView, respond, say_more
from imaging.datasets import add_element
from imaging.dictionary import vr_of
from imaging.errors import QueryError
from imaging.matching import values_of
from worklist.modality_worklist import Asker, Query, find_steps
from worklist.worklist_attributes import STEP_SEQUENCE, is_known, known_tags

_CHARACTER_SET = 0x00080005


class ScheduledStepsView(SearchView):
    """`/modality-scheduled-procedure-steps`: what is to be done in the person's facilities."""

    service = "modality worklist over HTTP"

    def _search(self, request: Request, media_type: str, above: dict[str, str]) -> HttpResponse:
        assert isinstance(request.user, User)
        asked = parse_parameters(request.query_params)
        query = Query.from_identifier(_identifier(asked), is_fuzzy=asked.rules.fuzzy_names)
        end = asked.offset + asked.limit
        found = list(islice(_find(request.user, query, end + 1), asked.offset, end + 1))
        has_more = len(found) > asked.limit
        answers = found[: asked.limit]
        for answer in answers:
            add_element(answer, _CHARACTER_SET, "CS", ["ISO_IR 192"])
        self._tell(request, asked, above, len(answers))
        response = respond(answers, media_type)
        if has_more:
            say_more(request, response, asked)
        return response


def _find(user: User, query: Query, most: int) -> Iterator[Dataset]:
    """Yield the steps of each facility in which the person works."""
    facilities = Facility.objects.visible_to(user).filter(is_active=True).order_by("pk")
    for key in facilities.values_list("pk", flat=True):
        # One more than wanted is never found here: the slice ends before.
        yield from find_steps(Asker(key, ""), query, limit=most, is_cancelled=lambda: False)


def _identifier(asked: Parameters) -> Dataset:
    """Return the keys with all else that is known, so that whole answers come."""
    for element in asked.keys:
        if not is_known(int(element.tag), is_step=False):
            raise QueryError("An attribute cannot be matched here.")
    items = values_of(asked.keys, STEP_SEQUENCE)
    step = items[0] if items else Dataset()
    for element in step:
        if not is_known(int(element.tag), is_step=True):
            raise QueryError("An attribute cannot be matched here.")
    whole = Dataset()
    _fill(whole, asked.keys, known_tags(is_step=False) - {STEP_SEQUENCE})
    item = Dataset()
    _fill(item, step, known_tags(is_step=True))
    whole.add(DataElement(STEP_SEQUENCE, "SQ", [item]))
    return whole


def _fill(whole: Dataset, keys: Dataset, tags: frozenset[int]) -> None:
    for tag in tags:
        if tag in keys:
            whole.add(keys[tag])
        elif vr_of(tag) == b"SQ":
            whole.add(DataElement(tag, "SQ", []))
        else:
            add_element(whole, tag, vr_of(tag).decode("ascii")[:2], [])
