"""Does the list tell the truth? Entries, counts and facilities against the rows they speak of.

Looking costs no locks: what seems wrong is looked at once more under the
study's lock, so that studies which are just arriving are not taken for wrong.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from django.apps import apps
from django.db import IntegrityError, models, transaction
from django.db.models import Count, F, Q, Sum
from django.utils.translation import gettext_lazy as _

from accounts import audit
from archive import events
from archive.models import FacilityRow, Instance, Series, Study
from worklist.entries import COPIES, find_study_moment, write_entries
from worklist.models import WorklistEntry

BATCH = 200
_LONGEST_LIST = 255


class Kind(models.TextChoices):
    """What can be wrong."""

    MISSING_ENTRY = "missing_entry", _("Studies without a worklist entry")
    ORPHAN_ENTRY = "orphan_entry", _("Worklist entries without a study")
    WRONG_ENTRY = "wrong_entry", _("Worklist entries that differ from their study")
    WRONG_SERIES = "wrong_series", _("Series with wrong counts")
    WRONG_STUDY = "wrong_study", _("Studies with wrong counts or modalities")
    WRONG_FACILITY = "wrong_facility", _("Rows in another facility than their study")
    WRONG_ORDER = "wrong_order", _("Orders that differ from their steps")
    FOREIGN_ORDER = "foreign_order", _("Orders shown in another facility")


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong, in words without patient data."""

    kind: Kind
    study_instance_uid: str
    text: str
    is_fixed: bool = False
    advice: str = ""


@dataclass
class _Sums:
    instances: int = 0
    frames: int = 0
    size_bytes: int = 0


@dataclass
class _Facts:
    """A study and the rows that must agree with it."""

    study: Study
    entry: WorklistEntry | None = None
    series: list[Series] = field(default_factory=list)
    sums: dict[uuid.UUID, _Sums] = field(default_factory=lambda: defaultdict(_Sums))
    strays: dict[str, int] = field(default_factory=dict)


def count_studies() -> int:
    """Return how many studies `check` looks at."""
    return Study.objects.count()


def check(*, apply: bool) -> Iterator[tuple[int, list[Fault]]]:
    """Yield (studies looked at, their faults) batch by batch; faults are mended when `apply`.

    Safe while studies arrive and safe to repeat. Each study is mended in a
    transaction of its own.
    """
    for keys in _batches():
        faults = [
            fault
            for facts in _read(keys)
            if find_faults(facts)
            for fault in _examine(facts.study.pk, apply=apply)
        ]
        yield len(keys), faults
    yield 0, list(_check_orphans(apply=apply))


def find_faults(facts: _Facts) -> list[Fault]:
    """Return what is wrong with one study's rows."""
    faults = [*_series_faults(facts), *_study_faults(facts), *_facility_faults(facts)]
    return [*faults, *_entry_faults(facts)]


def _series_faults(facts: _Facts) -> Iterator[Fault]:
    for series in facts.series:
        true = facts.sums[series.pk]
        said = _Sums(series.instance_count, series.frame_count, series.size_bytes)
        if said != true:
            yield Fault(
                Kind.WRONG_SERIES,
                facts.study.study_instance_uid,
                f"series {series.series_instance_uid}: {_difference(said, true)}",
            )


def _difference(said: _Sums, true: _Sums) -> str:
    """Return in words which numbers are wrong."""
    names = {"instances": "instances", "frames": "frames", "size_bytes": "bytes"}
    return ", ".join(
        f"{getattr(said, name)} {word} are counted, {getattr(true, name)} are here"
        for name, word in names.items()
        if getattr(said, name) != getattr(true, name)
    )


def true_study_values(facts: _Facts) -> dict[str, Any]:
    """Return what the study's kept values must be."""
    study, sums = facts.study, facts.sums.values()
    return {
        "series_count": len(facts.series),
        "instance_count": sum(one.instances for one in sums),
        "size_bytes": sum(one.size_bytes for one in sums),
        "modalities": _joined((one.modality for one in facts.series), study.modalities),
        "body_parts": _joined((one.body_part_examined for one in facts.series), study.body_parts),
    }


def _joined(values: Iterator[str], kept: str) -> str:
    """Return the values as the archive keeps them; a list too long for it stays as it is."""
    joined = "\\".join(sorted({value for value in values if value}))
    return joined if len(joined) <= _LONGEST_LIST else kept


def _study_faults(facts: _Facts) -> Iterator[Fault]:
    wrong = [
        f"{name.replace('_', ' ')} is {getattr(facts.study, name)!r}, should be {value!r}"
        for name, value in true_study_values(facts).items()
        if getattr(facts.study, name) != value
    ]
    if wrong:
        yield Fault(Kind.WRONG_STUDY, facts.study.study_instance_uid, ", ".join(wrong))


def _facility_faults(facts: _Facts) -> Iterator[Fault]:
    uid = facts.study.study_instance_uid
    for name, count in facts.strays.items():
        yield Fault(Kind.WRONG_FACILITY, uid, f"{count} of its {name}")
    if facts.study.patient.facility_id != facts.study.facility_id:
        yield Fault(
            Kind.WRONG_FACILITY,
            uid,
            "its patient",
            advice="Only a person can say whose study this is: open it in the administration.",
        )


def _entry_faults(facts: _Facts) -> Iterator[Fault]:
    study, entry = facts.study, facts.entry
    if entry is None:
        yield Fault(Kind.MISSING_ENTRY, study.study_instance_uid, "nobody sees it in the list")
        return
    true = {
        "facility": study.facility_id,
        "study_at": find_study_moment(study),
        "arrived_at": study.last_received_at,
        "patient_key": study.patient.search_key,
        "modalities": true_study_values(facts)["modalities"],
    }
    assert true.keys() == set(COPIES)
    said = {
        name: entry.facility_id if name == "facility" else getattr(entry, name) for name in true
    }
    wrong = [name.replace("_", " ") for name in true if said[name] != true[name]]
    if wrong:
        yield Fault(Kind.WRONG_ENTRY, study.study_instance_uid, f"wrong: {', '.join(wrong)}")


def _batches() -> Iterator[list[uuid.UUID]]:
    """Yield the keys of all studies, some at a time, in the order of their making."""
    last: uuid.UUID | None = None
    while True:
        rows = Study.objects.order_by("pk").values_list("pk", flat=True)
        keys = list((rows if last is None else rows.filter(pk__gt=last))[:BATCH])
        if not keys:
            return
        yield keys
        last = keys[-1]


def _read(keys: list[uuid.UUID]) -> list[_Facts]:
    """Return the facts of these studies, in a fixed number of queries."""
    studies = Study.objects.filter(pk__in=keys).select_related("patient", "worklist_entry")
    found = {study.pk: _Facts(study) for study in studies}
    for facts in found.values():
        facts.entry = getattr(facts.study, "worklist_entry", None)
    for series in Series.objects.filter(study__in=found).order_by("pk"):
        found[series.study_id].series.append(series)
    sums = (
        Instance.objects.filter(study__in=found)
        .order_by()
        .values_list("study", "series")
        .annotate(Count("pk"), Sum("number_of_frames"), Sum("size_bytes"))
    )
    for study_id, series_id, instances, frames, size_bytes in sums:
        found[study_id].sums[series_id] = _Sums(instances, frames, size_bytes)
    for model in _rows_of_a_study():
        name = str(model._meta.verbose_name_plural)
        strays = model._default_manager.filter(_IS_STRAY, study__in=found).order_by()
        for study_id, count in strays.values_list("study").annotate(Count("pk")):
            found[study_id].strays[name] = count
    return list(found.values())


# A row whose facility is not its study's; nothing equals nothing.
_IS_STRAY = (
    Q(facility__isnull=True, study__facility__isnull=False)
    | Q(facility__isnull=False, study__facility__isnull=True)
    | Q(facility__lt=F("study__facility"))
    | Q(facility__gt=F("study__facility"))
)


def _rows_of_a_study() -> list[type[models.Model]]:
    """Return the models whose rows belong to a study and carry its facility, but the entry."""
    return [
        model
        for model in apps.get_models()
        if issubclass(model, FacilityRow)
        and model is not WorklistEntry
        and any(one.name == "study" for one in model._meta.get_fields())
    ]


def _examine(study_id: uuid.UUID, *, apply: bool) -> list[Fault]:
    """Look once more while nothing can change, and mend."""
    with transaction.atomic():
        # In the order in which receivers lock: study, then series.
        list(Study.objects.select_for_update().filter(pk=study_id))
        list(Series.objects.select_for_update().filter(study=study_id).order_by("pk"))
        facts = next(iter(_read([study_id])), None)
        faults = find_faults(facts) if facts else []
        if apply and facts and any(not fault.advice for fault in faults):
            faults = _mend(facts, faults)
        return faults


def _mend(facts: _Facts, faults: list[Fault]) -> list[Fault]:
    """Make the rows agree with the study; returns the faults as they stand then."""
    study = facts.study
    blocked = _mend_facilities(facts)
    for series in facts.series:
        true = facts.sums[series.pk]
        Series.objects.filter(pk=series.pk).update(
            instance_count=true.instances, frame_count=true.frames, size_bytes=true.size_bytes
        )
    Study.objects.filter(pk=study.pk).update(**true_study_values(facts))
    study.refresh_from_db()
    write_entries([study])
    audit.record(
        [
            audit.AuditEntry(
                action="repair",
                actor="fix_worklist",
                facility_id=study.facility_id,
                patient_id=study.patient.patient_id,
                study_instance_uid=study.study_instance_uid,
                detail={"faults": sorted({fault.kind.value for fault in faults})},
            )
        ]
    )
    events.publish("study_updated", [study])
    return [_settled(fault, blocked) for fault in faults]


def _settled(fault: Fault, blocked: str) -> Fault:
    if fault.advice:
        return fault
    if fault.kind == Kind.WRONG_FACILITY and blocked:
        return replace(fault, advice=blocked)
    return replace(fault, is_fixed=True)


def _mend_facilities(facts: _Facts) -> str:
    """Give the study's rows its facility; returns in words why that is not possible."""
    study = facts.study
    try:
        with transaction.atomic():
            for model in _rows_of_a_study():
                rows = model._default_manager.filter(_IS_STRAY, study=study).values("pk")
                model._default_manager.filter(
                    pk__in=list(rows.values_list("pk", flat=True))
                ).update(facility=study.facility_id)
    except IntegrityError:
        return "The facility has the same instances in another study: a person must decide."
    return ""


def _check_orphans(*, apply: bool) -> Iterator[Fault]:
    """Find entries whose study is gone: possible where a database was mended by hand."""
    orphans = WorklistEntry.objects.exclude(study__in=Study.objects.all())
    for entry_id, study_id in list(orphans.values_list("pk", "study_id")):
        if apply:
            with transaction.atomic():
                # Asked again in the statement itself.
                orphans.filter(pk=entry_id).delete()
        yield Fault(Kind.ORPHAN_ENTRY, "", f"entry {entry_id} of study {study_id}", is_fixed=apply)
