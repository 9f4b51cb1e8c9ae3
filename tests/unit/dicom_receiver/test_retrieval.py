"""What a retrieval means and needs, read from the index with as few statements as may be."""

from __future__ import annotations

import pytest
from pydicom import Dataset
from pytest_django import DjangoAssertNumQueries

from accounts.models import Facility
from archive.query.hierarchy import Root
from dicom_receiver.retrieval import StudyShare, find_meant, read_wanted
from tests import factories

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
EXPLICIT, JPEG_LS = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.80"


def _add_study(facility: Facility, uid: str, count: int) -> list[str]:
    """Store two series of so many CTs each, the second one with an MR; return their UIDs."""
    study = factories.make_study(facility, study_instance_uid=uid, entry=False)
    uids = []
    for number in (1, 2):
        series = factories.make_series(study, series_number=number)
        uids += [factories.make_instance(series).sop_instance_uid for _ in range(count)]
    mr = factories.make_instance(series, sop_class_uid=MR, transfer_syntax_uid=JPEG_LS)
    return [*uids, mr.sop_instance_uid]


@pytest.mark.django_db
def test_many_instances_are_read_with_as_few_statements_as_few(
    north: Facility, south: Facility, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    stored = {uid: _add_study(north, uid, count) for uid, count in (("1.2.1", 1), ("1.2.2", 20))}
    _add_study(south, "1.2.3", 1)

    for uids in (["1.2.1"], ["1.2.2", "1.2.1", "1.2.3"]):
        identifier = Dataset()
        identifier.QueryRetrieveLevel, identifier.StudyInstanceUID = "STUDY", uids
        wanted = read_wanted(identifier, Root.STUDY, is_relational=False)
        with django_assert_num_queries(4):
            meant = find_meant(wanted, north.pk)
            items = [item for item in meant.items() if item is not None]
            shares = meant.shares()

        assert [item.sop_instance_uid for item in items] == [
            uid for study in sorted(set(uids) & set(stored)) for uid in stored[study]
        ]
        assert meant.kinds == {(CT, EXPLICIT), (MR, JPEG_LS)} == {item.kind for item in items}
        assert {share.study_instance_uid: share.instance_count for share in shares} == {
            uid: len(stored[uid]) for uid in uids if uid in stored
        }
        assert all(isinstance(share, StudyShare) and share.patient_id for share in shares)
