"""How the line and the area of a mark look: on pictures, and in presentation states.

The lengths of dashes are those of the page (frontend/src/core/finding-style.ts).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SOLID, DASHED, DOTTED = "solid", "dashed", "dotted"
# What a mark's line is on the page when nobody says otherwise.
WIDTH_PX = 1.5
# Bits that are 1 are drawn (PS3.3 table C.10-5b): ten of sixteen, and every second.
_PATTERNS = {DASHED: 0x03FF03FF, DOTTED: 0x55555555}
_BITS = 32
# Runs of drawn bits that are no longer are dots.
_LONGEST_DOT_BITS = 2
_AREAS = frozenset({"rectangle", "ellipse", "circle", "polygon"})


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkStyle:
    """A style; what is empty or None is as everywhere. Widths in pixels, opacity from 0 to 1."""

    line: str = ""
    width_px: float | None = None
    font_px: float | None = None
    fill_opacity: float | None = None

    @classmethod
    def from_json(cls, style: Mapping[str, Any]) -> MarkStyle:
        """Return the style of a row."""
        return cls(
            line=style.get("line", ""),
            width_px=style.get("line_width"),
            font_px=style.get("font_size"),
            fill_opacity=style.get("fill_opacity"),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the style as rows have it."""
        known = {
            "line": self.line or None, "line_width": self.width_px, "font_size": self.font_px,
            "fill_opacity": self.fill_opacity,
        }  # fmt: skip
        return {name: value for name, value in known.items() if value is not None}

    @property
    def has_line(self) -> bool:
        """Whether the line differs from others."""
        return bool(self.line) or self.width_px is not None

    def fill_of(self, kind: str) -> float:
        """Return how opaque the area of a mark of this kind is; 0 is not at all."""
        return float(self.fill_opacity or 0.0) if kind in _AREAS else 0.0


PLAIN = MarkStyle()


def dashes_of(line: str, width: float) -> tuple[float, float] | None:
    """Return how long dashes and gaps are between the middles of their round ends."""
    return {DASHED: (6 * width, 4 * width), DOTTED: (0.0, 2.5 * width)}.get(line)


def pattern_of(line: str) -> int | None:
    """Return the Line Pattern (0070,0255) of a line, None for a solid one."""
    return _PATTERNS.get(line)


def line_of(dashing: str, pattern: int | None) -> str:
    """Return the line that is most like a Line Dashing Style and its pattern."""
    if dashing != "DASHED":
        return SOLID if dashing == "SOLID" else ""
    bits = f"{(pattern or 0) & 0xFFFFFFFF:0{_BITS}b}"
    if "0" not in bits:
        return SOLID
    # The pattern comes again and again: it has no end.
    runs = [len(run) for run in (bits + bits).split("0")]
    return DOTTED if 0 < max(runs) <= _LONGEST_DOT_BITS else DASHED
