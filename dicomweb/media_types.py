"""Which media type an answer has: what the client accepts, in its order (PS3.18 8.7.5)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dicomweb.statuses import NotAcceptable

JSON = "application/dicom+json"
XML = 'multipart/related; type="application/dicom+xml"'
_PART = re.compile(r'((?:[^,"]|"(?:[^"\\]|\\.)*")+)')
_PARAMETER = re.compile(r'\s*([\w-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)\s*')
_MOST_RANGES = 64


@dataclass(frozen=True)
class Range:
    """One media range: type in lower case, parameters, and how much it is liked."""

    kind: str
    parameters: dict[str, str]
    quality: float


def choose_for_search(accept: str) -> str:
    """Return JSON or XML for the answers of a search; without a wish it is JSON.

    Raises NotAcceptable when neither is accepted.
    """
    ranges = parse_accept(accept) or [Range("*/*", {}, 1.0)]
    for wish in sorted(ranges, key=lambda one: -one.quality):
        if wish.quality <= 0:
            continue
        if wish.kind in {"*/*", "application/*", "application/json", JSON}:
            return JSON
        inner = wish.parameters.get("type", "").lower()
        if wish.kind in {"multipart/related", "multipart/*"} and inner in {
            "application/dicom+xml", "",
        }:  # fmt: skip
            return XML
    raise NotAcceptable


def parse_accept(accept: str) -> list[Range]:
    """Return the media ranges of an Accept header, in their order."""
    found = []
    for part in _PART.findall(accept)[:_MOST_RANGES]:
        kind, *rest = _split(part)
        parameters = {}
        for piece in rest:
            match = _PARAMETER.fullmatch(piece)
            if match:
                parameters[match[1].lower()] = match[2].strip().strip('"')
        kind = kind.strip().lower()
        if kind:
            found.append(Range(kind, parameters, _quality(parameters.get("q", "1"))))
    return found


def _split(part: str) -> list[str]:
    """Split at semicolons outside of quotation marks."""
    return re.findall(r'(?:[^;"]|"(?:[^"\\]|\\.)*")+', part) or [""]


def _quality(text: str) -> float:
    return float(text) if re.fullmatch(r"[01](\.\d{0,3})?", text) else 0.0


# --- representations that may have many parts ------------------------------------------------
@dataclass(frozen=True)
class Wish:
    """One representation that a client takes: the type of a part, its transfer syntax, how packed.

    `syntax` is empty when none is said, `*` for any. `is_multipart` is None where the client
    leaves it open (`*/*`).
    """

    kind: str
    syntax: str = ""
    is_multipart: bool | None = None

    def takes(self, kind: str) -> bool:
        """Whether a part of this type is what is wished for."""
        return self.kind in {kind, "*/*", f"{kind.partition('/')[0]}/*"}


def parse_wishes(accept: str) -> list[Wish]:
    """Return what an Accept header wishes for, the dearest first; anything when it is empty.

    `type` and `transfer-syntax` are understood quoted and plain.
    """
    if not accept.strip():
        return [Wish("*/*")]
    ranges = [one for one in parse_accept(accept) if one.quality > 0]
    return [_wish(one) for one in sorted(ranges, key=lambda one: -one.quality)]


def _wish(accepted: Range) -> Wish:
    syntax = accepted.parameters.get("transfer-syntax", "").strip()
    if accepted.kind in {"multipart/related", "multipart/*"}:
        inner = parse_accept(accepted.parameters.get("type", ""))
        # Some put the transfer syntax into the quoted type.
        syntax = syntax or (inner[0].parameters.get("transfer-syntax", "") if inner else "")
        return Wish(inner[0].kind if inner else "*/*", syntax, is_multipart=True)
    if accepted.kind == "*/*":
        return Wish("*/*", syntax)
    return Wish(accepted.kind, syntax, is_multipart=False)
