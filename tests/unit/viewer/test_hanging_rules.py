"""Which protocol fits a study, and what its panes show: pure rules."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from viewer.hanging_rules import (
    Candidate,
    StudyFacts,
    find_built_in,
    find_candidate,
    fitness,
)


def breast(side: str, view: str, series: str = "") -> Candidate:
    name = series or f"{side}{view}"
    return Candidate(name, "MG", "BREAST", laterality=side, view=view, instance_id=f"i-{name}")


def facts(candidates: list[Candidate], description: str = "", priors: int = 0) -> StudyFacts:
    return StudyFacts.of(candidates, description, priors)


CHEST = [Candidate("a", "CT", "CHEST", "Lung")]


@pytest.mark.parametrize(
    ("rules", "study", "fits"),
    [
        ({"modality": "CT"}, facts(CHEST), 1),
        ({"modality": "ct", "body_part": "Chest"}, facts(CHEST), 2),
        ({"modality": "CT", "body_part": "HEAD"}, facts(CHEST), -1),
        ({"modality": "MR"}, facts(CHEST), -1),
        ({"modality": "CT", "priors": 1}, facts(CHEST), -1),
        ({"modality": "CT", "priors": 1}, facts(CHEST, priors=2), 2),
        ({"modality": "CT", "description": "low dose"}, facts(CHEST, "CT chest LOW DOSE"), 2),
        ({"modality": "CT", "description": "low dose"}, facts(CHEST, "CT chest low"), -1),
        # Nothing in the headers, but the study says what it is of.
        ({"modality": "CT", "body_part": "CHEST"}, facts([Candidate("a", "CT")], "CT chest"), 2),
        ({"modality": "MG", "laterality": "L", "view": "CC"}, facts([breast("L", "CC")]), 3),
        ({"modality": "MG", "laterality": "L"}, facts([breast("R", "CC")]), -1),
    ],
)
def test_rules_fit_when_all_of_them_hold(
    rules: dict[str, Any], study: StudyFacts, fits: int
) -> None:
    assert fitness(rules, study) == fits


def test_a_pane_finds_its_series_by_description_and_by_place_among_equals() -> None:
    series = [
        Candidate("scout", "CT", description="Topogram"),
        Candidate("soft", "CT", description="Thorax soft 3 mm"),
        Candidate("lung", "CT", description="Thorax lung 1 mm"),
        Candidate("lung2", "CT", description="thorax LUNG 1 mm "),
        Candidate("old", "CT", description="Thorax lung 1 mm", prior=1),
    ]
    wanted = {"modality": "CT", "description": "Thorax lung 1 mm"}
    found = [find_candidate({**wanted, "place": place}, series) for place in range(3)]
    assert [one and one.series_id for one in found] == ["lung", "lung2", None]
    close = find_candidate({"modality": "CT", "description": "Thorax soft 2 mm"}, series)
    assert close is not None
    assert close.series_id == "soft"
    assert find_candidate({"modality": "CT", "description": "Abdomen venous"}, series) is None
    prior = find_candidate({**wanted, "prior": 1}, series)
    assert prior is not None
    assert prior.series_id == "old"


def test_mammograms_hang_chest_wall_to_chest_wall_in_whatever_order_they_come() -> None:
    shuffled = [breast("L", "MLO"), breast("R", "MLO"), breast("L", "CC"), breast("R", "CC")]
    built_in = find_built_in(shuffled)
    assert built_in is not None
    layout = built_in.layout
    assert layout is not None
    assert (layout["rows"], layout["columns"]) == (2, 2)
    found = [find_candidate(pane["find"], shuffled) for pane in layout["panes"]]
    assert [one and one.series_id for one in found] == ["RCC", "LCC", "RMLO", "LMLO"]
    # The right breast stands on the left with its chest wall to the right, and the other way round.
    assert [pane["align"] for pane in layout["panes"]] == ["right", "left", "right", "left"]
    assert [pane["orient"]["right"] for pane in layout["panes"]] == ["P", "A", "P", "A"]
    # CC: the lateral side on top, so medial at the bottom; MLO: feet at the bottom.
    assert [pane["orient"]["bottom"] for pane in layout["panes"]] == ["L", "R", "F", "F"]


def test_a_missing_view_leaves_its_pane_empty() -> None:
    views = [breast("R", "CC"), breast("L", "CC"), breast("L", "MLO")]
    built_in = find_built_in(views)
    assert built_in is not None
    assert built_in.layout is not None
    found = [find_candidate(pane["find"], views) for pane in built_in.layout["panes"]]
    assert [one and one.series_id for one in found] == ["RCC", "LCC", None, "LMLO"]


def test_one_breast_alone_leaves_no_room_for_the_other() -> None:
    built_in = find_built_in([breast("L", "MLO"), breast("L", "CC")])
    assert built_in is not None
    assert built_in.layout is not None
    assert (built_in.layout["rows"], built_in.layout["columns"]) == (2, 1)
    assert [pane["find"]["view"] for pane in built_in.layout["panes"]] == ["CC", "MLO"]


def test_a_chest_in_two_views_stands_side_by_side_and_one_view_alone() -> None:
    lateral = Candidate("b", "DX", view="LL", instance_id="2")
    frontal = Candidate("a", "DX", view="PA", instance_id="1")
    built_in = find_built_in([lateral, frontal])
    assert built_in is not None
    assert built_in.layout is not None
    found = [find_candidate(one["find"], [lateral, frontal]) for one in built_in.layout["panes"]]
    assert [one and one.series_id for one in found] == ["a", "b"]
    assert find_built_in([frontal]) is None


@pytest.mark.parametrize(("images", "grid"), [(2, (1, 2)), (3, (2, 2)), (6, (2, 3)), (30, (3, 3))])
def test_ultrasound_hangs_in_a_grid(images: int, grid: tuple[int, int]) -> None:
    built_in = find_built_in([Candidate("s", "US", instance_id=f"{n}") for n in range(images)])
    assert built_in is not None
    assert built_in.layout is not None
    assert (built_in.layout["rows"], built_in.layout["columns"]) == grid
    assert len(built_in.layout["panes"]) == min(images, 9)


def test_ct_opens_on_its_longest_axial_series_and_not_on_the_localizer() -> None:
    series = [
        Candidate("scout", "CT", image_count=2, is_localizer=True),
        Candidate("coronal", "CT", plane="coronal", image_count=300),
        Candidate("thick", "CT", plane="axial", image_count=60),
        Candidate("thin", "CT", plane="axial", image_count=240),
    ]
    built_in = find_built_in(series)
    assert built_in is not None
    assert built_in.layout is not None
    (pane,) = built_in.layout["panes"]
    found = find_candidate(pane["find"], series)
    assert found is not None
    assert found.series_id == "thin"


def test_pet_hangs_beside_its_ct_and_over_it_where_both_have_one_frame_of_reference() -> None:
    series = [
        Candidate("scout", "CT", image_count=900, is_localizer=True, frame_of_reference_uid="1"),
        Candidate("chest", "CT", image_count=500, frame_of_reference_uid="2"),
        Candidate("low", "CT", image_count=300, frame_of_reference_uid="1"),
        Candidate("nac", "PT", image_count=200, frame_of_reference_uid="1"),
        Candidate("pet", "PT", image_count=300, frame_of_reference_uid="1"),
    ]
    built_in = find_built_in(series)
    assert built_in is not None
    assert built_in.layout is not None
    shown = [
        tuple(
            (found.series_id if (found := find_candidate(pane[name], series)) else None)
            for name in ("find", "over")
            if name in pane
        )
        for pane in built_in.layout["panes"]
    ]
    assert (built_in.code, shown) == ("pet", [("low",), ("pet",), ("low", "pet"), ("pet",)])
    body = built_in.layout["panes"][3]
    assert (body["shows"], body["body"]) == ("volume", {"preset": "mip", "turning": True})
    assert (built_in.layout["rows"], built_in.layout["columns"]) == (2, 2)
    few = [replace(one, image_count=9) for one in series]
    flat = find_built_in(few)
    assert flat is not None
    assert flat.layout is not None
    assert (flat.layout["columns"], len(flat.layout["panes"])) == (3, 3)
    apart = [Candidate("ct", "CT", frame_of_reference_uid="1"), Candidate("pet", "PT")]
    alone = find_built_in(apart)
    assert alone is not None
    assert alone.code == "ct"
