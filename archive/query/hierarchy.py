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


def unique_keys(root: Root, level: Level, keys: Dataset) -> dict[Level, tuple[str, ...]]:
    """Return the values of the unique keys from the root down to a level, each once."""
    found = {}
    for one in Level:
        if root.value <= one <= level:
            values = (str(value).strip(" \0") for value in values_of(keys, UNIQUE_KEYS[one]))
            found[one] = tuple(dict.fromkeys(filter(None, values)))
    return found


def check_keys_above(root: Root, level: Level, keys: Dataset) -> None:
    """Check that each level above is named by one unique key (C.4.1.2.1, C.4.2.2.1).

    Raises QueryError when one is missing or is no single value.
    """
    for above, values in unique_keys(root, level, keys).items():
        if above is level:
            continue
        if not values:
            raise QueryError(f"{_NAMES[above]} is missing: the level above must be named.")
        if len(values) > 1 or (above is Level.PATIENT and set("*?") & set(values[0])):
            raise QueryError(f"{_NAMES[above]} must be one value above the level asked for.")


def check_named(root: Root, level: Level, keys: Dataset) -> None:
    """Check that what is retrieved is named by its unique key (C.4.2.2.1, C.4.3.2.1).

    Raises QueryError when that is missing, or when there are several patients.
    """
    values = unique_keys(root, level, keys)
    if not values[level]:
        raise QueryError(f"{_NAMES[level]} is missing or empty.")
    if len(values.get(Level.PATIENT, ())) > 1:
        raise QueryError(f"{_NAMES[Level.PATIENT]} names more than one.")
