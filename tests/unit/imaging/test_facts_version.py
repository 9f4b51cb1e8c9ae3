"""Whoever changes what is read of a header is told that stored instances must be read again."""

from __future__ import annotations

import hashlib
import json

from imaging.facts import FACTS_VERSION, InstanceFacts
from tests.unit.imaging.real_files import bundled, read

# The version, and a digest of what it reads of these files: an alarm, not a truth.
READ_AS = (2, "0cd682d0127bf83f")
NAMES = (
    "CT_small.dcm", "MR_small_RLE.dcm", "examples_overlay.dcm", "image_dfl.dcm", "693_J2KI.dcm",
    "examples_palette.dcm", "liver_1frame.dcm", "rtplan.dcm",
)  # fmt: skip


def test_other_facts_have_another_version() -> None:
    digest = hashlib.sha256()
    for name in NAMES:
        header, frames = read(bundled(name))
        facts = InstanceFacts.from_header(header, frames)
        kept = [facts.image, facts.flags, facts.rows, facts.columns, facts.number_of_frames]
        digest.update(json.dumps(kept, sort_keys=True).encode())
    assert (FACTS_VERSION, digest.hexdigest()[:16]) == READ_AS, (
        "Headers are read otherwise than before: raise imaging.facts.FACTS_VERSION, once for each "
        "release, so that stored instances are read again; and write the new digest here."
    )
