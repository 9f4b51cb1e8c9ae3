"""The two information models and what their queries must say (PS3.4 C.4, C.6.1, C.6.2)."""

from __future__ import annotations

import enum

from pydicom import Dataset

from archive.query.attributes import UNIQUE_KEYS, Level
from imaging.errors import QueryError
from imaging.matching import values_of

QUERY_RETRIEVE_LEVEL = 0x00080052
_NAMES = {
    Level.PATIENT: "Patient ID",
    Level.STUDY: "Study Instance UID",
    Level.SERIES: "Series Instance UID",
    Level.IMAGE: "SOP Instance UID",
}


class Root(enum.Enum):
    """Where a model begins."""

    PATIENT = Level.PATIENT
    STUDY = Level.STUDY


def read_level(root: Root, keys: Dataset) -> Level:
    """Return the Query/Retrieve Level of an identifier.

    Raises QueryError when it is missing or none of the model.
    """
    text = "".join(str(value) for value in values_of(keys, QUERY_RETRIEVE_LEVEL)).strip()
    if not text:
        raise QueryError("Query/Retrieve Level is missing.")
    if text not in Level.__members__ or Level[text] < root.value:
        raise QueryError("Query/Retrieve Level is none of this model.")
    return Level[text]


def check_keys_above(root: Root, level: Level, keys: Dataset) -> None:
    """Check that each level above is named by one unique key (C.4.1.2.1, C.4.2.2.1).

    Raises QueryError when one is missing or is no single value.
    """
    for above in Level:
        if not root.value <= above < level:
            continue
        values = values_of(keys, UNIQUE_KEYS[above])
        if not values:
            raise QueryError(f"{_NAMES[above]} is missing: the level above must be named.")
        if len(values) > 1 or (above is Level.PATIENT and set("*?") & set(str(values[0]))):
            raise QueryError(f"{_NAMES[above]} must be one value above the level asked for.")
