"""How studies are hung: which protocol fits a study, and what each of its panes shows.

Nothing here asks the database. A protocol's `rules` say which studies it is for,
its `layout` which panes there are; docs/hanging.md tells the form of both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Layout = dict[str, Any]

LATERALS = ("LL", "RL", "LAT", "LATERAL", "LLD", "RLD")
FRONTALS = ("PA", "AP")
# A grid of ultrasound pictures: up to so many images, so many rows and columns.
GRIDS = ((1, 1, 1), (2, 1, 2), (4, 2, 2), (6, 2, 3), (9, 3, 3))
# So many slices of PET make a body that is worth turning.
LEAST_OF_BODY = 40
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Candidate:
    """What a pane may show: a series, or one image of it where each image is a view of its own."""

    series_id: str
    modality: str
    body_part: str = ""
    description: str = ""
    laterality: str = ""
    view: str = ""
    plane: str = ""
    image_count: int = 1
    prior: int = 0
    instance_id: str = ""
    frame: int = 0
    is_localizer: bool = False
    frame_of_reference_uid: str = ""

    def has(self, wanted: dict[str, Any]) -> bool:
        """Whether everything that is wanted is so; the description is another matter."""
        return self.prior == wanted.get("prior", 0) and all(
            same(getattr(self, name), wanted[name])
            for name in ("modality", "body_part", "laterality", "view", "plane")
            if wanted.get(name)
        )


@dataclass(frozen=True)
class StudyFacts:
    """What rules ask of a study."""

    modalities: frozenset[str]
    body_parts: frozenset[str]
    lateralities: frozenset[str]
    views: frozenset[str]
    description: str
    prior_count: int

    @classmethod
    def of(cls, candidates: Sequence[Candidate], description: str, priors: int) -> StudyFacts:
        """Gather the facts of the current study's candidates."""

        def all_of(name: str) -> frozenset[str]:
            found = {getattr(one, name).casefold() for one in candidates if not one.prior}
            return frozenset(found - {""})

        return cls(
            modalities=all_of("modality"),
            body_parts=all_of("body_part"),
            lateralities=all_of("laterality"),
            views=all_of("view"),
            description=description.casefold(),
            prior_count=priors,
        )


def same(one: str, other: str) -> bool:
    """Whether two words of a header mean the same: case and spaces do not count."""
    return one.strip().casefold() == other.strip().casefold()


def fitness(rules: dict[str, Any], study: StudyFacts) -> int:
    """Return how closely the rules fit a study: how many hold, or -1 when one does not.

    A body part that the header does not name may stand in the study's description.
    """
    held = 0
    for name, wanted in rules.items():
        if wanted in ("", 0, None):
            continue
        if not _holds(name, wanted, study):
            return -1
        held += 1
    return held


def _holds(name: str, wanted: Any, study: StudyFacts) -> bool:
    if name == "priors":
        return study.prior_count >= int(wanted)
    word = str(wanted).strip().casefold()
    if name == "description":
        return all(part in study.description for part in word.split())
    values = {
        "modality": study.modalities,
        "body_part": study.body_parts,
        "laterality": study.lateralities,
        "view": study.views,
    }.get(name, frozenset())
    return word in values or (name == "body_part" and not values and word in study.description)


def find_candidate(find: dict[str, Any], candidates: Sequence[Candidate]) -> Candidate | None:
    """Return what a pane shows: the `place`-th of those that are as wanted, if there is one."""
    fitting = [one for one in candidates if one.has(find)]
    description = str(find.get("description", ""))
    if description:
        exact = [one for one in fitting if same(one.description, description)]
        fitting = exact or _alike(fitting, description)
    place = int(find.get("place", 0))
    return fitting[place] if place < len(fitting) else None


def _alike(candidates: list[Candidate], description: str) -> list[Candidate]:
    """Return those whose description shares at least half of the words, the closest first."""
    words = set(_WORD.findall(description.casefold()))

    def shared(one: Candidate) -> int:
        return len(words & set(_WORD.findall(one.description.casefold())))

    close = [one for one in candidates if words and shared(one) * 2 >= len(words)]
    return sorted(close, key=shared, reverse=True)


# --- what the house brings along ------------------------------------------------------------


@dataclass(frozen=True)
class BuiltIn:
    """A protocol that every house has; `layout` is None when it has nothing to say of a study."""

    code: str
    layout: Layout | None


def find_built_in(candidates: Sequence[Candidate]) -> BuiltIn | None:
    """Return the first protocol of the house that has something to say of a study."""
    own = [one for one in candidates if not one.prior]
    kinds = {one.modality for one in own}
    for code, makes, modalities in (
        ("mammography", _hang_mammography, {"MG"}),
        ("two-views", _hang_two_views, {"CR", "DX", "DR"}),
        ("ultrasound", _hang_grid, {"US"}),
        ("pet", _hang_pet, {"PT", "CT", "MR"}),
        ("mr", _hang_mr, {"MR"}),
        ("ct", _hang_ct, {"CT"}),
    ):
        if kinds & modalities:
            layout = makes([one for one in own if one.modality in modalities])
            if layout is not None:
                return BuiltIn(code, layout)
    return None


def _hang_mammography(own: list[Candidate]) -> Layout | None:
    """Hang RCC and LCC above RMLO and LMLO, chest wall to chest wall; one breast by itself."""
    views = {(one.laterality.upper(), one.view.upper()) for one in own}
    rows = [view for view in ("CC", "MLO") if {("R", view), ("L", view)} & views]
    sides = [side for side in ("R", "L") if {(side, view) for view in rows} & views]
    if not rows:
        return None
    panes = [_breast(side, view) for view in rows for side in sides]
    return {
        "rows": len(rows),
        "columns": len(sides),
        "panes": panes,
        "links": {"window": True},
    }


def _breast(side: str, view: str) -> dict[str, Any]:
    """Return a pane with the chest wall at the middle, and what lies lateral or cranial on top."""
    bottom = "F" if view == "MLO" else {"R": "L", "L": "R"}[side]
    return {
        "find": {"modality": "MG", "laterality": side, "view": view},
        "orient": {"right": "P" if side == "R" else "A", "bottom": bottom},
        "align": "right" if side == "R" else "left",
        "group": "breasts",
    }


def _hang_two_views(own: list[Candidate]) -> Layout | None:
    frontal = next((one for one in own if one.view.upper() in FRONTALS), None)
    lateral = next((one for one in own if one.view.upper() in LATERALS), None)
    if frontal is None or lateral is None:
        return None
    panes = [_exactly(one, own) for one in (frontal, lateral)]
    return {"rows": 1, "columns": 2, "panes": panes, "links": {}}


def _exactly(wanted: Candidate, own: list[Candidate]) -> dict[str, Any]:
    """Return a pane that finds just this candidate among its like."""
    find = {"modality": wanted.modality, "view": wanted.view}
    fitting = [one for one in own if one.has(find)]
    return {"find": {**find, "place": fitting.index(wanted)}}


def _hang_grid(own: list[Candidate]) -> Layout | None:
    if len(own) < 2:
        return None
    count, rows, columns = next((grid for grid in GRIDS if grid[0] >= len(own)), GRIDS[-1])
    panes = [{"find": {"modality": "US", "place": place}} for place in range(min(count, len(own)))]
    return {"rows": rows, "columns": columns, "panes": panes, "links": {}}


def _hang_pet(own: list[Candidate]) -> Layout | None:
    """Hang CT (or MR), PET, and the PET over the CT: the longest pair of one frame of reference.

    In the fourth place the PET turns as highest values, when there is enough of it for a body.
    """
    shown = [one for one in own if not one.is_localizer and one.frame_of_reference_uid]
    pairs = [
        (one.modality == "CT", one.image_count + pet.image_count, one, pet)
        for pet in shown
        for one in shown
        if pet.modality == "PT"
        and one.modality in ("CT", "MR")
        and one.frame_of_reference_uid == pet.frame_of_reference_uid
    ]
    if not pairs:
        return None
    _is_ct, _count, base, pet = max(pairs, key=lambda pair: pair[:2])
    below, above = _find_stack(base, own), _find_stack(pet, own)
    shows = [{"find": below}, {"find": above}, {"find": below, "over": above}]
    panes: list[Layout] = [{**one, "group": "pet"} for one in shows]
    links = {"scroll": True, "zoom": True}
    if pet.image_count < LEAST_OF_BODY:
        return {"rows": 1, "columns": 3, "panes": panes, "links": links}
    body = {"find": above, "shows": "volume", "body": {"preset": "mip", "turning": True}}
    return {"rows": 2, "columns": 2, "panes": [*panes, body], "links": links}


def _find_stack(wanted: Candidate, own: list[Candidate]) -> dict[str, Any]:
    alike = [one for one in own if one.modality == wanted.modality]
    return {"modality": wanted.modality, "place": alike.index(wanted)}


def _hang_mr(own: list[Candidate]) -> Layout | None:
    """Hang the first four series that are no localizers; two, side by side."""
    shown = [one for one in own if not one.is_localizer] or own
    if len(shown) < 2:
        return None
    rows, columns = (1, 2) if len(shown) == 2 else (2, 2)
    panes = [{"find": {"modality": "MR", "place": own.index(one)}} for one in shown[:4]]
    return {"rows": rows, "columns": columns, "panes": panes, "links": {"scroll": True}}


def _hang_ct(own: list[Candidate]) -> Layout | None:
    """Open on the longest axial series rather than on a localizer."""
    shown = [one for one in own if not one.is_localizer]
    axial = [one for one in shown if one.plane == "axial"] or shown
    if not axial:
        return None
    longest = max(axial, key=lambda one: one.image_count)
    pane = {"find": {"modality": "CT", "place": own.index(longest)}}
    return {"rows": 1, "columns": 1, "panes": [pane], "links": {}}
