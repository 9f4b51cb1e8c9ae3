"""The words of an XML document, without its markup: nothing of it is run, fetched or expanded."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from imaging.text import clean_line

_BREAKS = frozenset({"title", "paragraph", "item", "tr", "br", "text", "section", "caption", "p"})
_HIDDEN = frozenset({"script", "style"})
# HTMLParser stumbles over declarations in a document type.
_DOCTYPE = re.compile(r"<!DOCTYPE[^\[>]*(\[.*?\])?\s*>", re.DOTALL | re.IGNORECASE)
_CELLS = frozenset({"td", "th", "content"})


class _Words(HTMLParser):
    """Gathers text; entities of the document's own making stay as they are written."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a line or a cell."""
        self._hidden += tag in _HIDDEN
        self._space(tag)

    def handle_endtag(self, tag: str) -> None:
        """End it."""
        self._hidden -= tag in _HIDDEN
        self._space(tag)

    def handle_data(self, data: str) -> None:
        """Keep words."""
        if self._hidden <= 0:
            self.parts.append(" ".join(data.split("\n")))

    def _space(self, tag: str) -> None:
        name = tag.rpartition(":")[2]
        if name in _BREAKS:
            self.parts.append("\n")
        elif name in _CELLS:
            self.parts.append(" ")


def read_cda_text(content: bytes) -> str:
    """Return the words of a clinical document, line by line."""
    words = _Words()
    words.feed(_DOCTYPE.sub("", content.decode("utf-8", "replace"), count=1))
    words.close()
    lines = (clean_line(line) for line in "".join(words.parts).split("\n"))
    return "\n".join(line for line in lines if line)
