"""Which parts of the body an image shows, by its words in several languages or by its codes.

For what is offered first, never for what is forbidden: several parts may be found, and a wrong
one does no harm. What must be safe asks `imaging.body_region`, which knows fewer words.
"""

# ruff: noqa: RUF001 - letters of other scripts are meant.

import re
from collections.abc import Iterable

from imaging.search import search_key

# Schemes of SNOMED codes in DICOM: today's, the old letters, and their older names (PS3.16 8.1).
SCHEMES = frozenset({"SCT", "SRT", "SNM3", "99SDM"})
# From so many letters on a word is also found inside a longer one: BECKENUEBERSICHT.
COMPOUND_LETTERS = 5

# Part -> words of Body Part Examined (PS3.16 annex L) and of German, French, Spanish, Italian,
# Portuguese, Dutch, Polish, Russian, Japanese and Chinese, as `search_key` writes them.
_WORDS = {
    "HEAD": "head headneck neuro cranium craneo cranio crane kopf schaedel schadel tete cabeza "
    "testa capo cabeca hoofd glowa голова 頭部 头部 头颅",
    "BRAIN": "brain cerebral cerebrum cerebellum hirn gehirn cerveau encephale cerebro cervello "
    "encefalo hersenen mozg мозг 脳 脑",
    "SKULL": "skull schaedel schadel crane cranio czaszka череп",
    "FACE": "face facial sinus sinuses paranasalsinus nnh orbit orbits jaw maxilla mandible "
    "zygoma nose teeth dental gesicht kiefer nase visage viso rosto gezicht twarz лицо 副鼻腔",
    "EAR": "ear iac internalauditorycanal temporalbone mastoid petrous felsenbein ohr rocher "
    "oreille oido orecchio ouvido oor ucho penasco ухо 側頭骨",
    "NECK": "neck headneck neckchest larynx pharynx thyroid parotid carotid hals kehlkopf "
    "schilddruese schilddruse cou cuello collo pescoco szyja шея 頸部 颈部",
    "VESSELS": "aorta carotid circleofwillis coronary pulmonaryartery artery arteries angio "
    "karotis aorten aorte carotide carotides carotida koronar coronaire coronaria аорта 大動脈 "
    "主动脉",
    "CHEST": "chest thorax brustkorb brust poitrine torax torace borst borstkas klatka "
    "mediastinum rib ribs sternum rippen грудь грудная 胸部",
    "LUNG": "lung lungs pulmonary lunge lungen poumon poumons pulmon pulmones polmone polmoni "
    "pulmao longen pluca pluco легкие легких 肺",
    "HEART": "heart cardiac cardio coronary herz coeur corazon cuore coracao hart serce сердце "
    "心臓 心脏",
    "ABDOMEN": "abdomen abdominal abdomenpelvis chestabdomen colon stomach spleen duodenum bauch "
    "oberbauch darm magen milz ventre addome addominale abdome buik brzuch живот 腹部",
    "LIVER": "liver gallbladder leber galle foie higado fegato figado lever watroba печень 肝",
    "PANCREAS": "pancreas pankreas trzustka поджелудочная 膵臓 胰",
    "KIDNEY": "kidney kidneys renal ureter adrenal niere nieren rein reins rinon rinones rene "
    "reni rim rins nier nerki nerka почки 腎 肾",
    "PELVIS": "pelvis pelvic abdomenpelvis prostate bladder uterus rectum ovary becken prostata "
    "blase bassin pelvien bacino bacia bekken miednica таз 骨盤 盆腔",
    "SPINE": "spine cspine tspine lspine sspine ctspine tlspine lsspine sacrum coccyx "
    "wirbelsaeule wirbelsaule hws bws lws rachis colonne columna colonna coluna wervelkolom "
    "kregoslup позвоночник 脊椎 脊柱 腰椎 頸椎 颈椎 胸椎",
    "EXTREMITY": "extremity knee ankle foot calcaneus toe leg thigh femur tibia fibula hip "
    "patella shoulder scapula clavicle humerus elbow radius ulna forearm arm wrist hand finger "
    "thumb extremitaet extremitat knie fuss sprunggelenk ferse bein oberschenkel unterschenkel "
    "huefte hufte schulter ellenbogen handgelenk oberarm unterarm genou cheville pied jambe "
    "cuisse hanche epaule coude poignet main bras rodilla tobillo pie pierna cadera hombro codo "
    "muneca mano ginocchio caviglia piede gamba anca spalla gomito polso joelho tornozelo perna "
    "quadril ombro cotovelo punho enkel voet heup schouder elleboog pols kolano stopa biodro "
    "bark lokiec nadgarstek колено стопа плечо бедро кисть 膝 肩 足 手",
}  # fmt: skip
_PARTS_OF: dict[str, set[str]] = {}
for _part, _words in _WORDS.items():
    for _word in _words.split():
        _PARTS_OF.setdefault(_word, set()).add(_part)

# Part -> concepts of SNOMED CT and the same in the letters of SRT (PS3.16 annex L, CID 4031).
_CODES = {
    "HEAD": "69536005 T-D1100 774007 T-D1000",
    "BRAIN": "12738006 T-A0100 113305005 T-A6000",
    "SKULL": "89546000 T-11100",
    "FACE": "89545001 T-D1200 2095001 T-22000 363654007 T-D14AE 661005 T-D1213 70925003 T-11170 "
    "91609006 T-11180 13881006 T-11166 T-11167 45206002 T-21000 81745001 T-AA000",
    "EAR": "117590005 T-AB000 T-AB001 361078006 T-AB959 60911003 T-11130",
    "NECK": "45048000 T-D1600 774007 T-D1000 4596009 T-24100 69748006 T-B6000 45289007 T-61100 "
    "69105007 T-45010 T-45100 417437006 R-FAB52 416152001 R-FAB53 416319003 R-FAB54",
    "VESSELS": "15825003 T-42000 113262008 T-42070 7832008 T-42500 69105007 T-45010 T-45100 "
    "11279006 T-45520 T-45530 41801008 T-43000 81040000 T-44000",
    "CHEST": "51185008 T-D3000 72410000 T-D3300 113197003 T-11300 56873002 T-11210 44567001 "
    "T-25000 417437006 R-FAB52 416152001 R-FAB53 416319003 R-FAB54 416550000 R-FAB55 416775004 "
    "R-FAB56",
    "LUNG": "39607008 T-28000 81040000 T-44000",
    "HEART": "80891009 T-32000 41801008 T-43000",
    "ABDOMEN": "818981001 113345001 T-D4000 818982008 416949008 R-FAB57 71854001 T-59300 "
    "69695003 T-57000 78961009 T-C3000 416152001 R-FAB53 416319003 R-FAB54 416550000 R-FAB55 "
    "416775004 R-FAB56",
    "LIVER": "10200004 T-62000 28231008 T-63000",
    "PANCREAS": "15776009 T-65000",
    "KIDNEY": "64033007 T-71000 23451007 T-B3000",
    "PELVIS": "816092008 12921003 T-D6000 818982008 416949008 R-FAB57 41216001 T-92000 89837001 "
    "T-74000 35039007 T-83000 34402009 T-59600 416319003 R-FAB54 416775004 R-FAB56",
    "SPINE": "421060004 T-D04FF 122494005 T-11501 122495006 T-11502 122496007 T-11503 54735007 "
    "T-11AD0 64688005 T-11BF0",
    "EXTREMITY": "66019005 T-D0300 61685007 T-D9000 53120007 T-D8000 72696002 T-D9200 70258002 "
    "T-15750 56459004 T-D9700 80144004 T-12770 29707007 T-D9800 30021000 T-D9400 68367000 "
    "T-D9100 71341001 T-12710 12611008 T-12740 87342007 T-12750 24136001 T-15710 29836001 "
    "T-D2500 16982005 T-D2220 79601000 T-12280 51299004 T-12310 85050009 T-12410 40983000 "
    "T-D8200 16953009 T-15430 14975008 T-D8500 74670003 T-15460 85562004 T-D8700 7569003 T-D8800",
}  # fmt: skip
PARTS = tuple(_WORDS)
_PARTS_OF_CODE: dict[str, set[str]] = {}
for _part, _codes in _CODES.items():
    for _code in _codes.split():
        _PARTS_OF_CODE.setdefault(_code, set()).add(_part)

# A code, its scheme, and its meaning in words.
Concept = Iterable[str]


def find_parts(body_part: str, concepts: Iterable[Concept] = ()) -> frozenset[str]:
    """Return the parts, of `PARTS`, that Body Part Examined and Anatomic Region Sequence name.

    A code that is not known is read by the words of its meaning.
    """
    found = _by_words(body_part)
    for concept in concepts:
        code, scheme, meaning = (*concept, "", "", "")[:3]
        known = _PARTS_OF_CODE.get(code.upper(), set()) if scheme.upper() in SCHEMES else set()
        found |= known or _by_words(meaning)
    return frozenset(found)


def _by_words(text: str) -> set[str]:
    key = search_key(text)
    words = {word for word in re.split(r"[\W_]+", key) if word}
    # "C SPINE" and "INTERNAL AUDITORY CANAL" are one word in annex L.
    joined = "".join(re.split(r"[\W_]+", key))
    return {
        part
        for word, parts in _PARTS_OF.items()
        if word in words or word == joined or (_is_compound(word) and word in joined)
        for part in parts
    }


def _is_compound(word: str) -> bool:
    return len(word) >= COMPOUND_LETTERS or word[0] > "\u2e7f"
