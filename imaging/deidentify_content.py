"""Objects without pixels that may leave de-identified, and what stays of a report's content tree.

PS3.15 E.3.4, Clean Structured Content Option: names, free text and the patient's facts are
replaced or left out; codes of public schemes, numbers, shapes and references stay.
"""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from imaging.deidentify_text import clean_description, is_public_code

TREE, STATE, WAVEFORM = "tree", "state", "waveform"
# Bulk data of waveforms; a voice is none of them, for it names its speaker.
WAVEFORM_BULK = frozenset({"WaveformData", "WaveformPaddingValue"})
REPLACED = "REMOVED"
_ROOT = "1.2.840.10008.5.1.4.1.1."
_VOICES = f"{_ROOT}9.4."
# Concepts that are the patient's own facts: sex, age, weight, height, body surface.
_CHARACTERISTICS = frozenset(
    {
        ("DCM", "121032"), ("DCM", "121033"), ("LN", "29463-7"), ("LN", "8302-2"),
        ("LN", "8277-6"), ("SCT", "27113001"), ("SCT", "50373000"), ("SCT", "301898006"),
        ("SRT", "F-01860"), ("SRT", "F-01850"), ("SRT", "F-008EC"),
    }
)  # fmt: skip


def content_kind(sop_class_uid: str) -> str:
    """Return which objects without pixels this class holds, empty for those that must not leave.

    Reports and key object selections are trees. Documents in other formats (PDF, CDA, models),
    recorded voices and plans of radiotherapy are nothing of these.
    """
    if not sop_class_uid.startswith(_ROOT):
        return ""
    rest = sop_class_uid.removeprefix(_ROOT)
    if rest.startswith("88."):
        return TREE
    if rest.startswith("11."):
        return STATE
    is_waveform = rest.startswith("9.") and not sop_class_uid.startswith(_VOICES)
    return WAVEFORM if is_waveform else ""


def may_stay(item: Dataset, *, has_characteristics: bool) -> bool:
    """Whether an item of a content tree may stay, with what is below it.

    References to other items of the tree by their place go: places change when items go.
    """
    if "ReferencedContentItemIdentifier" in item:
        return False
    for keyword in (
        "ConceptNameCodeSequence",
        "ConceptCodeSequence",
        "MeasurementUnitsCodeSequence",
    ):
        for code in item.get(keyword) or ():
            if not is_public_code(str(code.get("CodingSchemeDesignator") or "")):
                return False
            if not has_characteristics and _code(code) in _CHARACTERISTICS:
                return False
    return True


def clean_text(text: str, *, is_cleaned: bool) -> str:
    """Return what stays of free text: known imaging words on demand, else that it was removed."""
    return (clean_description(text) if is_cleaned else "") or REPLACED


def finish(made: Dataset, kind: str) -> None:
    """Give a new object what its class must have and the rules took."""
    if kind == TREE:
        made.VerificationFlag = "UNVERIFIED"  # who verified it is gone
        if "CompletionFlag" not in made:
            made.pop("VerificationFlag")  # key object selections have neither
        for keyword in (
            "PerformedProcedureCodeSequence",
            "ReferencedPerformedProcedureStepSequence",
        ):
            made.setdefault(keyword, Sequence())
        if "ConceptNameCodeSequence" not in made:
            made.ConceptNameCodeSequence = Sequence([_plain_title()])
    elif kind == STATE:
        # A label and the names of layers are typed by people; the layers were those of marks.
        made.ContentLabel = REPLACED
        made.setdefault("ContentDescription", "")
        made.setdefault("PresentationCreationDate", "19000101")
        made.setdefault("PresentationCreationTime", "000000")
        made.pop("GraphicLayerSequence", None)


def _plain_title() -> Dataset:
    """Return the title of a report whose own title is a code of one site."""
    title = Dataset()
    title.CodeValue, title.CodingSchemeDesignator = "18748-4", "LN"
    title.CodeMeaning = "Diagnostic imaging study"
    return title


def _code(code: Dataset) -> tuple[str, str]:
    return (str(code.get("CodingSchemeDesignator") or ""), str(code.get("CodeValue") or ""))
