"""Mean intensity projection: the mean value along a direction, of slabs or of the whole volume."""

from __future__ import annotations

from imaging.plane import MEAN
from reconstruction.planar import WantedPlanes, make_planes, parse_planes
from reconstruction.wishes import Parameters
from reconstruction.work import Work


def parse(parameters: Parameters) -> WantedPlanes:
    """Return what is asked for. Raises `ValidationError`."""
    return parse_planes(parameters, MEAN)


def run(work: Work, wanted: WantedPlanes) -> None:
    """Project."""
    make_planes(work, wanted)
