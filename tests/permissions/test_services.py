"""The permission table of the DICOM port: every service, every kind of caller, both policies."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydicom.uid import ImplicitVRLittleEndian
from pynetdicom import sop_class
from pytest_django import Settings

from accounts.models import Facility
from dicom_receiver.associate import Proposal
from dicom_receiver.contexts import Service, Wishes, negotiate
from dicom_receiver.database import DatabaseThread
from dicom_receiver.models import Peer
from dicom_receiver.pdu import RejectedError
from dicom_receiver.peers import PeerDirectory
from tests import factories

HOME = "192.0.2.10"
ELSEWHERE = "198.51.100.7"

# PS3.8 table 9-18: how a presentation context is answered.
ACCEPTED, NOT_FOR_YOU, NOT_HERE = 0, 1, 3

SERVICES = {
    "echo": sop_class.Verification,  # type: ignore[attr-defined]
    "store": sop_class.CTImageStorage,  # type: ignore[attr-defined]
    "find": sop_class.StudyRootQueryRetrieveInformationModelFind,  # type: ignore[attr-defined]
    "move": sop_class.StudyRootQueryRetrieveInformationModelMove,  # type: ignore[attr-defined]
    "get": sop_class.StudyRootQueryRetrieveInformationModelGet,  # type: ignore[attr-defined]
    "mwl": sop_class.ModalityWorklistInformationFind,  # type: ignore[attr-defined]
    "mpps": sop_class.ModalityPerformedProcedureStep,  # type: ignore[attr-defined]
    "commit": sop_class.StorageCommitmentPushModel,  # type: ignore[attr-defined]
}
# What this version does not offer is not offered to anybody. A promise to keep what we sent is
# a role in storage commitment, not a class of its own.
OFFERED = {service.value for service in Service} - {"promise"}

REJECTED = "rejected"
QUARANTINE = "quarantine"

EVERYTHING = {"echo", "store", "find", "move", "get", "mwl", "mpps", "commit"}

# caller, address: where what it sends belongs, and what it may ask, by policy for strangers
CALLERS = [
    ("NORTH1", HOME, "quarantine", "north", EVERYTHING),
    ("NORTH1", HOME, "reject", "north", EVERYTHING),
    ("NORTH1", ELSEWHERE, "reject", "north", EVERYTHING),
    ("SOUTH1", HOME, "reject", "south", EVERYTHING),
    ("MUTE", HOME, "quarantine", "north", {"echo"}),
    ("CHECKED", HOME, "reject", "north", {"echo", "store"}),
    ("CHECKED", ELSEWHERE, "reject", REJECTED, set()),
    ("CHECKED", ELSEWHERE, "quarantine", QUARANTINE, {"echo", "store"}),
    ("RETIRED", HOME, "quarantine", REJECTED, set()),
    ("RETIRED", HOME, "reject", REJECTED, set()),
    ("CLOSED", HOME, "quarantine", REJECTED, set()),
    ("CLOSED", HOME, "reject", REJECTED, set()),
    ("STRANGER", HOME, "quarantine", QUARANTINE, {"echo", "store"}),
    ("STRANGER", HOME, "reject", REJECTED, set()),
]


@pytest.fixture
def directory(transactional_db: None) -> Iterator[PeerDirectory]:
    north, south = factories.make_facility("north"), factories.make_facility("south")
    closed = factories.make_facility("closed", is_active=False)
    # May do everything that there is a right for.
    every = {
        f"may_{name}": True for name in ("store", "find", "move", "get", "mwl", "mpps", "commit")
    }
    Peer.objects.create(ae_title="NORTH1", facility=north, host=HOME, **every)
    Peer.objects.create(ae_title="SOUTH1", facility=south, **every)
    Peer.objects.create(ae_title="MUTE", facility=north, may_store=False)
    Peer.objects.create(ae_title="CHECKED", facility=north, host=HOME, check_address=True)
    Peer.objects.create(ae_title="RETIRED", facility=north, is_active=False)
    Peer.objects.create(ae_title="CLOSED", facility=closed)
    database = DatabaseThread()
    database.start()
    yield PeerDirectory(database)
    database.submit(_hang_up).result(10)


def _hang_up() -> None:
    from django.db import connection

    connection.close()


@pytest.mark.parametrize(("title", "address", "policy", "place", "may"), CALLERS)
def test_caller_gets_what_the_table_says(
    directory: PeerDirectory,
    settings: Settings,
    title: str,
    address: str,
    policy: str,
    place: str,
    may: set[str],
) -> None:
    settings.NOCTIS_UNKNOWN_AE = policy
    if place == REJECTED:
        with pytest.raises(RejectedError):
            directory.admit(title, address)
        return
    caller = directory.admit(title, address)
    facility = Facility.objects.filter(pk__in=filter(None, [caller.facility_id])).first()
    assert (facility.code if facility else QUARANTINE) == place

    for number, (name, uid) in enumerate(SERVICES.items()):
        proposal = Proposal(2 * number + 1, str(uid), (str(ImplicitVRLittleEndian),))
        agreed = negotiate([proposal], Wishes(), caller.allowed, accept_private=False)
        wanted = ACCEPTED if name in may else NOT_FOR_YOU if name in OFFERED else NOT_HERE
        assert (name, agreed.answers[0].result) == (name, wanted)


def test_every_service_is_in_the_table() -> None:
    assert set(SERVICES) >= OFFERED
