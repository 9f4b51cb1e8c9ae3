"""How each program on a desk is asked to open a study: by the address that it answers to.

Weasis and 3D Slicer read over DICOMweb with the ticket as their bearer token; OsiriX and Horos
fetch one ZIP from an address that holds the ticket. RadiAnt asks over the DICOM port, where it
has to be known as a peer: it gets no ticket.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, quote_plus, urlencode


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the study is: its UID, our DICOMweb, our AE title, its ZIP, and the ticket."""

    study_instance_uid: str
    dicomweb: str
    ae_title: str
    zip_address: str
    ticket: str


def link_weasis(place: Place) -> str:
    """Weasis 3.6 and later: a command, encoded as a form's value."""
    command = (
        f'$dicom:rs --url "{place.dicomweb}" '
        f'-r "requestType=STUDY&studyUID={place.study_instance_uid}" '
        f'-H "Authorization: Bearer {place.ticket}"'
    )
    return f"weasis://{quote_plus(command)}"


def link_slicer(place: Place) -> str:
    """3D Slicer 4.11 and later."""
    asked = {
        "studyUID": place.study_instance_uid,
        "access_token": place.ticket,
        "dicomweb_endpoint": place.dicomweb,
    }
    return f"slicer://viewer/?{urlencode(asked, quote_via=quote)}"


def link_radiant(place: Place) -> str:
    """RadiAnt: the arguments of its command line, name and value by turns."""
    asked = [
        ("n", "paet"),
        ("v", place.ae_title),
        ("n", "pstv"),
        ("v", "0020000D"),
        ("v", f'"{place.study_instance_uid}"'),
    ]
    return f"radiant://?{urlencode(asked, quote_via=quote)}"


def link_osirix(place: Place) -> str:
    """OsiriX: fetch an address, then show what was in it."""
    return _download("osirix", place)


def link_horos(place: Place) -> str:
    """Horos, which kept the ways of OsiriX."""
    return _download("horos", place)


def _download(scheme: str, place: Place) -> str:
    address = quote(place.zip_address, safe="")
    return f"{scheme}://?methodName=downloadURL&Display=YES&URL='{address}'"


# By the name in the address and in NOCTIS_OPEN_IN: what people call it, how it is asked, and
# whether a ticket goes with it.
PROGRAMS = {
    "weasis": ("Weasis", link_weasis, True),
    "radiant": ("RadiAnt", link_radiant, False),
    "osirix": ("OsiriX", link_osirix, True),
    "horos": ("Horos", link_horos, True),
    "slicer": ("3D Slicer", link_slicer, True),
}
