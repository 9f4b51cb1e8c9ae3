"""The values of a series on a plane through the patient, for rooms that cannot cut one.

Volumes live in a room of their own; it says here, when the house starts, who cuts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from archive.models import Series
from imaging.plane import PlaneGeometry, Slab


@dataclass(frozen=True, slots=True, eq=False)
class PlaneValues:
    """Values after the modality step, float64 of shape (rows, columns); NaN is outside."""

    values: np.ndarray
    frame_of_reference_uid: str


PlaneSource = Callable[[Series, PlaneGeometry, Slab, int], PlaneValues]
_sources: list[PlaneSource] = []


def register_plane_source(source: PlaneSource) -> None:
    """Say who cuts planes out of series."""
    _sources[:] = [source]


def read_plane_values(
    series: Series, plane: PlaneGeometry, *, slab: Slab | None = None, time_point: int = 0
) -> PlaneValues:
    """Return a plane of a series, thin unless said, interpolated and rounded as `/plane` answers.

    Raises `NotAVolumeError`, `BusyError` while the volume is being built, and what reading the
    files raises.
    """
    return _sources[0](series, plane, slab or Slab(), time_point)
