"""Multiplanar reformation: parallel planes or slabs through a volume, in any direction."""

from __future__ import annotations

from reconstruction.planar import WantedPlanes, make_planes, parse_planes
from reconstruction.wishes import Parameters
from reconstruction.work import Work


def parse(parameters: Parameters) -> WantedPlanes:
    """Return what is asked for. Raises `ValidationError`."""
    return parse_planes(parameters)


def run(work: Work, wanted: WantedPlanes) -> None:
    """Cut the planes."""
    make_planes(work, wanted)
