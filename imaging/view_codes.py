"""Views of projections by their codes (PS3.16 CID 4010, 4014), as the words of View Position."""

from __future__ import annotations

from imaging.elements import ElementView

# Code Values of SNOMED CT and of the older SNOMED RT names of the same views.
VIEWS = {
    "399162004": "CC",
    "R-10242": "CC",
    "399368009": "MLO",
    "R-10226": "MLO",
    "399260004": "ML",
    "R-10224": "ML",
    "399352003": "LM",
    "R-10228": "LM",
    "399099002": "LMO",
    "R-10230": "LMO",
    "399192008": "XCCL",
    "R-1024A": "XCCL",
    "399101009": "XCCM",
    "R-1024B": "XCCM",
    "399196006": "FB",
    "R-10244": "FB",
    "399188001": "SIO",
    "R-102D0": "SIO",
    "272479007": "PA",
    "R-40888": "PA",
    "399348003": "AP",
    "R-10206": "AP",
    "399173006": "LL",
    "R-10236": "LL",
    "399198007": "RL",
    "R-10232": "RL",
    "399067008": "LAT",
    "R-102CD": "LAT",
}


def view_of_code(header: ElementView) -> str:
    """Return the view that View Code Sequence names; empty when it names none that is known."""
    item = header.item("ViewCodeSequence") if "ViewCodeSequence" in header else None
    return VIEWS.get(item.text("CodeValue").strip(), "") if item is not None else ""
