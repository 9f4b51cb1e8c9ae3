"""Surfaces of bone, soft tissue or any range of values: STL, GLB, JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError

from archive.models import Series
from archive.passport import read_passport
from imaging.errors import UnsupportedError
from reconstruction import tissue as tissues
from reconstruction.mesh_files import GLB_TYPE, STL_TYPE, write_glb, write_stl
from reconstruction.surfaces import Wish, build_surface, describe
from reconstruction.tissue import Mask
from reconstruction.volume_files import Volume
from reconstruction.wishes import (
    Parameters,
    read_choice,
    read_choices,
    read_integer,
    read_number,
    read_switch,
    read_vector,
    refuse_unknown,
)
from reconstruction.work import Work

STL, GLB, JSON = "stl", "glb", "json"
FORMATS = (STL, GLB, JSON)
RANGE = "range"
VALUE_LIMIT = 1e9
TRIANGLES = (1_000, 2_000_000)
SMOOTHING_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Tissue:
    """A range in HU with a name and a colour, linear, 0 to 1."""

    lowest: float
    highest: float
    colour: tuple[float, float, float]


# Cortical and cancellous bone of an adult; skin and what is under it; airways and lungs.
TISSUES = {
    "bone": Tissue(226.0, float("inf"), (0.78, 0.69, 0.52)),
    "dense_bone": Tissue(600.0, float("inf"), (0.83, 0.78, 0.65)),
    "soft_tissue": Tissue(-300.0, float("inf"), (0.74, 0.43, 0.34)),
    "lung": Tissue(-950.0, -500.0, (0.58, 0.30, 0.28)),
}
_ANY = (0.35, 0.55, 0.75)
_KNOWN = frozenset(
    {
        "tissue", "lowest", "highest", "seed", "fill", "smoothing", "triangles", "parts", "output",
        "time_point",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class WantedSurface:
    """A surface as it was asked for; `seed` and `fill` as `reconstruction.tissue.Wish` has them."""

    tissue: str
    wish: Wish
    seed: np.ndarray | None
    fill: bool
    output: tuple[str, ...]
    time_point: int


def parse(parameters: Parameters) -> WantedSurface:
    """Return what is asked for. Raises `ValidationError`."""
    refuse_unknown(parameters, _KNOWN)
    tissue = read_choice(parameters, "tissue", (*TISSUES, RANGE), "bone")
    lowest, highest = _read_range(parameters, tissue)
    return WantedSurface(
        tissue=tissue,
        wish=Wish(
            lowest=lowest,
            highest=highest,
            smoothing=read_integer(parameters, "smoothing", 0, SMOOTHING_LIMIT, 10),
            triangles=read_integer(parameters, "triangles", *TRIANGLES, 300_000),
            parts=read_integer(parameters, "parts", 0, 1_000, 0),
        ),
        seed=read_vector(parameters, "seed") if parameters.get("seed") is not None else None,
        fill=read_switch(parameters, "fill"),
        output=read_choices(parameters, "output", FORMATS, FORMATS),
        time_point=read_integer(parameters, "time_point", 0, 99_999, 0),
    )


def _read_range(parameters: Parameters, tissue: str) -> tuple[float, float]:
    if tissue != RANGE:
        for name in ("lowest", "highest"):
            if name in parameters:
                words = _("%(name)s: give it with tissue range alone.")
                raise ValidationError(words % {"name": name})
        return TISSUES[tissue].lowest, TISSUES[tissue].highest
    lowest = read_number(parameters, "lowest", -VALUE_LIMIT, VALUE_LIMIT)
    highest = read_number(parameters, "highest", -VALUE_LIMIT, VALUE_LIMIT, float("inf"))
    if highest <= lowest:
        raise ValidationError(_("highest: it must be above lowest."))
    return lowest, highest


def require_hounsfield(series: Series) -> None:
    """Raise `UnsupportedError` unless the passport says that values are Hounsfield units."""
    verdict = read_passport(series).get("hu") or {}
    if verdict.get("verdict") != "calibrated":
        reasons = " ".join(verdict.get("reasons") or [])
        words = _("The values are not known to be Hounsfield units; give a range instead.")
        raise UnsupportedError(f"{words} {reasons}".strip())


def _find_mask(work: Work, volume: Volume, wanted: WantedSurface, share: float) -> Mask:
    wish = wanted.wish
    tissue = tissues.Wish(wish.lowest, wish.highest, seed=wanted.seed, fill=wanted.fill)
    path = work.folder / "mask"
    return tissues.segment(volume, tissue, path, lambda done: work.step(share * done)).mask


def run(work: Work, wanted: WantedSurface) -> None:
    """Make the surface."""
    if wanted.tissue != RANGE:
        require_hounsfield(work.series)
    volume = work.open_volume(time_point=wanted.time_point)
    mask, share = None, 0.0
    if wanted.seed is not None or wanted.fill:
        share = 0.3
        mask = _find_mask(work, volume, wanted, share)
    surface = build_surface(
        volume, wanted.wish, lambda done: work.step(share + (0.9 - share) * done), mask
    )
    name = f"surface_{wanted.tissue}"
    if STL in wanted.output:
        write_stl(surface.mesh, work.folder / "surface.stl")
        work.keep_file(work.folder / "surface.stl", f"{name}.stl", STL_TYPE)
    if GLB in wanted.output:
        colour = TISSUES[wanted.tissue].colour if wanted.tissue in TISSUES else _ANY
        write_glb(surface.mesh, work.folder / "surface.glb", name=wanted.tissue, colour=colour)
        work.keep_file(work.folder / "surface.glb", f"{name}.glb", GLB_TYPE)
    if JSON in wanted.output:
        wish = wanted.wish
        about = {
            "tissue": wanted.tissue,
            "lowest": wish.lowest,
            "highest": wish.highest if wish.highest < VALUE_LIMIT else None,
            "seed": wanted.seed.tolist() if wanted.seed is not None else None,
            "fill": wanted.fill,
            "smoothing": wish.smoothing,
            "series_instance_uid": work.series.series_instance_uid,
            "frame_of_reference_uid": volume.about.get("frame_of_reference_uid") or "",
            "notes": volume.about.get("notes", []),
            **describe(surface),
        }
        path = work.folder / "surface.json"
        path.write_text(json.dumps(about, indent=1, allow_nan=False))
        work.keep_file(path, f"{name}.json", "application/json")
    work.step(1.0)
