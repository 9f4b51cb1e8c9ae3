"""The conformance statement says what is: the page is up to date, and the receiver keeps to it."""

from __future__ import annotations

import re
from pathlib import Path

from accounts.models import Facility
from dicom_receiver.models import Peer
from noctis import conformance
from noctis.management.commands.write_conformance import PLACE
from tests.conformance.dimse import EXPLICIT_LITTLE, IMPLICIT_LITTLE, context
from tests.conformance.inside import InsidePort

JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"
PRINTER = "1.2.840.10008.5.1.1.9"
STUDY_ONLY_FIND = "1.2.840.10008.5.1.4.1.2.3.1"
_UID = re.compile(r"`(1\.2\.840\.[0-9.]+)`")


def section(title: str) -> list[str]:
    """Return the UIDs that a section of the page names."""
    text = Path(PLACE).read_text()
    begin = text.index(f" {title}\n")
    found = text[begin:].split("\n## ")[0].split("\n### ")[0]
    return list(dict.fromkeys(_UID.findall(found)))


def test_statement_is_what_the_programs_use() -> None:
    assert PLACE.read_text() == conformance.render(), "run manage.py write_conformance"


def test_receiver_accepts_what_the_statement_says_and_nothing_else(inside: InsidePort) -> None:
    rights = {field.name: True for field in Peer._meta.fields if field.name.startswith("may_")}
    facility = Facility.objects.create(code="A", name="A")
    Peer.objects.create(ae_title="FRIEND", facility=facility, **rights)
    storage = section("Annex A: storage classes")
    services = section("3.2 Accepted presentation contexts")
    assert len(storage) > 150
    assert len(services) >= 11
    proposed = [
        *((uid, EXPLICIT_LITTLE, 0) for uid in storage),
        *((uid, JPEG_LOSSLESS, 0) for uid in storage[:5]),
        *((uid, EXPLICIT_LITTLE, 0) for uid in services),
        *((uid, IMPLICIT_LITTLE, 0) for uid in services),
        *((uid, JPEG_LOSSLESS, 4) for uid in services if uid != "1.2.840.10008.1.1"),
        (PRINTER, IMPLICIT_LITTLE, 3),
        (STUDY_ONLY_FIND, IMPLICIT_LITTLE, 3),
    ]
    for begin in range(0, len(proposed), 128):
        part = proposed[begin : begin + 128]
        with inside.client() as client:
            contexts = [context(2 * i + 1, uid, syntax) for i, (uid, syntax, _) in enumerate(part)]
            client.associate(*contexts, calling=b"FRIEND")
            said = [client.accepted[2 * number + 1][0] for number in range(len(part))]
            client.release()
        assert dict(zip(part, said, strict=True)) == {one: one[2] for one in part}
