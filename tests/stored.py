"""What the tests of commitment and of transfers share: real stored files, and a peer that listens."""

from __future__ import annotations

import io

from pydicom import Dataset
from pydicom.uid import generate_uid

from accounts.models import Facility
from archive.ingest import Source, ingest_file
from archive.models import Instance
from tests import factories


def store_files(
    facility: Facility | None, count: int = 1, *, sender: str = "CT1", **changes: str
) -> list[Instance]:
    """Store so many small CT images of one new series by the one way in."""
    uids = {f"{level}InstanceUID": generate_uid() for level in ("Study", "Series")}
    stored = []
    for number in range(count):
        dataset = factories.read_bundled(
            "CT_small.dcm",
            **{**uids, "PatientID": "P1", **changes, "SOPInstanceUID": generate_uid()},
        )
        dataset.InstanceNumber = number + 1
        source = Source(door="dimse", sender=sender, facility_id=facility.pk if facility else None)
        outcome = ingest_file(source, io.BytesIO(factories.as_part10(dataset)))
        assert outcome.instance_id is not None
        stored.append(Instance.objects.get(pk=outcome.instance_id))
    return stored


def reference(class_uid: str, uid: str) -> Dataset:
    """Return an item of a Referenced SOP Sequence."""
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = class_uid, uid
    return item
