"""Examples of the OpenAPI document: what an answer looks like, from the words of its schema.

Values stand in one table by the names of properties, so that the same thing looks the same
everywhere; what the table does not know is made from the type. Tests hold every example against
its schema.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

Document = dict[str, Any]

_KEY = "0193c9f1-b0c4-7d2a-a1b2-c3d4e5f60718"
_UID = "1.2.826.0.1.3680043.8.498."
_AT = "2025-11-06T14:41:07.123456Z"
_DEPTH = 12

VALUES: dict[str, Any] = {
    "accession_number": "A-4711",
    "actor": "rada",
    "ae_title": "CT1",
    "body_part": "CHEST",
    "body_part_examined": "CHEST",
    "body_parts": ["CHEST"],
    "detail": "Not found.",
    "code": "not_found",
    "colour": "#ffcc00",
    "columns": 512,
    "count": 1,
    "counts": {"stored": 311, "duplicate": 1},
    "dataset_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "facility": "north",
    "file_count": 312,
    "instance_count": 312,
    "instance_number": 1,
    "institution_name": "Hospital North",
    "issuer_of_patient_id": "NORTH",
    "manufacturer": "ACME",
    "modalities": ["CT"],
    "modality": "CT",
    "name": "disc.zip",
    "next": None,
    "number": 0,
    "number_of_frames": 1,
    "offset": 1048576,
    "patient_age": "055Y",
    "patient_birth_date": "1970-01-31",
    "patient_id": "12345",
    "patient_name": "DOE^JOHN",
    "patient_sex": "M",
    "previous": None,
    "referring_physician_name": "ROE^RICHARD",
    "rows": 512,
    "series_count": 3,
    "series_description": "AXIAL 5 MM",
    "series_instance_uid": f"{_UID}2",
    "series_number": 3,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "size_bytes": 525312,
    "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
    "sop_instance_uid": f"{_UID}3",
    "status": None,
    "study_date": "2025-11-06",
    "study_description": "CT CHEST",
    "study_instance_uid": f"{_UID}1",
    "study_time": "14:30:22",
    "transfer_syntax_uid": "1.2.840.10008.1.2.1",
    "username": "rada",
}
_FORMATS: dict[str, Any] = {
    "uuid": _KEY,
    "date": "2025-11-06",
    "date-time": _AT,
    "time": "14:30:22",
    "uri": "https://noctis.example/api/v1/",
    "uri-reference": "about:blank",
    "email": "rada@noctis.example",
    "binary": "",
    "byte": "",
    "decimal": "1.5",
}


def add_examples(document: Document) -> None:
    """Give every answer and body in JSON an example, where it has none of its own."""
    for operations in document["paths"].values():
        for operation in operations.values():
            _add_to_body(document, operation)
            for status, response in operation["responses"].items():
                for media_type, content in response.get("content", {}).items():
                    if "json" not in media_type or _has_one(content):
                        continue
                    if int(status) >= 400 and "problem" in media_type:
                        content["example"] = _problem(int(status), response["description"])
                    else:
                        content["example"] = build(document, content["schema"])


def _add_to_body(document: Document, operation: Document) -> None:
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        if "json" in media_type and not _has_one(content):
            content["example"] = build(document, content["schema"])


def _has_one(content: Document) -> bool:
    return "example" in content or "examples" in content


def _problem(status: int, words: str) -> Document:
    names = {401: "not_authenticated", 404: "not_found", 429: "throttled"}
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": words.split(";", maxsplit=1)[0].rstrip(".") + ".",
        "code": names.get(status, HTTPStatus(status).name.lower()),
    }


def build(document: Document, schema: Document, name: str = "", depth: int = 0) -> Any:
    """Return an example of a schema."""
    if "$ref" in schema:
        found = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return build(document, found, name, depth)
    for word in ("allOf", "oneOf", "anyOf"):
        if word in schema:
            return _build_combined(document, schema[word], name, depth, is_all=word == "allOf")
    if "example" in schema:
        return schema["example"]
    if "default" in schema:
        return schema["default"]
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    kinds = schema.get("type", "object")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    kind = next((one for one in kinds if one != "null"), "null")
    told = VALUES.get(name)
    if told is not None and _fits(told, kind, schema):
        return told
    if name in VALUES and "null" in kinds:
        return None
    return _build_kind(document, schema, kind, depth)


def _build_combined(
    document: Document, parts: list[Document], name: str, depth: int, *, is_all: bool
) -> Any:
    if not is_all:
        return build(document, next(p for p in parts if p != {"type": "null"}), name, depth)
    built = [build(document, part, name, depth) for part in parts]
    if all(isinstance(one, dict) for one in built):
        return {key: value for one in built for key, value in one.items()}
    return built[0]


def _fits(value: Any, kind: str, schema: Document) -> bool:
    kinds: dict[str, Any] = {
        "string": str, "integer": int, "number": (int, float), "array": list, "object": dict,
    }  # fmt: skip
    if kind == "string" and ("pattern" in schema or schema.get("format") in _FORMATS):
        return False
    if kind not in kinds or not isinstance(value, kinds[kind]):
        return False
    return kind not in ("integer", "number") or value == _bounded(schema, value)


def _build_kind(document: Document, schema: Document, kind: str, depth: int) -> Any:
    if kind == "object":
        properties = schema.get("properties", {}) if depth < _DEPTH else {}
        return {
            name: build(document, one, name, depth + 1)
            for name, one in properties.items()
            if not one.get("writeOnly")
        }
    if kind == "array":
        if depth >= _DEPTH:
            return []
        count = max(1, schema.get("minItems", 1))
        return [build(document, schema.get("items", {}), "", depth + 1)] * count
    if kind == "string":
        return _text(schema)
    if kind in ("integer", "number"):
        return _number(schema)
    return kind == "boolean" or None


def _text(schema: Document) -> str:
    if schema.get("format") in _FORMATS:
        return str(_FORMATS[schema["format"]])
    if "pattern" in schema:
        return _of_pattern(schema)
    text = "text"
    return text[: schema.get("maxLength", 4)].ljust(schema.get("minLength", 0), "x")


def _of_pattern(schema: Document) -> str:
    """Return the first of some texts that fits a field with a pattern."""
    texts = ("north", "0" * 64, "#ffcc00", "L", "P", "2.5", "1.2.3", "A1", "en", "1", "12:30:00")
    pattern, longest = schema["pattern"], schema.get("maxLength", 64)
    fitting = (one for one in texts if len(one) <= longest and re.search(pattern, one))
    return next(fitting, "")


def _number(schema: Document) -> Any:
    return _bounded(schema, 1)


def _bounded(schema: Document, value: Any) -> Any:
    """Return the number nearest to a value that the schema allows."""
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is not None and value <= low:
        value = low if "minimum" in schema else low + 1
    if high is not None and value > high:
        value = high
    return value
