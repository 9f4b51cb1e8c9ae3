"""Pages hold under a strict Content-Security-Policy, and fetch nothing from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.architecture.sources import find_files, read

FORBIDDEN = {
    "inline script": re.compile(
        r"<script(?![^>]*\b(?:src=|type=[\"']application/json[\"']))[^>]*>", re.IGNORECASE
    ),
    "inline style": re.compile(r"<style\b|\sstyle\s*=", re.IGNORECASE),
    "event handler": re.compile(r"\son[a-z]{3,}\s*=\s*[\"'{]", re.IGNORECASE),
    "script address": re.compile(r"javascript:", re.IGNORECASE),
    "foreign origin": re.compile(
        r"<(?:script|link|img|iframe|source|video|audio|form)\b[^>]*"
        r"(?:src|href|action)\s*=\s*[\"']?\s*(?:https?:)?//",
        re.IGNORECASE,
    ),
    "unescaped text": re.compile(r"\|\s*safe\b|\{%\s*autoescape\s+off"),
}


def find_faults(path: Path, text: str) -> list[str]:
    """Return what of the template the policy would block, or what it should not do."""
    return [
        f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {name}: {match.group(0)[:80]}"
        for name, pattern in FORBIDDEN.items()
        for match in pattern.finditer(text)
    ]


def test_templates_have_nothing_inline_and_nothing_foreign() -> None:
    templates = find_files(".html")

    assert templates
    assert [fault for path in templates for fault in find_faults(path, read(path))] == []


@pytest.mark.parametrize(
    "text",
    [
        "<script>go()</script>",
        "<style>a{}</style>",
        '<p style="color: red">',
        '<a onclick="go()">',
        '<a href="javascript:go()">',
        '<script src="https://cdn.example/x.js"></script>',
        '<link rel="stylesheet" href="//cdn.example/x.css">',
        "{{ patient.name|safe }}",
    ],
)
def test_template_check_can_fail(text: str) -> None:
    assert find_faults(Path("x.html"), text)


def test_data_and_own_scripts_are_let_through() -> None:
    text = (
        '<script type="application/json" id="noctis-viewer">{}</script>'
        '<script type="module" src="/static/x.js"></script><a href="https://dicom.nema.org/">'
    )

    assert find_faults(Path("x.html"), text) == []
