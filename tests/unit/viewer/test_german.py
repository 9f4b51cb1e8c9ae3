"""The German of viewer, worklist and administration is whole: every word, none doubtful, and compiled as written."""

from __future__ import annotations

import ast
import gettext
import re
from pathlib import Path

from django.utils import translation

from dicom_receiver.models import Peer
from imaging.presets import CT_PRESETS, RELATIVE_PRESETS, SUV_PRESETS
from imaging.rendering import CT_RENDERINGS, RELATIVE_RENDERINGS
from reconstruction.told import say_reason
from viewer.words import WORDS

ROOT = Path(__file__).resolve().parents[3]
CATALOGUE = ROOT / "locale" / "de" / "LC_MESSAGES"
PAGES = [
    *(ROOT / "templates" / "viewer").glob("*.html"),
    *(ROOT / "templates" / "worklist").glob("*.html"),
    *(ROOT / "templates" / "accounts").glob("*.html"),
    *(ROOT / "templates" / "registration").glob("log*.html"),
    *(ROOT / "templates" / "doctor").glob("*.html"),
    ROOT / "templates" / "partials" / "topbar.html",
    ROOT / "templates" / "base.html",
]
_SAID = re.compile(r"""\{% translate (["'])(.+?)\1|_\((["'])([^"']+?)\3\)""")
_STRING = re.compile(r'^(msgid|msgid_plural|msgstr(?:\[\d\])?) "(.*)"$')
_PLACES = re.compile(r"\{\w+\}|%\(\w+\)s|%[1-9s]")


def read_po() -> dict[str, list[str]]:
    """Return the messages of the catalogue with their German; each string stands on one line."""
    text = (CATALOGUE / "django.po").read_text(encoding="utf-8")
    assert "fuzzy" not in text
    assert "#~" not in text
    found: dict[str, list[str]] = {}
    for block in text.split("\n\n")[1:]:
        lines = [line for line in block.splitlines() if line and not line.startswith("#")]
        parts = [_STRING.match(line) for line in lines]
        assert all(parts), block
        said = [part[2].replace('\\"', '"') for part in parts if part and "str" in part[1]]
        if parts and parts[0]:
            key = parts[0][2].replace('\\"', '"')
            assert key not in found, key
            found[key] = said
    return found


def test_every_word_of_viewer_and_worklist_has_its_german() -> None:
    known = read_po()
    said = {two or four for page in PAGES for _q, two, _r, four in _SAID.findall(page.read_text())}
    assert len(said) > 100
    with translation.override("de"):
        missing = [
            word
            for word in sorted(said | set(WORDS))
            if word not in known and translation.gettext(word) == word
        ]
    assert missing == []


def test_no_german_is_empty_or_loses_a_number_and_what_runs_is_what_is_written() -> None:
    with (CATALOGUE / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    for word, german in read_po().items():
        assert all(german), word
        for one in german:
            assert sorted(_PLACES.findall(one)) == sorted(_PLACES.findall(word)), word
        told = compiled.gettext(word) if len(german) == 1 else compiled.ngettext(word, "", 1)
        assert told == german[0], word


def test_presets_and_the_reasons_of_jobs_are_german_too() -> None:
    known = read_po()
    labels = {
        one.label
        for one in (
            *CT_PRESETS,
            *RELATIVE_PRESETS,
            *SUV_PRESETS,
            *CT_RENDERINGS,
            *RELATIVE_RENDERINGS,
        )
    }
    assert len(labels) > 25
    assert sorted(labels - set(known)) == []
    with translation.override("de"):
        assert say_reason("The disk is full. 3 of 12 images are stored.") == (
            "Die Platte ist voll. 3 von 12 Bildern sind gespeichert."
        )
        assert say_reason("spacing_mm: these would be 900 planes; 500 are allowed.") == (
            "spacing_mm: Das wären 900 Ebenen; 500 sind erlaubt."
        )
        assert say_reason("What nobody knows. The disk is full.") == (
            "What nobody knows. Die Platte ist voll."
        )
        assert say_reason("") == ""
    assert say_reason("The disk is full.") == "The disk is full."


# --- the pages of administrators: peers, rules, transfers, commitments, orders ----------------
ADMIN_PAGES = [
    *(ROOT / "templates" / "admin").rglob("*.html"),
    *(ROOT / "templates" / "peers").glob("*.html"),
    *(ROOT / "templates" / "transfers").glob("*.html"),
]
ADMIN_CODE = [
    *(ROOT / "dicom_receiver").rglob("*.py"),
    *(ROOT / "worklist").glob("order_*.py"),
    ROOT / "accounts" / "admin_pages.py",
    *(ROOT / "accounts").glob("token_*.py"),
    ROOT / "viewer" / "invoke.py",
    ROOT / "noctis" / "admin.py",
]
_GETTEXT = {"_", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy"}


def said_in(path: Path) -> set[str]:
    """Return the texts that a module hands to gettext."""
    calls = (one for one in ast.walk(ast.parse(path.read_text())) if isinstance(one, ast.Call))
    return {
        one.args[0].value
        for one in calls
        if getattr(one.func, "id", getattr(one.func, "attr", "")) in _GETTEXT
        and one.args
        and isinstance(one.args[0], ast.Constant)
        and isinstance(one.args[0].value, str)
    }


def test_the_pages_of_administrators_are_german_too() -> None:
    known = read_po()
    said = {
        two or four for at in ADMIN_PAGES for _q, two, _r, four in _SAID.findall(at.read_text())
    }
    said |= {text for path in ADMIN_CODE for text in said_in(path)}
    assert len(said) > 400
    with translation.override("de"):
        missing = [
            text
            for text in sorted(said)
            if text and text not in known and translation.gettext(text) == text
        ]
        assert str(Peer._meta.verbose_name_plural) == "Gegenstellen"
    assert missing == []
