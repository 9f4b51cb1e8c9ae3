"""Windows and tables that a file or one of its frames brings (PS3.3 C.11.2, C.7.6.16.2.10)."""

from typing import Any

from imaging.elements import ElementView
from imaging.lut import LINEAR, LookupTable
from imaging.text import clean_line

MAX_VALUES = 32
TEXT_LENGTH = 64


def frame_window_facts(view: ElementView) -> dict[str, Any]:
    """Return what Frame VOI LUT says of one or all frames; a function not named is LINEAR.

    `has_voi_lut` tells that it has a usable lookup table, which is read from the file.
    """
    facts = window_facts(view)
    function = clean_line(view.text("VOILUTFunction"))[:TEXT_LENGTH]
    if function or facts:
        facts["voi_lut_function"] = function or LINEAR
    tables = view.items("VOILUTSequence")[:MAX_VALUES]
    if any(LookupTable.from_item(item, signed_input=False) for item in tables):
        facts["has_voi_lut"] = True
    return facts


def window_facts(view: ElementView) -> dict[str, Any]:
    """Return window centres, widths and explanations that belong together (PS3.3 C.11.2.1.2)."""
    centers, widths = view.floats("WindowCenter"), view.floats("WindowWidth")
    words = view.texts("WindowCenterWidthExplanation") + [""] * MAX_VALUES
    triples = list(zip(centers[:MAX_VALUES], widths, words, strict=False))
    kept = [triple for triple in triples if triple[1] > 0]
    if len(kept) < len(triples):
        view.flags.add("bad_window")
    if not kept:
        return {}
    facts: dict[str, Any] = {
        "window_center": [center for center, _, _ in kept],
        "window_width": [width for _, width, _ in kept],
    }
    if any(word for _, _, word in kept):
        facts["window_center_width_explanation"] = [
            clean_line(word)[:TEXT_LENGTH] for _, _, word in kept
        ]
    return facts
