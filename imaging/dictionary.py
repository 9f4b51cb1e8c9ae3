"""Tags, keywords and value representations (PS3.6), as fast tables."""

from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import dictionary_VR, keyword_dict

TAG_OF_KEYWORD: dict[str, int] = {keyword: int(tag) for keyword, tag in keyword_dict.items()}
VR_OF_TAG: dict[int, bytes] = {
    int(tag): entry[0].encode("ascii") for tag, entry in DicomDictionary.items()
}
SEQUENCE_TAGS = frozenset(tag for tag, vr in VR_OF_TAG.items() if vr == b"SQ")

_SHORT = b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US"
_LONG = b"OB OD OF OL OV OW SQ SV UC UN UR UT UV"
# Explicit VR: two bytes of length, or two reserved bytes and four of length (PS3.5 7.1.2).
SHORT_VRS = frozenset(
    vr.encode()
    for vr in [
        "AE",
        "AS",
        "AT",
        "CS",
        "DA",
        "DS",
        "DT",
        "FL",
        "FD",
        "IS",
        "LO",
        "LT",
        "PN",
        "SH",
        "SL",
        "SS",
        "ST",
        "TM",
        "UI",
        "UL",
        "US",
    ]
)
LONG_VRS = frozenset(_LONG.split())


def tag_of(key: str | int) -> int:
    """Return the tag for a keyword or a tag; KeyError for a keyword that PS3.6 lacks."""
    return key if isinstance(key, int) else TAG_OF_KEYWORD[key]


def vr_of(tag: int) -> bytes:
    """Return the VR by the dictionary; `UN` for what it lacks, `US` where it says "US or …"."""
    found = VR_OF_TAG.get(tag)
    if found is None:
        if tag & 0xFFFF == 0:
            return b"UL"
        if tag >> 16 & 1:
            # Private creators are LO (PS3.5 7.8.1); nothing else is known.
            return b"LO" if 0x10 <= tag & 0xFFFF <= 0xFF else b"UN"
        try:
            found = dictionary_VR(tag).encode("ascii")  # repeating groups: overlays, curves
        except KeyError:
            found = b"UN"
        VR_OF_TAG[tag] = found
    return found
