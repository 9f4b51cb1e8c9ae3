"""The other studies of a patient, the most fitting to compare with first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from accounts.models import User
from archive.models import Series, Study

# So many other studies are listed, the latest of them.
PRIORS_LIMIT = 50
_FAR_DAYS = 100_000


@dataclass(frozen=True)
class Prior:
    """Another study of the same patient; `is_later` when it was made after the one at hand."""

    study: Study
    modalities: frozenset[str]
    body_parts: frozenset[str]
    is_later: bool


def find_priors(user: User, study: Study) -> list[Prior]:
    """Return the patient's other studies that the person may see, the most fitting first.

    A patient is one identity of one facility and issuer, so nothing of another patient who has
    the same number elsewhere comes in. Earlier studies go before later ones, then those with
    the same body part and the same modality, then the nearest by date. Costs two queries,
    one when there is no other study.
    """
    others = (
        Study.objects.visible_to(user)
        .filter(patient_id=study.patient_id, facility=study.facility)
        .exclude(pk=study.pk)
        .select_related("facility", "patient")
        .order_by("-study_date", "-pk")[:PRIORS_LIMIT]
    )
    studies = list(others)
    if not studies:
        return []
    kinds: dict[Any, tuple[set[str], set[str]]] = {}
    rows = Series.objects.filter(study__in=[study.pk, *(one.pk for one in studies)])
    for study_id, modality, part in rows.values_list("study_id", "modality", "body_part_examined"):
        modalities, parts = kinds.setdefault(study_id, (set(), set()))
        modalities |= {modality} - {""}
        parts |= {part.strip().casefold()} - {""}
    own = _describe(study, study, kinds)
    return sorted(
        (_describe(one, study, kinds) for one in studies), key=lambda one: _rank(one, own)
    )


def _describe(one: Study, study: Study, kinds: dict[Any, tuple[set[str], set[str]]]) -> Prior:
    modalities, parts = kinds.get(one.pk, (set(), set()))
    return Prior(one, frozenset(modalities), frozenset(parts), _is_later(one, study))


def _rank(other: Prior, own: Prior) -> tuple[bool, bool, bool, bool, int]:
    words = set(other.study.study_description.casefold().split())
    is_alike = bool(words & set(own.study.study_description.casefold().split()))
    return (
        other.is_later,
        not (other.body_parts & own.body_parts),
        not (other.modalities & own.modalities),
        not is_alike,
        _days_between(other.study.study_date, own.study.study_date),
    )


def _is_later(other: Study, study: Study) -> bool:
    """Whether the other study was made after this one; without dates it counts as earlier."""
    if other.study_date is None or study.study_date is None:
        return False
    if other.study_date != study.study_date:
        return other.study_date > study.study_date
    return bool(other.study_time and study.study_time and other.study_time > study.study_time)


def _days_between(one: date | None, other: date | None) -> int:
    return _FAR_DAYS if one is None or other is None else abs((one - other).days)
