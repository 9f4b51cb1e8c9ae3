"""Which reconstructions there are: kind → module, imported by doors and workers alone.

A kind's module has two functions:

`parse(parameters: Mapping[str, object]) -> <frozen dataclass>`
    What is wanted. Raises DRF's `ValidationError`, whose words begin with the parameter's name;
    an unknown parameter is an error too. Reads no database.
`run(work: reconstruction.work.Work, wanted) -> None`
    Does it, in units, with `work.step` between them. It may be stopped or killed at any place
    and run again from the start; it leaves nothing outside `work.folder`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol, cast

from reconstruction.work import Work

KINDS: dict[str, str] = {
    "mpr": "reconstruction.kind_mpr",
    "mip": "reconstruction.kind_mip",
    "minip": "reconstruction.kind_minip",
    "mean": "reconstruction.kind_mean",
    "rotating_mip": "reconstruction.kind_rotating_mip",
    "curved": "reconstruction.kind_curved",
    "surface": "reconstruction.kind_surface",
    "segmentation": "reconstruction.kind_segmentation",
    "volume_rendering": "reconstruction.kind_volume_rendering",
}


class Kind(Protocol):
    """What a kind's module offers."""

    def parse(self, parameters: Mapping[str, object]) -> Any:
        """Return what is wanted. Raises `ValidationError`."""

    def run(self, work: Work, wanted: Any) -> None:
        """Do it."""


def load_kind(kind: str) -> Kind:
    """Return the module of a kind. Raises KeyError when there is no such kind."""
    return cast(Kind, import_module(KINDS[kind]))
