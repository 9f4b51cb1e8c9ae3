"""The conformance statement, written from what the programs use (PS3.2).

Tables come from the registries: accepted contexts, handlers, keys of queries,
statuses, character sets, limits, addresses of DICOMweb. `docs/conformance.md`
is what `render` returns; a test holds the two equal, and another holds the
receiver to it.
"""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.urls import URLResolver, get_resolver
from django.utils import translation
from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import keyword_for_tag
from pydicom.uid import UID

from archive.query import attributes
from dicom_receiver import contexts, limits, statuses
from dicom_receiver.associate import Proposal
from dicom_receiver.causes import Cause
from dicom_receiver.contexts import Service
from dicom_receiver.doctor import words
from dicom_receiver.handlers import HANDLERS
from dicomweb import rendered_types
from imaging import charset_terms
from imaging.pixels import SHOWN_SYNTAXES
from imaging.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from worklist import worklist_attributes

NAMES = {
    Service.ECHO: "Verification",
    Service.STORE: "Storage",
    Service.FIND: "Query/Retrieve, query",
    Service.MOVE: "Query/Retrieve, C-MOVE",
    Service.GET: "Query/Retrieve, C-GET",
    Service.MWL: "Modality Worklist",
    Service.MPPS: "Modality Performed Procedure Step",
    Service.COMMIT: "Storage Commitment",
}
TEMPLATE = Path(__file__).with_name("conformance_statement.md")


def render() -> str:
    """Return the whole statement."""
    with translation.override("en"):
        tables = {
            "services": _services(),
            "contexts": _offered(),
            "handled": _handled(),
            "statuses": _statuses(),
            "rejections": _rejections(),
            "keys": _keys(),
            "worklist_keys": _worklist_keys(),
            "character_sets": _character_sets(),
            "limits": _limits(),
            "dicomweb": _dicomweb(),
            "rendered": _rendered(),
            "shown": _uids(SHOWN_SYNTAXES),
            "storage_classes": _uids(contexts.STORAGE_CLASSES),
        }
    text = TEMPLATE.read_text()
    for name, table in tables.items():
        text = text.replace(f"{{{name}}}", table)
    facts = {
        "version": settings.NOCTIS_VERSION,
        "implementation_class_uid": IMPLEMENTATION_CLASS_UID,
        "implementation_version_name": IMPLEMENTATION_VERSION_NAME,
        "classes": str(len(contexts.STORAGE_CLASSES)),
    }
    for name, fact in facts.items():
        text = text.replace(f"{{{name}}}", fact)
    return text


def _table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """Return a table in Markdown."""
    lines = [list(head), *[[str(cell) for cell in row] for row in rows]]
    text = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([text[0], "|" + "---|" * len(lines[0]), *text[1:]])


def _name(uid: str) -> str:
    return str(UID(uid).name)


def _uids(uids: Iterable[str]) -> str:
    rows = sorted((_name(uid), uid) for uid in uids)
    return _table(["name", "UID"], [(name, f"`{uid}`") for name, uid in rows])


# --- services --------------------------------------------------------------------
def _services() -> str:
    """Return which services there are, in which role."""
    # As SCU: what the rest of the house asks of peers.
    asked = {Service.ECHO, Service.STORE, Service.FIND, Service.MOVE, Service.GET, Service.COMMIT}
    handled = {service for service, _ in HANDLERS}
    rows = [
        (name, "yes" if service in handled else "no", "yes" if service in asked else "no")
        for service, name in NAMES.items()
    ]
    return _table(["service", "as SCP", "as SCU"], rows)


def _offered() -> str:
    """Return the accepted classes beside storage, with their transfer syntaxes."""
    ours = ", ".join(_name(uid) for uid in contexts.IDENTIFIER_SYNTAXES)
    rows = [
        (
            _name(uid),
            f"`{uid}`",
            NAMES[service],
            "any" if service is Service.ECHO else ours,
            _extended(service),
        )
        for uid, service in contexts.SERVICES.items()
    ]
    head = ["SOP class", "UID", "service", "transfer syntaxes", "extended negotiation"]
    return _table(head, rows)


_EXTENSIONS = {
    Service.FIND: [
        "relational queries",
        "combined date and time",
        "fuzzy names",
        "time zone",
        "enhanced multi-frame conversion",
        "empty value",
        "multiple values",
    ],
    Service.MOVE: ["relational retrieval", "enhanced multi-frame conversion"],
}
_EXTENSIONS[Service.MWL] = _EXTENSIONS[Service.FIND]
_EXTENSIONS[Service.GET] = _EXTENSIONS[Service.MOVE]


def _extended(service: Service) -> str:
    """Ask the negotiation itself what it grants when everything is wished."""
    uid = next(uid for uid, found in contexts.SERVICES.items() if found is service)
    proposal = Proposal(1, uid, contexts.IDENTIFIER_SYNTAXES)
    wishes = contexts.Wishes(extended={uid: b"\1" * 16})
    agreed = contexts.negotiate([proposal], wishes, frozenset(Service), accept_private=True)
    granted = agreed.extended.get(uid, b"")
    names = [name for name, bit in zip(_EXTENSIONS.get(service, []), granted, strict=False) if bit]
    return ", ".join(names) or "none"


def _handled() -> str:
    rows = [
        (NAMES[service], words.command_name(field))
        for service, field in sorted(HANDLERS, key=lambda one: (list(NAMES).index(one[0]), one[1]))
    ]
    return _table(["service", "message"], rows)


# --- statuses ----------------------------------------------------------------------
def _statuses() -> str:
    """Return which statuses each message may be answered with, as its handler names them."""
    found: dict[tuple[Service, int], int] = {}
    for (service, field), handler in HANDLERS.items():
        for status in _statuses_of(handler):
            found[service, status] = field
    order = list(NAMES)
    rows = [
        (
            NAMES[service],
            f"{status:04X}",
            words.status_words(found[service, status], status).meaning,
        )
        for service, status in sorted(found, key=lambda one: (order.index(one[0]), one[1]))
    ]
    return _table(["service", "status", "meaning, as the doctor's page tells it"], rows)


def _statuses_of(handler: Any) -> frozenset[int]:
    module = inspect.getmodule(inspect.unwrap(handler))
    assert module is not None
    # The association itself answers what a handler forgot, or nobody handles.
    own = {statuses.PROCESSING_FAILURE_OF_ANY, statuses.NOT_AUTHORIZED}
    return _statuses_in(module.__name__) | own


@functools.cache
def _statuses_in(module_name: str) -> frozenset[int]:
    """Return the statuses that a module of handlers names, with those of the modules it uses."""
    path = Path(settings.BASE_DIR).joinpath(*module_name.split(".")).with_suffix(".py")
    found: set[int] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "statuses":
            value = getattr(statuses, node.attr)
            if isinstance(value, int):
                found.add(value)
            elif node.attr == "status_of":
                found |= {*statuses.STATUSES.values(), statuses.PROCESSING_FAILURE}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(_HANDLERS):
            found |= _statuses_in(str(node.module))
    return frozenset(found)


_HANDLERS = "dicom_receiver.handlers."


def _rejections() -> str:
    """Return why associations are rejected, as the modules of the port write it."""
    found: set[tuple[tuple[int, ...], str]] = set()
    for name in ("association", "peers", "front_door", "pdu"):
        tree = ast.parse((Path(limits.__file__).parent / f"{name}.py").read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                found |= set(_rejections_of(node))
            elif isinstance(node, ast.Return) and name == "peers" and node.value is not None:
                # Why somebody is a stranger, and so perhaps not admitted.
                found |= {((1, 1, 3), words) for words in _causes_in(node.value)}
    rows = [(f"{'/'.join(map(str, code))}", words) for code, words in sorted(found)]
    return _table(["result/source/reason", "when"], rows)


def _rejections_of(node: ast.Call) -> Iterator[tuple[tuple[int, ...], str]]:
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    prefix = {"calling_ae_unknown": (1, 1, 3), "temporary_congestion": (2, 3, 1)}.get(name)
    if name == "RejectedError" and len(node.args) == 4:
        codes = [part.value for part in node.args[:3] if isinstance(part, ast.Constant)]
        prefix = tuple(int(str(code)) for code in codes)  # type: ignore[assignment]
    if prefix is None or len(prefix) != 3:
        return
    yield from ((prefix, words) for words in _causes_in(node.args[-1]))


def _causes_in(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and getattr(part.value, "id", "") == "Cause":
            yield Cause[part.attr].value


# --- keys ------------------------------------------------------------------------------
def _keys() -> str:
    """Return the keys of queries that are columns or counts; those read from files are many."""
    rows = []
    for level in attributes.Level:
        above = attributes.COLUMNS[attributes.Level(level - 1)] if level else {}
        tags = [tag for tag in attributes.COLUMNS[level] if tag not in above]
        names = sorted(keyword_for_tag(tag) for tag in tags)
        unique = keyword_for_tag(attributes.UNIQUE_KEYS[level])
        rows.append((level.name, unique, ", ".join(name for name in names if name != unique)))
    counts = ", ".join(keyword_for_tag(tag) for tag in attributes.PATIENT_COUNTS)
    rows.append(("counted", "", f"{counts}, {keyword_for_tag(attributes.SOP_CLASSES_IN_STUDY)}"))
    return _table(["level", "unique key", "further keys, matched and returned"], rows)


def _worklist_keys() -> str:
    rows = [
        (where, ", ".join(sorted(_known(is_step=is_step))))
        for where, is_step in (("Scheduled Procedure Step Sequence", True), ("beside it", False))
    ]
    return _table(["where", "keys"], rows)


def _known(*, is_step: bool) -> Iterator[str]:
    for tag, (_, _, _, _, keyword) in DicomDictionary.items():
        if keyword and worklist_attributes.is_known(tag, is_step=is_step):
            yield keyword


def _character_sets() -> str:
    return ", ".join(f"`{term}`" for term in sorted(charset_terms.right_terms()) if term)


# --- limits ------------------------------------------------------------------------------
def _limits() -> str:
    rows = [
        ("associations at a time", settings.NOCTIS_MAX_ASSOCIATIONS),
        ("of one address", limits.associations_per_address()),
        ("PDU that we take, bytes", limits.max_pdu_bytes()),
        ("shortest PDU of a peer that we can answer in, bytes", limits.SMALLEST_PEER_PDU_BYTES),
        ("association request, bytes", limits.REQUEST_BYTES),
        ("time for it, s", limits.REQUEST_SECONDS),
        ("presentation contexts", limits.PRESENTATION_CONTEXTS),
        ("command set, bytes", limits.COMMAND_BYTES),
        ("idle association, s", limits.IDLE_SECONDS),
        ("one PDU, s", limits.PDU_SECONDS),
        ("TLS handshakes at a time", limits.HANDSHAKES),
    ]
    return _table(["limit", "default"], rows)


# --- DICOMweb -------------------------------------------------------------------------------
def _dicomweb() -> str:
    rows = [
        (f"`/{entry.pattern}{below}`",)
        for entry in get_resolver().url_patterns
        if isinstance(entry, URLResolver) and entry.app_name == "dicomweb"
        for below in _below(entry)
    ]
    return _table(["resource"], sorted(rows)) if rows else "None yet."


def _rendered() -> str:
    rows = [
        (what, ", ".join(f"`{one}`" for one in types))
        for what, types in rendered_types.OFFERED.items()
    ]
    return _table(["what is stored", "rendered as, the default first"], rows)


def _below(resolver: URLResolver) -> Iterator[str]:
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            yield from (f"{entry.pattern}{below}" for below in _below(entry))
        else:
            yield str(entry.pattern)
