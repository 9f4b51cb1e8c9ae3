"""What the viewer's page starts with: one document, so that the first picture waits for nothing."""

from __future__ import annotations

import uuid
from datetime import date, time
from typing import Any

from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from accounts.models import User
from archive.badges import describe_badges
from archive.frames import NO_FORMAT
from archive.models import Series, Study
from archive.news import newest_id
from archive.stack import build_stack, find_reasons
from imaging.text import display_name
from viewer.hanging import Hung, choose_protocol, list_candidates
from viewer.priors import Prior, find_priors
from viewer.windows import add_windows, list_colour_maps
from viewer.words import translate_words

Document = dict[str, Any]

# Beyond this many images the stack document does not travel inside the page.
INLINE_LIMIT = 5000
# As wide as a stage is on most screens; a smaller image comes as it is.
FIRST_PICTURE_WIDTH_PX = 1024


def build_page(study: Study, user: User, *, wanted_series: str) -> dict[str, Any]:
    """Return the template's context for a study that the person may see.

    `wanted_series` is a series' key or Series Instance UID and is opened alone; when it names
    none of this study, the study is hung by the protocol that fits it best. Costs six queries:
    the newest event, the series, what they hold, the open one's images, other studies, protocols;
    one more each for their kinds, for views that are hung one by one, and for what a prior holds.
    """
    # Taken before the series are read: what arrives in between is told twice, never missed.
    newest = newest_id()
    series, reasons = _find_series(study)
    priors = find_priors(user, study)
    active = _find_wanted(series, wanted_series)
    hung: Hung | None = None
    of_priors: list[Document] = []
    if active is None:
        hung, of_priors = _hang(user, study, series, reasons, priors)
        active = _choose(series, reasons, hung)
    stack = add_windows(build_stack(active), active) if active is not None else None
    at = _place_of_first(stack, hung)
    document: Document = {
        "study": _describe_study(study),
        "series": [*(_describe_series(one, reasons) for one in series), *of_priors],
        "priors": [_describe_prior(one) for one in priors],
        "hanging": hung.to_json() if hung is not None else None,
        "active_series": str(active.pk) if active is not None else None,
        "stack": stack if stack is None or len(stack["images"]) <= INLINE_LIMIT else None,
        "newest_event": newest,
        "urls": {
            "worklist": reverse("home"),
            "series": reverse("viewer:series", args=[study.pk]),
            "events": reverse("api:events"),
            "api": reverse("api:measurement-list").removesuffix("measurements/"),
            "hanging": reverse("api:hanging-protocol-list"),
            "hang": reverse("api:study-hanging", args=[study.pk]),
        },
        "colour_maps": list_colour_maps(),
        "texts": translate_words(),
    }
    return {
        "study": study,
        "patient_name": display_name(study.patient_name),
        "document": document,
        "first_picture": _first_picture(stack, at),
        "first_frames": _first_frames_url(stack, at),
    }


def hang(user: User, study: Study, wanted: str) -> Document | None:
    """Return how a study is hung for a person, by the protocol that is wanted if one is named."""
    series, reasons = _find_series(study)
    hung, of_priors = _hang(user, study, series, reasons, find_priors(user, study), wanted)
    return None if hung is None else {**hung.to_json(), "series": of_priors}


def _hang(
    user: User,
    study: Study,
    series: list[Series],
    reasons: dict[uuid.UUID, str],
    priors: list[Prior],
    wanted: str = "",
) -> tuple[Hung | None, list[Document]]:
    """Return the hung study, and the series of those priors that its panes show."""
    candidates = list_candidates(_displayable(series, reasons))
    chosen = choose_protocol(user, study, candidates, len(priors), wanted)
    if chosen is None:
        return None, []
    of_priors: list[Document] = []
    for number in sorted(chosen.priors):
        if number <= len(priors):
            theirs, why_not = _find_series(priors[number - 1].study)
            candidates += list_candidates(_displayable(theirs, why_not), number)
            of_priors += [_describe_series(one, why_not) for one in theirs]
    return chosen.hang(candidates), of_priors


def _displayable(series: list[Series], reasons: dict[uuid.UUID, str]) -> list[Series]:
    return [one for one in series if not reasons.get(one.pk)]


def list_series(study: Study) -> list[Document]:
    """Return the study's series as they are now, for a page that shows it already."""
    series, reasons = _find_series(study)
    return [_describe_series(one, reasons) for one in series]


def _find_series(study: Study) -> tuple[list[Series], dict[uuid.UUID, str]]:
    """Return the series in their order, and by key why one cannot be shown."""
    series = sorted(Series.objects.filter(study=study), key=_reading_order)
    return series, find_reasons(study)


def _reading_order(series: Series) -> tuple[bool, int, uuid.UUID]:
    """Sort by Series Number; a series without one comes last, in order of arrival."""
    number = series.series_number
    return (number is None, number or 0, series.pk)


def _find_wanted(series: list[Series], wanted: str) -> Series | None:
    """Return the series that the address names, None when it names none of them."""
    named = (one for one in series if wanted in (str(one.pk), one.series_instance_uid))
    return next(named, None) if wanted else None


def _choose(
    series: list[Series], reasons: dict[uuid.UUID, str], hung: Hung | None
) -> Series | None:
    """Return the series that is opened first: of the first pane, or the first with pictures."""
    for pane in hung.panes if hung is not None else ():
        for one in series:
            if pane["series_id"] == str(one.pk):
                return one
    with_pictures = [one for one in series if not reasons.get(one.pk)]
    return next(iter(with_pictures or series), None)


def _describe_prior(prior: Prior) -> Document:
    return {
        **_describe_study(prior.study),
        "modalities": sorted(prior.modalities),
        "is_later": prior.is_later,
        "series_url": reverse("viewer:series", args=[prior.study.pk]),
        "hang_url": reverse("api:study-hanging", args=[prior.study.pk]),
        "page_url": reverse("viewer:study", args=[prior.study.pk]),
    }


def _describe_study(study: Study) -> Document:
    return {
        "id": str(study.pk),
        "study_instance_uid": study.study_instance_uid,
        "patient_name": display_name(study.patient_name),
        "patient_id": study.patient.patient_id,
        "patient_birth_date": _iso(study.patient_birth_date),
        "patient_sex": study.patient_sex,
        "patient_age": study.patient_age,
        "study_date": _iso(study.study_date),
        "study_time": _iso(study.study_time),
        "study_description": study.study_description,
        "accession_number": study.accession_number,
        "facility": study.facility.name if study.facility else _("Quarantine"),
        "has_discrepancy": study.has_discrepancy,
    }


def _describe_series(series: Series, reasons: dict[uuid.UUID, str]) -> Document:
    why_not = reasons.get(series.pk, "")
    return {
        "id": str(series.pk),
        "study_id": str(series.study_id),
        "series_instance_uid": series.series_instance_uid,
        "series_number": series.series_number,
        "modality": series.modality,
        "series_description": series.series_description,
        "body_part_examined": series.body_part_examined,
        "laterality": series.laterality,
        "instance_count": series.instance_count,
        "frame_count": series.frame_count,
        "thumbnail_url": "" if why_not else reverse("api:series-thumbnail", args=[series.pk]),
        "badges": describe_badges((series.passport or {}).get("badges", [])),
        "has_passport": series.passport is not None,
        "passport_url": reverse("viewer:passport", args=[series.pk]),
        "stack_url": reverse("api:series-stack", args=[series.pk]),
        "displayable": not why_not,
        "why_not": why_not,
    }


def _place_of_first(stack: Document | None, hung: Hung | None) -> int:
    """Return which image of the stack the page opens with: the one that its pane is hung for."""
    for pane in hung.panes if hung is not None and stack is not None else ():
        if stack is not None and pane["series_id"] == stack["series_id"]:
            wanted = (pane["instance_id"], pane["frame"])
            images = [{**stack["shared"], **one} for one in stack["images"]]
            keys = [(one["instance_id"], one["frame"]) for one in images]
            return keys.index(wanted) if wanted in keys else int(stack["opens_at"])
    return 0 if stack is None else int(stack["opens_at"])


def _first_picture(stack: Document | None, at: int) -> Document | None:
    """Return the first image as the server draws it, small and seen at once: address, and whose."""
    first = _first_image(stack, at)
    if first is None:
        return None
    place = (first["instance_id"], first["frame"])
    address = reverse("api:instance-rendered-jpg", args=place)
    return {
        "key": "{}/{}".format(*place),
        "url": f"{address}?{urlencode({'width': FIRST_PICTURE_WIDTH_PX})}",
    }


def _first_frames_url(stack: Document | None, at: int) -> str:
    """Return the address of the first image's pixels, exactly as the page's own code asks for it.

    So the request is under way while that code still loads, and what has
    come is used instead of fetched twice: `frontend/src/io/frames.ts` asks
    for the image in sight alone, before all others.
    """
    if stack is None or _first_image(stack, at) is None:
        return ""
    address = reverse("api:series-frames", args=[stack["series_id"]])
    return f"{address}?{urlencode({'version': stack['version'], 'images': at})}"


def _first_image(stack: Document | None, at: int) -> Document | None:
    """Return all facts of the image that the page opens with, if it has pixels to show."""
    if stack is None or not stack["images"] or len(stack["images"]) > INLINE_LIMIT:
        return None
    first = {**stack["shared"], **stack["images"][at]}
    return None if first["pixel_format"] == NO_FORMAT else first


def _iso(value: date | time | None) -> str:
    return value.isoformat() if value else ""
