"""Views of projections by their codes are those of pydicom's own tables of the standard."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom import Dataset
from pydicom.sequence import Sequence
from pydicom.sr._concepts_dict import concepts
from pydicom.sr._snomed_dict import mapping

from imaging.image_facts import image_facts
from imaging.view_codes import VIEWS
from tests.unit.imaging.build import dataset, read_bytes, written

# How PS3.16 names the views that View Position abbreviates.
NAMES = {
    "CC": "CranioCaudal",
    "MLO": "MedioLateralObliqueProjection",
    "ML": "MedioLateralProjection",
    "LM": "LateroMedial",
    "LMO": "LateroMedialOblique",
    "XCCL": "CranioCaudalExaggeratedLaterally",
    "XCCM": "CranioCaudalExaggeratedMedially",
    "FB": "CaudoCranial",
    "SIO": "SuperolateralToInferomedialOblique",
    "PA": "PosteroAnterior",
    "AP": "AnteroPosterior",
    "LL": "LeftLateral",
    "RL": "RightLateral",
    "LAT": "LateralProjection",
}


@pytest.mark.parametrize(("view", "name"), NAMES.items())
def test_codes_are_those_of_the_standard(view: str, name: str) -> None:
    tables: Any = (concepts, mapping)
    (sct,) = tables[0]["SCT"][name]
    older = {old for old, new in tables[1]["SRT"].items() if new == sct}
    mine = {code for code, word in VIEWS.items() if word == view}
    assert sct in mine
    assert mine - {sct} <= older
    assert len(mine) == 2


def test_a_code_stands_in_for_a_view_position_that_is_not_written() -> None:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "R-10226", "SRT", "x"
    ds = dataset(ViewCodeSequence=Sequence([item]))
    assert image_facts(read_bytes(written(ds)))["view_position"] == "MLO"
    ds.ViewPosition = "CC"
    assert image_facts(read_bytes(written(ds)))["view_position"] == "CC"
    item.CodeValue = "unknown"
    del ds.ViewPosition
    assert "view_position" not in image_facts(read_bytes(written(ds)))
