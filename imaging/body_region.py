"""Which part of a body a series shows, by its own words, and which CT values belong there.

Words are wrong at times, so a region only says something where that is safe: several regions,
or none, are no region.
"""

import re
from dataclasses import dataclass

_PHANTOM = frozenset({"PHANTOM", "PHANTOMS", "CATPHAN", "GAMMEX", "TOMOPHAN", "QA", "QC"})
# Words of BodyPartExamined (PS3.16 annex L) and of descriptions.
_WORDS = {
    "head": "HEAD BRAIN SKULL CRANIUM CEREBRAL CEREBRUM NEURO KOPF HIRN SCHAEDEL CRANE CEREBRO",
    # Small fields of view full of bone and air: no brain is promised.
    "face": "SINUS SINUSES NNH ORBIT ORBITS FACE FACIAL JAW MAXILLA MANDIBLE DENTAL TEETH IAC EAR "
    "TEMPORAL PETROUS MASTOID TMJ NOSE CBCT",
    "neck": "NECK CSPINE HALS LARYNX THYROID CAROTID CAROTIDS",
    "chest": "CHEST THORAX LUNG LUNGS HEART CARDIAC CORONARY PULMONARY MEDIASTINUM LUNGE HERZ",
    "abdomen": "ABDOMEN PELVIS LIVER KIDNEY KIDNEYS PANCREAS COLON BLADDER PROSTATE UTERUS SPLEEN "
    "ABDOMENPELVIS BECKEN LEBER NIERE",
    "spine": "SPINE TSPINE LSPINE SSPINE LUMBAR SACRUM WIRBELSAEULE LWS BWS HWS",
    "extremity": "EXTREMITY KNEE ANKLE FOOT CALCANEUS ELBOW WRIST HAND FINGER TOE FEMUR TIBIA "
    "FIBULA HUMERUS RADIUS ULNA ARM FOREARM LEG SHOULDER HIP SCAPULA CLAVICLE KNIE FUSS "
    "SPRUNGGELENK HANDGELENK SCHULTER",
    "whole": "WHOLEBODY BODY POLYTRAUMA PETCT GANZKOERPER",
}  # fmt: skip
_REGION_OF = {word: region for region, words in _WORDS.items() for word in words.split()}


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a CT of a region holds.

    So much of the body is soft tissue (`tissue_share`). Without `has_lung`, nothing but air is
    as thin as air nearly is. Without `needs_tissue`, other materials than those of a body are no
    fault.
    """

    tissue_share: float = 0.1
    has_lung: bool = True
    needs_tissue: bool = True


ANY = Expectation()
_EXPECTATIONS = {
    "head": Expectation(has_lung=False),
    # Bone and metal may fill a limb.
    "extremity": Expectation(tissue_share=0.05, has_lung=False),
    # Plastics, foam, metal: whatever the maker chose.
    "phantom": Expectation(needs_tissue=False),
}


def expectation_of(region: str) -> Expectation:
    """Return what CT values of a region are held to; a body's in general for any other."""
    return _EXPECTATIONS.get(region, ANY)


def find_region(body_part: str, *descriptions: str) -> str:
    """Return `head`, `neck`, `chest`, `abdomen`, `spine`, `extremity`, `phantom`, or nothing.

    `body_part` is BodyPartExamined, which descriptions may only contradict or, where it is
    empty, replace. Empty when nothing is said, or several regions are.
    """
    said, described = _words(body_part), {word for text in descriptions for word in _words(text)}
    if (said | described) & _PHANTOM:
        return "phantom"
    named = _regions(said)
    others = _regions(described)
    found = named or others
    if named == {"head"} and others - {"head"}:
        # A head by habit: the description knows better, and only a head is held to more.
        return ""
    only = found.pop() if len(found) == 1 else ""
    return only if only not in ("face", "whole") else ""


def _words(text: str) -> set[str]:
    plain = text.upper().replace("\N{LATIN CAPITAL LETTER A WITH DIAERESIS}", "AE")
    return {word for word in re.split(r"[^A-Z0-9]+", plain) if word}


def _regions(words: set[str]) -> set[str]:
    return {_REGION_OF[word] for word in words if word in _REGION_OF}
