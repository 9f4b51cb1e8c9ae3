"""Key images as a key object selection (PS3.3 A.35.4, TID 2010), by highdicom."""

from __future__ import annotations

from collections.abc import Sequence

from highdicom import ko, sr
from pydicom import Dataset

from imaging.drawn import ImageRef
from imaging.report_writer import MANUFACTURER, Writing

_OF_INTEREST = sr.CodedConcept("113000", "DCM", "Of Interest")


def write_key_objects(
    images: Sequence[ImageRef], note: str, evidence: Sequence[Dataset], writing: Writing
) -> Dataset:
    """Return a key object selection; `evidence` has the header of each image, in any order."""
    headers = {str(header.SOPInstanceUID): header for header in evidence}
    content = ko.KeyObjectSelection(
        document_title=_OF_INTEREST,
        referenced_objects=[headers[image.sop_instance_uid] for image in images],
        observer_person_context=sr.ObserverContext(
            observer_type=sr.CodedConcept("121006", "DCM", "Person"),
            observer_identifying_attributes=sr.PersonObserverIdentifyingAttributes(
                name=writing.author_name
            ),
        ),
        description=note or None,
    )
    items = [item for item in content[0].ContentSequence if item.ValueType == "IMAGE"]
    for item, image in zip(items, images, strict=True):
        if image.frame_numbers:
            item.ReferencedSOPSequence[0].ReferencedFrameNumber = image.frame_numbers
    return ko.KeyObjectSelectionDocument(
        evidence=list(evidence),
        content=content,
        series_instance_uid=writing.series_instance_uid,
        series_number=writing.series_number,
        sop_instance_uid=writing.sop_instance_uid,
        instance_number=writing.instance_number,
        manufacturer=MANUFACTURER,
        series_description="Key images",
        software_versions=writing.software_version,
    )
