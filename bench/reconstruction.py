"""How fast volumes are loaded, cut, projected: Noctis beside SimpleITK, VTK, scipy, in one run.

    python -m bench.reconstruction [--slices 300] [--size 512] [--rounds 5]

`load`: reading the frames of a series by their offsets into a volume in memory that is warm,
beside SimpleITK's reader of the same files; and building the volume's file. `plane`: an oblique
plane of 512 x 512, beside VTK's reslicing and scipy's. `slab`: 20 mm of it (MIP), beside VTK's.
`curved`: a straightened line through the volume, beside VTK's probe and scipy. `rotating MIP`:
72 views, beside VTK's slabs as thick as the volume (two of the 72 views, times 36). `projection`:
along each axis of the voxels, beside a loop that only reads them. What jobs take of the memory is
`bench.reconstruction_memory`.

Contenders take turns; a figure is the median, a ratio the median of the rounds' ratios. Noctis
and VTK use all cores, as they do in use. VTK is no dependency: without `pip install vtk` it is
left out, and the run says so. What is compared is compared first: planes, slabs and curves must
agree within 1 HU on 99.9 % of the pixels.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django
import numpy as np
import SimpleITK
from scipy import ndimage

from archive.phantom import PhantomShape, build_datasets
from bench import by_vtk
from imaging.plane import MEAN, MIP, PlaneGeometry, Slab

Act = Callable[[], object]
SPACING_MM, STEP_MM = 0.7, 1.0
THICKNESS_MM = 20.0
VIEWS = 72
NORMAL, UP = np.array([0.3, -0.5, 0.8]), np.array([0.1, -0.7, 0.2])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    if not by_vtk.is_installed():
        print("VTK is not installed: it is left out (pip install vtk)")
    with tempfile.TemporaryDirectory(prefix="noctis-bench-") as folder:
        make_home(Path(folder))
        measure(Path(folder), options)
    return 0


def make_home(folder: Path) -> None:
    """Give the run a home of its own, with an empty database."""
    os.environ["NOCTIS_HOME"] = str(folder)
    os.environ["DJANGO_SETTINGS_MODULE"] = "noctis.settings"
    os.environ["NOCTIS_DISK_RESERVE_MB"] = "0"
    django.setup()
    from noctis import startup  # noqa: PLC0415

    startup.prepare_home()
    startup.migrate()


def store_phantom(folder: Path, slices: int, size: int) -> tuple[Any, list[str]]:
    """Write a phantom's files and store them; returns the series, and the files in order."""
    from archive.ingest import Source, ingest_file  # noqa: PLC0415
    from archive.models import Series  # noqa: PLC0415

    folder.mkdir(exist_ok=True)
    shape = PhantomShape(
        rows=size, columns=size, slices=slices,
        spacing_mm=(SPACING_MM, SPACING_MM), thickness_mm=STEP_MM,
    )  # fmt: skip
    noise = np.random.default_rng(3)
    files = []
    for number, dataset in enumerate(build_datasets(shape)):
        pixels = np.frombuffer(dataset.PixelData, "<u2")
        grain = noise.integers(-20, 20, pixels.size)
        dataset.PixelData = np.clip(pixels + grain, 0, 4095).astype("<u2").tobytes()
        path = folder / f"{number:05d}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        files.append(str(path))
        with path.open("rb") as file:
            ingest_file(Source(door="bench", sender="BENCH", facility_id=None), file)
    rows = Series.objects.select_related("study__patient").order_by("pk")
    return rows.filter(instance_count=slices).last(), files


def measure(folder: Path, options: argparse.Namespace) -> None:
    from archive.passport import read_passport  # noqa: PLC0415
    from reconstruction.assembly import choose_scales, plan_volume, read_all  # noqa: PLC0415
    from reconstruction.compiled import load_kernels  # noqa: PLC0415
    from reconstruction.planes import cut_plane  # noqa: PLC0415
    from reconstruction.volumes import open_volume  # noqa: PLC0415

    series, files = store_phantom(folder / "phantom", options.slices, options.size)
    passport = read_passport(series)
    print(f"{options.slices} slices of {options.size} x {options.size}, {os.cpu_count()} cores")
    load_kernels()
    plan = plan_volume(series, passport, 0)
    _scale, convert = next(iter(choose_scales(plan.slices)))
    warm = np.zeros(plan.geometry.shape, np.int16)

    def load() -> None:
        for number, (one, stored) in enumerate(read_all(plan.slices)):
            convert(one, stored, warm[number])

    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(files)
    compare("load", {"SimpleITK": reader.Execute, "Noctis": load}, options.rounds)
    began = time.perf_counter()
    volume = open_volume(series)
    print(f"  {'build the file, once':<22} {time.perf_counter() - began:.3f} s")
    if not np.array_equal(volume.voxels, SimpleITK.GetArrayFromImage(reader.Execute())):
        raise RuntimeError("The volume is not what SimpleITK reads")

    center = volume.geometry.lps_from_ijw @ [*(np.array(volume.geometry.shape[::-1]) / 2), 1]
    plane = PlaneGeometry.around(
        center[:3], normal=NORMAL, up=UP, size_mm=(300, 300), size_px=(512, 512)
    )
    assert plane is not None
    thin, slab = Slab(), Slab(MIP, THICKNESS_MM)
    acts: dict[str, Act] = {"scipy": lambda: _by_scipy(volume, plane)}
    acts["Noctis"] = lambda: cut_plane(volume, plane, thin)
    slabs: dict[str, Act] = {"Noctis": lambda: cut_plane(volume, plane, slab)}
    if by_vtk.is_installed():
        image = by_vtk.make_image(volume)
        one_cut = by_vtk.reslice(image, plane, np.zeros(1))
        thick_cut = by_vtk.reslice(image, plane, slab.depths_mm(SPACING_MM))
        acts = {"VTK": one_cut, **acts}
        slabs = {"VTK": thick_cut, **slabs}
        _check_alike("plane", one_cut(), cut_plane(volume, plane, thin))
        _check_alike("slab", thick_cut(), cut_plane(volume, plane, slab))
    compare("oblique plane", acts, options.rounds * 4)
    compare(f"MIP slab of {THICKNESS_MM:g} mm", slabs, options.rounds)
    _measure_curve(volume, options.rounds * 4)
    _measure_turn(volume, options.rounds)
    _measure_projections(volume.voxels, options.rounds * 4)


def _measure_curve(volume: Any, rounds: int) -> None:
    """Compare a straightened line from corner to corner, 60 mm wide."""
    from reconstruction.curved import cut_curve, parse_curve, place_curve  # noqa: PLC0415

    shares = np.array([[0.2, 0.3, 0.1], [0.45, 0.5, 0.3], [0.7, 0.4, 0.5], [0.6, 0.7, 0.9]])
    affine = volume.geometry.lps_from_ijw
    points = (shares * volume.geometry.shape[::-1]) @ affine[:3, :3].T + affine[:3, 3]
    wanted = parse_curve({"points": points.tolist(), "width_mm": 100.0})
    curve = place_curve(volume, wanted)
    steps = np.arange(curve.rows) * curve.spacing_mm[0]
    places = curve.first_pixels[None] + curve.across[None] * steps[:, None, None]
    inverse = volume.geometry.ijw_from_lps
    kji = np.moveaxis((places @ inverse[:3, :3].T + inverse[:3, 3])[..., ::-1], -1, 0).copy()
    acts: dict[str, Act] = {
        "scipy": lambda: ndimage.map_coordinates(
            volume.voxels, kji, np.float32, order=1, cval=volume.lowest
        ),
        "Noctis": lambda: cut_curve(volume, curve, wanted.slab),
    }
    if by_vtk.is_installed():
        look = by_vtk.probe(by_vtk.make_image(volume), places)
        _check_alike("curve", look(), cut_curve(volume, curve, wanted.slab))
        acts = {"VTK": look, **acts}
    compare(f"curve of {curve.columns} x {curve.rows}", acts, rounds)


def _measure_turn(volume: Any, rounds: int) -> None:
    """Compare a turn of 72 views; VTK makes two of them."""
    from reconstruction.rotation import plan_rotation, slice_normal, turn_slices  # noqa: PLC0415

    turn = plan_rotation(volume.geometry, slice_normal(volume.geometry), VIEWS, 360.0)
    acts: dict[str, Act] = {"Noctis": lambda: turn_slices(volume, turn, None, lambda _done: None)}
    share = 1.0
    if by_vtk.is_installed():
        image = by_vtk.make_image(volume)
        deep = float(np.linalg.norm(np.array(volume.geometry.shape[1:]) * SPACING_MM))
        depths = Slab(MIP, deep).depths_mm(SPACING_MM)
        views = [by_vtk.reslice(image, turn.planes[number], depths) for number in (0, 5)]
        acts = {"VTK": lambda: [view() for view in views], **acts}
        share = VIEWS / len(views)
    compare(f"rotating MIP, {VIEWS} views", acts, min(rounds, 3), times={"VTK": share})


def _measure_projections(voxels: np.ndarray, rounds: int) -> None:
    """Compare projections along each axis with a loop that reads every voxel and keeps nothing."""
    from bench.reading import read_all_voxels  # noqa: PLC0415
    from reconstruction.projections import project_axis  # noqa: PLC0415

    # Warm and at hand, as the pages of a mapped file are after the first look.
    warm = np.array(voxels)
    warm.flags.writeable = False
    for axis, name in enumerate(("columns", "rows", "slices")):
        for mode in (MIP, MEAN):
            compare(
                f"{mode} along {name}",
                {
                    "reading": lambda: read_all_voxels(warm),
                    "Noctis": lambda axis=axis, mode=mode: project_axis(warm, axis, mode),  # type: ignore[misc]
                },
                rounds,
            )


def compare(
    case: str, acts: dict[str, Act], rounds: int, times: dict[str, float] | None = None
) -> None:
    """Print the median time of each contender, and Noctis' median ratio to the others.

    `times` says how often what a contender did would have to be done for the whole.
    """
    factors = times or {}
    for act in acts.values():
        act()
    spent_by: dict[str, list[float]] = {name: [] for name in acts}
    for number in range(rounds):
        for name in list(acts) if number % 2 == 0 else list(acts)[::-1]:
            began = time.perf_counter()
            acts[name]()
            factor = factors.get(name, 1.0)
            spent_by[name].append((time.perf_counter() - began) * factor)
    ours = spent_by["Noctis"]
    for name, spent in spent_by.items():
        ratio = statistics.median(a / b for a, b in zip(ours, spent, strict=True))
        against = "" if name == "Noctis" else f"   Noctis takes {ratio:.3f} of it"
        spent_ms = statistics.median(spent) * 1e3
        print(f"  {case:<22} {name:<10} {spent_ms:9.1f} ms{against}", flush=True)


# --- the others ---------------------------------------------------------------------------
def _by_scipy(volume: Any, plane: PlaneGeometry) -> np.ndarray:
    """Resample the plane with `map_coordinates`, into float32."""
    inverse = volume.geometry.ijw_from_lps
    down, across = np.meshgrid(np.arange(plane.rows), np.arange(plane.columns), indexing="ij")
    between_rows, between_columns = plane.spacing_mm
    places = plane.origin + np.multiply.outer(across * between_columns, plane.row_direction)
    places += np.multiply.outer(down * between_rows, plane.column_direction)
    ijk = places @ inverse[:3, :3].T + inverse[:3, 3]
    kji = np.moveaxis(ijk[..., ::-1], -1, 0)
    found: np.ndarray = ndimage.map_coordinates(
        volume.voxels, kji, np.float32, order=1, cval=volume.lowest
    )
    return found


def _check_alike(case: str, theirs: Any, ours: np.ndarray) -> None:
    """Print how far the two agree where both are inside."""
    inside = (theirs != by_vtk.OUTSIDE) & ~np.isnan(ours)
    share = float((np.abs(theirs - ours)[inside] <= 1).mean())
    print(f"  {case}: {share:.4%} of {inside.mean():.0%} of the pixels agree with VTK within 1 HU")
    if share < 0.999:
        raise RuntimeError(f"{case}: VTK finds other values")


if __name__ == "__main__":
    raise SystemExit(main())
