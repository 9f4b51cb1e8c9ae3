"""Hanging protocols and the database: what a study has, which one is chosen, changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Facility, Role, User
from archive.models import Instance, Series, Study
from imaging.errors import ConflictError, NotAllowedError
from viewer.hanging_rules import (
    Candidate,
    StudyFacts,
    find_built_in,
    find_candidate,
    fitness,
)
from viewer.models import HangingProtocol

# Of these every image is a view of its own, and is hung by itself.
PROJECTIONS = frozenset({"MG", "CR", "DX", "DR", "US"})
# So many images of such a series are looked at.
VIEWS_LIMIT = 100
# What is hung fused, and how many of a study's series are looked at for it.
FUSED = frozenset({"PT", "CT", "MR"})
FUSED_LIMIT = 12
# So many protocols a person may see and keep.
PROTOCOLS_LIMIT = 200
# What a pane asks of its picture, handed on as it is.
_OF_PANE = ("orient", "align", "group", "window", "shows", "plane", "slab", "body")
MANAGERS = frozenset({Role.FACILITY_ADMIN.value, Role.ADMIN.value})


@dataclass(frozen=True)
class Hung:
    """A study as it is hung; `code` is a protocol's key or names one of the house."""

    code: str
    name: str
    rows: int
    columns: int
    panes: list[dict[str, Any]]
    links: dict[str, bool]

    def to_json(self) -> dict[str, Any]:
        """Return what the page reads."""
        return {
            "code": self.code,
            "name": self.name,
            "rows": self.rows,
            "columns": self.columns,
            "panes": self.panes,
            "links": self.links,
        }


def list_candidates(series: Sequence[Series], prior: int = 0) -> list[Candidate]:
    """Return what of a study can be hung, in reading order.

    `series` are those that can be shown. Costs a query when there are projections among them.
    """
    projections = [one.pk for one in series if one.modality in PROJECTIONS]
    views: dict[Any, list[Instance]] = {}
    if projections:
        rows = Instance.objects.filter(series__in=projections)
        fields = ("id", "series_id", "instance_number", "image")
        for row in rows.only(*fields).order_by("series_id", "instance_number", "id"):
            if row.image:
                views.setdefault(row.series_id, []).append(row)
    spaces = _spaces_of(series)
    found: list[Candidate] = []
    for one in series:
        if one.modality in PROJECTIONS:
            found += [_view_of(one, row, prior) for row in views.get(one.pk, [])[:VIEWS_LIMIT]]
        else:
            found.append(_stack_of(one, prior, spaces.get(one.pk, "")))
    return found


def _spaces_of(series: Sequence[Series]) -> dict[Any, str]:
    """Return the frames of reference of PET and what may lie below it; nothing without PET."""
    if not any(one.modality == "PT" for one in series):
        return {}
    found = {}
    for one in [one for one in series if one.modality in FUSED][:FUSED_LIMIT]:
        first = Instance.objects.filter(series=one, number_of_frames__gte=1).only("image").first()
        found[one.pk] = "" if first is None else str(first.image.get("frame_of_reference_uid", ""))
    return found


def _stack_of(series: Series, prior: int, space: str) -> Candidate:
    passport = series.passport or {}
    count = max(series.frame_count, series.instance_count)
    return Candidate(
        series_id=str(series.pk),
        modality=series.modality,
        body_part=series.body_part_examined,
        description=series.series_description,
        laterality=series.laterality,
        plane=passport.get("plane", ""),
        image_count=count,
        prior=prior,
        is_localizer=0 < count == passport.get("localizer_count", 0),
        frame_of_reference_uid=space,
    )


def _view_of(series: Series, row: Instance, prior: int) -> Candidate:
    image = row.image or {}
    of_frames = image.get("frames", {}).get("shared", {}).get("frame_laterality")
    laterality = of_frames or image.get("image_laterality") or series.laterality
    return Candidate(
        series_id=str(series.pk),
        modality=series.modality,
        body_part=series.body_part_examined,
        description=series.series_description,
        laterality=laterality,
        view=image.get("view_position", ""),
        prior=prior,
        instance_id=str(row.pk),
    )


@dataclass(frozen=True)
class Chosen:
    """The protocol that a study is hung by, before its panes are filled."""

    code: str
    name: str
    layout: dict[str, Any]

    @property
    def priors(self) -> set[int]:
        """Which priors its panes show, counted from 1."""
        return {pane.get("find", {}).get("prior", 0) for pane in self.layout["panes"]} - {0}

    def hang(self, candidates: Sequence[Candidate]) -> Hung | None:
        """Fill the panes; None when nothing of the study is in them."""
        panes = [_fill(pane, candidates) for pane in self.layout["panes"]]
        if not any(pane["series_id"] for pane in panes):
            return None
        layout = self.layout
        links = layout.get("links", {})
        return Hung(self.code, self.name, layout["rows"], layout["columns"], panes, links)


def choose_protocol(
    user: User, study: Study, candidates: Sequence[Candidate], prior_count: int, wanted: str = ""
) -> Chosen | None:
    """Return the protocol that fits a study best for a person.

    A person's own goes before a facility's, both before the house's; among equals the one with
    more rules that hold, then the newest. `wanted` names one by its key, or `standard`.
    None when nothing but the first series is to be shown. Costs a query.
    """
    facts = StudyFacts.of(candidates, study.study_description, prior_count)
    protocols = list(HangingProtocol.objects.visible_to(user)) if wanted != "standard" else []
    if wanted and wanted != "standard":
        chosen = next((one for one in protocols if str(one.pk) == wanted), None)
    else:
        chosen = _choose(protocols, study, facts)
    if chosen is not None:
        return Chosen(str(chosen.pk), chosen.name, chosen.layout)
    built_in = find_built_in(candidates)
    if built_in is None or built_in.layout is None:
        return None
    return Chosen(built_in.code, _name_of(built_in.code), built_in.layout)


def _choose(
    protocols: list[HangingProtocol], study: Study, facts: StudyFacts
) -> HangingProtocol | None:
    def rank(one: HangingProtocol) -> tuple[bool, int, Any]:
        return (one.owner_id is not None, fitness(one.rules, facts), one.changed_at)

    fitting = [
        one
        for one in protocols
        if one.facility_id in (None, study.facility_id) and fitness(one.rules, facts) >= 0
    ]
    return max(fitting, key=rank, default=None)


def _fill(pane: dict[str, Any], candidates: Sequence[Candidate]) -> dict[str, Any]:
    find = pane.get("find")
    found = find_candidate(find, candidates) if find else None
    asked: dict[str, Any] = {name: pane[name] for name in _OF_PANE if name in pane}
    if found is None:
        return {"series_id": "", "instance_id": "", "frame": 0, **asked}
    place = {"series_id": found.series_id, "instance_id": found.instance_id, "frame": found.frame}
    # What lies over a picture is of the same study.
    wanted = {**pane["over"], "prior": found.prior} if pane.get("over") else None
    over = find_candidate(wanted, candidates) if wanted else None
    if over is not None:
        place["over_series_id"] = over.series_id
    return {**place, **asked}


def _name_of(code: str) -> str:
    return {
        "mammography": _("Mammography, four views"),
        "two-views": _("Two views"),
        "ultrasound": _("Ultrasound, side by side"),
        "mr": _("MR, up to four series"),
        "ct": _("CT, the longest axial series"),
        "pet": _("CT, PET and both in one"),
    }[code]


# --- changes ----------------------------------------------------------------------------------


def may_change(user: User, protocol: HangingProtocol) -> bool:
    """Whether the person may change a protocol that they see: their own, or as administrator."""
    return protocol.owner_id == user.pk or user.is_archive_admin or user.role in MANAGERS


def may_keep_for(user: User, facility: Facility) -> bool:
    """Whether the person may save layouts for a whole facility: its administrators may."""
    is_manager = user.is_archive_admin or user.role in MANAGERS
    return is_manager and Facility.objects.visible_to(user).filter(pk=facility.pk).exists()


def create_hanging(user: User, facts: dict[str, Any], facility: Facility | None) -> HangingProtocol:
    """Keep a new protocol, a person's own or, from its administrators, a facility's."""
    if facility is not None and not (user.is_archive_admin or user.role in MANAGERS):
        raise NotAllowedError(_("Only administrators save layouts for a whole facility."))
    owner = user if facility is None else None
    return HangingProtocol.objects.create(owner=owner, facility=facility, **facts)


def change_hanging(
    protocol: HangingProtocol, facts: dict[str, Any], *, version: int
) -> HangingProtocol:
    """Change the version that was seen.

    Raises
    ------
    ConflictError
        It was changed since.
    """
    rows = HangingProtocol.objects.filter(pk=protocol.pk, version=version)
    if not rows.update(**facts, version=version + 1, changed_at=timezone.now()):
        raise ConflictError(_("This layout was changed elsewhere: read it again."))
    protocol.refresh_from_db()
    return protocol


def delete_hanging(protocol: HangingProtocol, *, version: int | None) -> None:
    """Delete a protocol, if a version is named then only in that one.

    Raises
    ------
    ConflictError
        It was changed since.
    """
    rows = HangingProtocol.objects.filter(pk=protocol.pk)
    if version is not None:
        rows = rows.filter(version=version)
    if not rows.delete()[0]:
        raise ConflictError(_("This layout was changed elsewhere: read it again."))
