"""The form under which names are searched: without case, accents, points and ways of writing."""

import re
import unicodedata

from imaging.text import clean_line

KEY_LENGTH = 1024

# Marks that people leave out: accents, Hebrew points, Arabic vowels, variation selectors.
# Thai and Indic vowel signs and the voicing of kana are letters and stay.
_MARKS = re.compile(
    "(?<![\u0438\u0443])\u0306"  # a breve, but not that of short i and u in Cyrillic
    "|[\u0300-\u0305\u0307-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"
    "\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed"
    "\u1ab0-\u1aff\u1dc0-\u1dff\u200c-\u200f\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f"
    "\U000e0100-\U000e01ef]"
)
# Letters that NFKD leaves whole although people write them otherwise.
_LETTERS = str.maketrans(
    {
        "ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ħ": "h",
        "\u0131": "i", "ŧ": "t", "ß": "ss",
        # Alef wasla, alef maksura, Persian yeh and kaf, teh marbuta.
        "\u0671": "\u0627", "\u0649": "\u064a", "\u06cc": "\u064a", "\u06a9": "\u0643",
        "\u0629": "\u0647",
        "\u2018": "'", "\u2019": "'", "\u02bc": "'", "\u02b9": "'", "`": "'", "\u05f3": "'",
        "\u05f4": '"', "\u05be": "-", "\u2010": "-", "\u2011": "-", "\u2013": "-", "\u2212": "-",
        "^": " ", "=": " ",
        # Hiragana to katakana.
        **{chr(code): chr(code + 0x60) for code in (*range(0x3041, 0x3097), 0x309D, 0x309E)},
    }
)  # fmt: skip
# How the same letters are written where the keyboard lacks them.
_SPELT_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})


def search_key(text: str) -> str:
    """Return the form under which `text` is searched: casefolded, no accents, single blanks.

    For person names all three groups are kept, with `^` and `=` as blanks.
    """
    spaced = clean_line(text.translate({94: " ", 61: " "}))
    if spaced.isascii():
        return spaced.lower().replace("`", "'")
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", spaced).casefold())
    bare = _MARKS.sub("", folded).translate(_LETTERS)
    # Korean and kana come apart in NFKD; put together what belongs together.
    return " ".join(unicodedata.normalize("NFC", bare).split())[:KEY_LENGTH]


def search_forms(word: str) -> tuple[str, ...]:
    """Return the keys under which a word that is asked for may be stored, none for nothing.

    `Müller` asks for `muller` and `mueller`.
    """
    return tuple(dict.fromkeys(key for key in (search_key(word), _spelt_out(word)) if key))


def name_key(person_name: str) -> str:
    """Return the key to store for a name: its `search_key`, then words spelt without umlauts."""
    key = search_key(person_name)
    if key.isascii() and person_name.isascii():
        return key
    words = dict.fromkeys(_spelt_out(person_name).split())
    others = [word for word in words if word not in key.split()]
    return " ".join([key, *others])[:KEY_LENGTH]


def _spelt_out(text: str) -> str:
    return search_key(unicodedata.normalize("NFC", text).lower().translate(_SPELT_OUT))
