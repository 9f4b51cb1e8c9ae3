"""Bodies as clients send them, built by hand: RFC 2387 and PS3.18 8.6.1.2."""

from __future__ import annotations

import json
from typing import Any

from django.test import Client
from pydicom import Dataset, dcmwrite
from pydicom.filebase import DicomBytesIO
from pydicom.uid import ExplicitVRLittleEndian

BOUNDARY = "a1b2"
JSON = "application/dicom+json"
STUDY = "1.2.826.0.1.5"


def part(content: bytes, kind: str = "application/dicom", location: str = "") -> bytes:
    """Return one part."""
    where = f"Content-Location: {location}\r\n" if location else ""
    head = f"--{BOUNDARY}\r\nContent-Type: {kind}\r\n{where}\r\n"
    return head.encode() + content + b"\r\n"


def body(*parts: bytes) -> bytes:
    """Return a whole body of parts."""
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def store(
    client: Client,
    content: bytes,
    *,
    path: str = "studies",
    kind: str = "application/dicom",
    accept: str = JSON,
    content_type: str = "",
    **query: str,
) -> Any:
    """Post a body of parts."""
    chosen = content_type or f'multipart/related; type="{kind}"; boundary={BOUNDARY}'
    return client.post(
        f"/dicomweb/{path}",
        content,
        content_type=chosen,
        headers={"accept": accept},
        query_params=query,
    )


def file(number: int = 1, *, study: str = STUDY, **also: Any) -> bytes:
    """Return a small Part 10 file of a study."""
    dataset = Dataset()
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    dataset.SOPInstanceUID = f"{study}.1.{number}"
    dataset.StudyInstanceUID = study
    dataset.SeriesInstanceUID = f"{study}.1"
    dataset.PatientID = "P1"
    dataset.PatientName = "Doe^Jane"
    dataset.Modality = "OT"
    for keyword, value in also.items():
        setattr(dataset, keyword, value)
    buffer = DicomBytesIO()
    dataset.ensure_file_meta()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def metadata(number: int = 1, /, **also: tuple[str, Any]) -> dict[str, Any]:
    """Return an object of the JSON model; others by tag: VR and value, or a BulkDataURI."""
    found: dict[str, Any] = {
        "00080018": {"vr": "UI", "Value": [f"{STUDY}.1.{number}"]},
        "0020000D": {"vr": "UI", "Value": [STUDY]},
        "0020000E": {"vr": "UI", "Value": [f"{STUDY}.1"]},
        "00100020": {"vr": "LO", "Value": ["P1"]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Müller^Jörg"}]},
    }
    for tag, (vr, value) in also.items():
        if isinstance(value, str) and value.startswith("bulk/"):
            found[tag[1:]] = {"vr": vr, "BulkDataURI": value}
        else:
            found[tag[1:]] = {"vr": vr, "Value": value}
    return found


def json_part(*documents: dict[str, Any]) -> bytes:
    """Return the part of metadata."""
    return part(json.dumps(list(documents)).encode(), JSON)


def module(response: Any) -> dict[str, list[dict[str, Any]]]:
    """Return what the Store Instances Response Module says, by plain names."""
    found = response.json()
    names = {"00081198": "failed", "00081199": "stored", "0008119A": "others"}
    keys = {
        "00081150": "class", "00081155": "uid", "00081190": "url", "00081196": "warning",
        "00081197": "reason",
    }  # fmt: skip

    def flat(item: dict[str, Any]) -> dict[str, Any]:
        return {keys[tag]: (content.get("Value") or [""])[0] for tag, content in item.items()}

    return {
        name: [flat(item) for item in found.get(tag, {}).get("Value", [])]
        for tag, name in names.items()
    }
