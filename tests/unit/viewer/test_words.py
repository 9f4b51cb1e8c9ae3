"""The words of the viewer's code and of the catalogues are the same ones."""

from __future__ import annotations

import re
from pathlib import Path

from django.utils import translation

from viewer.words import WORDS, translate_words

SOURCES = Path(__file__).resolve().parents[3] / "frontend" / "src"
SPOKEN = re.compile(r'\bt\(\s*"([^"]+)"')
# Words that are kept in tables and spoken where they are shown.
REFUSED = re.compile(r'MeasureError\([^"()]*"([^"]+)"')
KEPT = (
    ("core/measure.ts", REFUSED),
    ("core/measure-plane.ts", REFUSED),
    ("core/measure-geometry.ts", re.compile(r', "([A-Z][^"]+\.)"')),
    ("core/finding-plane.ts", REFUSED),
    ("core/voi.ts", re.compile(r'label: "([^"]+)"')),
    ("ui/viewer-corners.ts", re.compile(r'^  \w+: "([^"]+)",$', re.MULTILINE)),
)


def test_every_word_that_the_viewer_speaks_can_be_translated_and_no_other():
    sources = [path.read_text() for path in SOURCES.rglob("*.ts")]
    spoken = {word for text in sources for word in SPOKEN.findall(text)}
    for name, pattern in KEPT:
        found = set(pattern.findall((SOURCES / name).read_text()))
        assert found, name
        spoken |= found
    assert set(WORDS) == spoken
    assert len(WORDS) == len(spoken)


def test_a_page_in_english_carries_no_table_of_words():
    with translation.override("en"):
        assert translate_words() == {}


def test_a_page_in_german_carries_the_german_words():
    with translation.override("de"):
        assert translate_words()["Close"] == "Schließen"
