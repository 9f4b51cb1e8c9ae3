"""Planes as values, for other rooms: `archive.plane_values` leads here."""

from __future__ import annotations

import numpy as np

from archive.models import Series
from archive.plane_values import PlaneValues
from imaging.plane import PlaneGeometry, Slab
from reconstruction.planes import cut_plane, to_int16
from reconstruction.volumes import open_volume
from reconstruction.warm import kernels_within

WAIT_SECONDS = 4.0


def cut_values(series: Series, plane: PlaneGeometry, slab: Slab, time_point: int) -> PlaneValues:
    """Return the numbers that a client makes of the raw plane, NaN outside.

    Raises as `reconstruction.volumes.open_volume` and `reconstruction.warm.kernels_within`.
    """
    volume = open_volume(series, time_point=time_point, wait_seconds=WAIT_SECONDS)
    kernels_within(WAIT_SECONDS)
    picture = cut_plane(volume, plane, slab)
    rounded = to_int16(picture, volume.lowest).astype(np.float64)
    values = rounded * volume.scale.scale + volume.scale.offset
    uid = str(volume.about.get("frame_of_reference_uid", ""))
    return PlaneValues(np.where(np.isnan(picture), np.nan, values), uid)
