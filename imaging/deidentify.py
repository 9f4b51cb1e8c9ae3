"""De-identification by the Basic Application Level Confidentiality Profile (PS3.15 annex E).

Table E.1-1 says what happens to what it names. The rest stays only when it is known to be
harmless: numbers, coded strings, UIDs of the standard, and text of attributes that describe
technique. So what neither the table nor this module knows is left out.
"""

import hashlib
import hmac
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException
from pydicom.sequence import Sequence

from imaging.deidentify_content import (
    TREE,
    WAVEFORM,
    WAVEFORM_BULK,
    clean_text,
    content_kind,
    finish,
    may_stay,
)
from imaging.deidentify_table import ACTIONS
from imaging.deidentify_text import (
    CHARACTERISTICS,
    DESCRIPTIONS,
    HARMLESS_BULK,
    TECHNICAL_TEXT,
    clean_description,
    is_public_code,
)

# What the reader of whole data sets raises for values that are none; it has no common parent.
READER_ERRORS = (
    ValueError, TypeError, AttributeError, LookupError, ArithmeticError, NotImplementedError,
    OSError, EOFError, RecursionError, struct.error, BytesLengthException,
)  # fmt: skip
REMOVE, SHIFT, KEEP, CLEAN = "remove", "shift", "keep", "clean"
METHOD = "Noctis: PS3.15 2026c Basic Application Level Confidentiality Profile"
_STANDARD_ROOT = "1.2.840.10008."
_TEXT_VRS = frozenset({"AE", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
_TIME_VRS = frozenset({"DA", "DT", "TM"})
_BULK_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_NUMBER_VRS = frozenset({"AT", "FD", "FL", "SL", "SS", "SV", "UL", "US", "UV"})
_CODED = re.compile(r"[A-Z0-9_ ]{0,16}", re.ASCII)
_NUMBER = re.compile(r"\s*[-+]?[0-9.]{1,16}(?:[eE][-+]?\d{1,3})?\s*|\s*", re.ASCII)
_AGE = re.compile(r"\d{3}[DWMY]|", re.ASCII)
_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})(.*)", re.ASCII)
_DUMMIES = {
    "AE": "NONE", "AS": "000Y", "CS": "NONE", "DA": "19000101", "DS": "0", "DT": "19000101",
    "IS": "0", "LO": "REMOVED", "LT": "REMOVED", "PN": "REMOVED", "SH": "REMOVED",
    "ST": "REMOVED", "TM": "000000", "UC": "REMOVED", "UR": "urn:removed", "UT": "REMOVED",
}  # fmt: skip
# Attributes that objects must have, with a value or without (type 2).
_EMPTIED = frozenset({"AcquisitionContextSequence", "ContentDescription"})
_METHODS = {
    "basic": ("113100", "Basic Application Confidentiality Profile"),
    TREE: ("113104", "Clean Structured Content Option"),
    CLEAN: ("113105", "Clean Descriptors Option"),
    KEEP: ("113106", "Retain Longitudinal Temporal Information Full Dates Option"),
    SHIFT: ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    "characteristics": ("113108", "Retain Patient Characteristics Option"),
}


@dataclass(frozen=True, slots=True)
class Options:
    """What is retained beyond the basic profile.

    `dates` are removed, shifted by a number of days of each patient's own (times of day stay),
    or kept. `descriptions` are removed or cleaned: only known imaging words and short numbers
    stay. `characteristics` keeps age, sex, size, weight and the like.
    """

    dates: str = REMOVE
    descriptions: str = REMOVE
    characteristics: bool = False


@dataclass(frozen=True, slots=True)
class _About:
    """What is known of the object at work: its patient's days, its kind without pixels."""

    days: int
    kind: str


class Deidentifier:
    """Replaces what identifies, the same value always by the same one under the same key.

    The key is secret: who has it can find the number that a UID or Patient ID became, by trying.
    """

    def __init__(self, key: bytes, options: Options = Options()) -> None:
        if len(key) < 16:
            raise ValueError("the key must have 16 bytes at least")
        self._key = key
        self.options = options

    def new_uid(self, uid: str) -> str:
        """Return the UID that takes the place of another, below 2.25 (PS3.5 B.2)."""
        return f"2.25.{int.from_bytes(self._digest('uid', uid)[:16], 'big')}"

    def new_patient_id(self, patient_id: str, issuer: str = "") -> str:
        """Return the pseudonym of a patient."""
        return "ANON-" + self._digest("patient", patient_id, issuer).hex()[:12].upper()

    def apply(self, original: Dataset) -> Dataset:
        """Return a new data set without what identifies; `original` stays as it is.

        Pixel data are copied as they are: whether names are burned in is for `why_risky`.
        """
        patient_id = str(original.get("PatientID") or "")
        issuer = str(original.get("IssuerOfPatientID") or "")
        digest = self._digest("days", patient_id, issuer)
        days = 1 + int.from_bytes(digest[:4], "big") % 3650
        kind = content_kind(str(original.get("SOPClassUID") or ""))
        made = self._cleaned(original, _About(days, kind))
        finish(made, kind)
        made.PatientID = made.PatientName = self.new_patient_id(patient_id, issuer)
        for keyword in ("StudyID", "AccessionNumber", "ReferringPhysicianName"):
            made.setdefault(keyword, "")
        self._declare(made, kind)
        return made

    def _digest(self, purpose: str, *values: str) -> bytes:
        message = "\0".join((purpose, *(value.strip(" \0") for value in values)))
        return hmac.new(self._key, message.encode("utf-8", "replace"), hashlib.sha256).digest()

    def _declare(self, made: Dataset, kind: str) -> None:
        """Say what was done (PS3.15 E.1.1 item 6)."""
        wanted = ["basic"]
        wanted += [TREE] if kind == TREE else []
        wanted += [CLEAN] if self.options.descriptions == CLEAN else []
        wanted += [self.options.dates] if self.options.dates in (KEEP, SHIFT) else []
        wanted += ["characteristics"] if self.options.characteristics else []
        codes = []
        for name in wanted:
            code = Dataset()
            code.CodeValue, code.CodeMeaning = _METHODS[name]
            code.CodingSchemeDesignator = "DCM"
            codes.append(code)
        made.PatientIdentityRemoved = "YES"
        made.DeidentificationMethod = [METHOD[:64]]
        made.DeidentificationMethodCodeSequence = Sequence(codes)
        states = {REMOVE: "REMOVED", SHIFT: "MODIFIED", KEEP: "UNMODIFIED"}
        made.LongitudinalTemporalInformationModified = states[self.options.dates]

    # --- elements -------------------------------------------------------------------
    def _cleaned(self, original: Dataset, about: _About) -> Dataset:
        made = Dataset()
        for tag in sorted(original.keys()):
            try:
                kept = self._element(original[tag], about)
            except READER_ERRORS:
                continue  # what cannot be read cannot be judged
            if kept is not None:
                made.add(kept)
        if "TrackingID" not in made:
            made.pop("TrackingUID", None)  # the two go together (PS3.3 C.8.20.4)
        return made

    def _element(self, element: DataElement, about: _About) -> DataElement | None:
        tag = int(element.tag)
        group = tag >> 16
        if group & 1 or tag & 0xFFFF == 0 or group < 8:
            return None
        if 0x5000 <= group <= 0x501E or 0x6000 <= group <= 0x601E:
            return None  # curves; overlays, whose data and comments go: nothing useful is left
        keyword = keyword_for_tag(tag)
        action = ACTIONS.get(tag)
        if not keyword and action is None:
            return None
        if action is not None:
            return self._by_table(element, keyword, action, about)
        return self._unlisted(element, keyword, about)

    def _by_table(
        self, element: DataElement, keyword: str, action: str, about: _About
    ) -> DataElement | None:
        vr = element.VR
        if keyword in CHARACTERISTICS and self.options.characteristics:
            return self._unlisted(element, "", about, is_text=True)
        if keyword in DESCRIPTIONS and self.options.descriptions == CLEAN:
            return _remade(element, clean_description(str(element.value or "")) or None)
        if vr in _TIME_VRS and self.options.dates != REMOVE:
            return self._dated(element, about)
        if action == "U":
            return self._uids(element)
        if action == "X/Z/U*":
            return self._unlisted(element, keyword, about)
        if action == "X":
            return None
        if keyword == "ContentSequence" and about.kind == TREE:
            return self._tree(element, about)
        if vr == "SQ":
            return _remade(element, Sequence()) if keyword in _EMPTIED else None
        if action in ("Z", "X/Z"):
            return _remade(element, None)
        return _remade(element, _DUMMIES[vr]) if vr in _DUMMIES else None

    def _unlisted(
        self, element: DataElement, keyword: str, about: _About, *, is_text: bool = False
    ) -> DataElement | None:
        """Return what is kept of an element without an action, or that an option keeps."""
        vr = element.VR
        if vr == "SQ":
            # Every other item stays, empty or not: functional groups count frames by them.
            items = list(element.value or ())
            kept = [self._cleaned(item, about) for item in items if not _is_private_code(item)]
            return _remade(element, Sequence(kept)) if kept or not items else None
        if vr in _TIME_VRS:
            return self._dated(element, about) if self.options.dates != REMOVE else None
        if vr == "UI":
            return self._uids(element)
        if vr in _TEXT_VRS:
            if keyword == "TextValue" and about.kind == TREE:
                is_cleaned = self.options.descriptions == CLEAN
                return _remade(element, clean_text(str(element.value or ""), is_cleaned=is_cleaned))
            if keyword in _EMPTIED:
                return _remade(element, None)
            return _remade(element) if is_text or keyword in TECHNICAL_TEXT else None
        if vr in _BULK_VRS or "or" in vr:
            is_short = vr not in _BULK_VRS and not isinstance(element.value, bytes)
            is_wave = about.kind == WAVEFORM and keyword in WAVEFORM_BULK
            return _remade(element) if is_short or is_wave or keyword in HARMLESS_BULK else None
        patterns = {"CS": _CODED, "DS": _NUMBER, "IS": _NUMBER, "AS": _AGE}
        if vr in patterns:
            values = _values(element)
            fits = all(patterns[vr].fullmatch(str(value)) for value in values)
            return _remade(element) if fits else None
        return _remade(element) if vr in _NUMBER_VRS else None

    def _tree(self, element: DataElement, about: _About) -> DataElement | None:
        """Return the items of a report that may stay, each cleaned."""
        has = self.options.characteristics
        kept = [item for item in element.value or () if may_stay(item, has_characteristics=has)]
        cleaned = [self._cleaned(item, about) for item in kept]
        return _remade(element, Sequence(cleaned)) if cleaned else None

    def _uids(self, element: DataElement) -> DataElement:
        changed = [
            uid if str(uid).startswith(_STANDARD_ROOT) or not uid else self.new_uid(str(uid))
            for uid in _values(element)
        ]
        return _remade(element, changed if len(changed) != 1 else changed[0])

    def _dated(self, element: DataElement, about: _About) -> DataElement | None:
        """Keep times of day and, by option, dates; shift them otherwise."""
        if element.VR == "TM" or self.options.dates == KEEP:
            return _remade(element)
        shifted = [_earlier(str(value), about.days) for value in _values(element)]
        return _remade(element, shifted if len(shifted) != 1 else shifted[0])


def _is_private_code(item: Dataset) -> bool:
    """Whether an item is a code of one site's own: its meaning may be anything."""
    scheme = str(item.get("CodingSchemeDesignator") or "")
    return "CodingSchemeDesignator" in item and not is_public_code(scheme)


def _values(element: DataElement) -> Iterable[Any]:
    value = element.value
    if value is None or isinstance(value, str | bytes):
        return [value or ""]
    return list(value) if hasattr(value, "__iter__") else [value]


_SAME: Any = object()


def _remade(element: DataElement, value: Any = _SAME) -> DataElement:
    return DataElement(element.tag, element.VR, element.value if value is _SAME else value)


def _earlier(text: str, days: int) -> str:
    """Return a date (and time) so many days earlier; empty for what is no date."""
    found = _DATE.fullmatch(text)
    if found is None:
        return ""
    year, month, day, rest = found.groups()
    try:
        moved = date(int(year), int(month), int(day)) - timedelta(days=days)
    except (ValueError, OverflowError):
        return ""
    return f"{moved:%Y%m%d}{rest}" if moved.year >= 1000 else ""


# --- names in the pixels ------------------------------------------------------------
_BURNING = frozenset({"US", "IVUS", "OT", "ES", "GM", "XC", "DOC", "SC", "ECG", "OP", "SM"})
_CAPTURES = ("1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.77.")


def why_risky(
    burned_in_annotation: str, modality: str, sop_class_uid: str, image_type: Iterable[str] = ()
) -> str:
    """Return why names may be burned into the pixels; empty when nothing speaks for it.

    One of `said` (BurnedInAnnotation is YES), `screen` (a screen was saved), `capture` (secondary
    capture or photograph), `modality` (devices that write the name into the picture).
    """
    said = burned_in_annotation.strip().upper()
    if said == "YES":
        return "said"
    if any("SCREEN" in str(part).upper() for part in image_type):
        return "screen"
    if said == "NO":
        return ""
    if sop_class_uid.startswith(_CAPTURES):
        return "capture"
    return "modality" if modality in _BURNING else ""
