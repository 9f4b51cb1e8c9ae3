"""Key object selections (PS3.3 A.35.4): which images somebody chose, and why."""

from __future__ import annotations

from dataclasses import dataclass

from imaging.elements import ElementView
from imaging.sr_tree import Reference, read_report


@dataclass(frozen=True, slots=True)
class KeyObjects:
    """A selection: its title ("Of Interest"), words, who chose, and what was chosen."""

    title: str
    description: str
    observer: str
    references: tuple[Reference, ...]
    left_out: bool = False


def read_key_objects(header: ElementView) -> KeyObjects:
    """Return the selection that a header holds."""
    report = read_report(header)
    nodes = list(report.root.walk())
    words = [node.value for node in nodes if node.value_type == "TEXT" and node.value]
    names = [node.value for node in nodes if node.value_type == "PNAME" and node.value]
    kinds = ("IMAGE", "COMPOSITE", "WAVEFORM")
    chosen = [one for node in nodes if node.value_type in kinds for one in node.references]
    return KeyObjects(
        report.root.name,
        "\n".join(words),
        ", ".join(names),
        tuple(dict.fromkeys(chosen)),
        report.left_out,
    )
