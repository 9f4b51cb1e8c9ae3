"""How fast volumes are loaded and cut: Noctis beside SimpleITK, VTK and scipy, in one run.

    python -m bench.reconstruction [--slices 300] [--size 512] [--rounds 5]

Three subjects. `load`: reading the frames of a series by their offsets into a volume in memory
that is warm, beside SimpleITK's reader of the same files; and building the volume's file.
`plane`: an oblique plane of 512 x 512, beside VTK's reslicing and scipy's. `slab`: 20 mm
of it (MIP), beside VTK's. Contenders take turns; a figure is the median, a ratio the median of
the rounds' ratios. Noctis and VTK use all cores, as they do in use. VTK is no dependency: without
`pip install vtk` it is left out, and the run says so. What is compared is compared first: planes
must agree within 1 HU on 99.9 % of the pixels.
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
from imaging.plane import MIP, PlaneGeometry, Slab

try:
    import vtk
    from vtk.util import numpy_support
except ImportError:
    vtk = None

Act = Callable[[], object]
SPACING_MM, STEP_MM = 0.7, 1.0
THICKNESS_MM = 20.0
NORMAL, UP = np.array([0.3, -0.5, 0.8]), np.array([0.1, -0.7, 0.2])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    if vtk is None:
        print("VTK is not installed: it is left out (pip install vtk)")
    with tempfile.TemporaryDirectory(prefix="noctis-bench-") as folder:
        _make_home(Path(folder))
        measure(Path(folder), options)
    return 0


def _make_home(folder: Path) -> None:
    """Give the run a home of its own, with an empty database."""
    os.environ["NOCTIS_HOME"] = str(folder)
    os.environ["DJANGO_SETTINGS_MODULE"] = "noctis.settings"
    os.environ["NOCTIS_DISK_RESERVE_MB"] = "0"
    django.setup()
    from noctis import startup  # noqa: PLC0415

    startup.prepare_home()
    startup.migrate()


def _store(folder: Path, options: argparse.Namespace) -> tuple[Any, list[str]]:
    """Write a phantom's files and store them; returns the series, and the files in order."""
    from archive.ingest import Source, ingest_file  # noqa: PLC0415
    from archive.models import Series  # noqa: PLC0415

    shape = PhantomShape(
        rows=options.size, columns=options.size, slices=options.slices,
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
    return Series.objects.get(), files


def measure(folder: Path, options: argparse.Namespace) -> None:
    from archive.passport import read_passport  # noqa: PLC0415
    from reconstruction.assembly import choose_scales, plan_volume, read_all  # noqa: PLC0415
    from reconstruction.compiled import load_kernels  # noqa: PLC0415
    from reconstruction.planes import cut_plane  # noqa: PLC0415
    from reconstruction.volumes import open_volume  # noqa: PLC0415

    series, files = _store(folder, options)
    passport = read_passport(series)
    print(f"{options.slices} slices of {options.size} x {options.size}, {os.cpu_count()} cores")
    load_kernels()
    plan = plan_volume(series, passport, 0)
    _scale, convert = next(iter(choose_scales(plan.slices)))
    warm = np.zeros(plan.geometry.shape, np.int16)

    def load() -> None:
        for number, (one, stored) in enumerate(read_all(plan.slices)):
            warm[number] = convert(one, stored)

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
    if vtk is not None:
        image = _vtk_image(volume)
        depths = slab.depths_mm(SPACING_MM)
        one_cut = _vtk_reslice(image, plane, np.zeros(1))
        thick_cut = _vtk_reslice(image, plane, depths)
        acts = {"VTK": one_cut, **acts}
        slabs = {"VTK": thick_cut, **slabs}
        _check_alike("plane", one_cut(), cut_plane(volume, plane, thin))
        _check_alike("slab", thick_cut(), cut_plane(volume, plane, slab))
    compare("oblique plane", acts, options.rounds * 4)
    compare(f"MIP slab of {THICKNESS_MM:g} mm", slabs, options.rounds)


def compare(case: str, acts: dict[str, Act], rounds: int) -> None:
    """Print the median time of each contender, and Noctis' median ratio to the others."""
    for act in acts.values():
        act()
    times: dict[str, list[float]] = {name: [] for name in acts}
    for number in range(rounds):
        for name in list(acts) if number % 2 == 0 else list(acts)[::-1]:
            began = time.perf_counter()
            acts[name]()
            times[name].append(time.perf_counter() - began)
    ours = times["Noctis"]
    for name, spent in times.items():
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


def _vtk_image(volume: Any) -> Any:
    """Return the same voxels as VTK's image, which knows no direction: the phantom needs none."""
    slices, rows, columns = volume.geometry.shape
    image = vtk.vtkImageData()
    image.SetDimensions(columns, rows, slices)
    image.SetSpacing(SPACING_MM, SPACING_MM, STEP_MM)
    image.SetOrigin(*volume.geometry.lps_from_ijw[:3, 3])
    voxels = np.array(volume.voxels).ravel()
    image.GetPointData().SetScalars(numpy_support.numpy_to_vtk(voxels, deep=True))
    return image


def _vtk_reslice(image: Any, plane: PlaneGeometry, depths: np.ndarray) -> Act:
    """Return what cuts a plane or a MIP slab by VTK: as many layers, at the same depths."""
    reslice = vtk.vtkImageReslice()
    reslice.SetInputData(image)
    axes = vtk.vtkMatrix4x4()
    for row in range(3):
        for column, axis in enumerate((plane.row_direction, plane.column_direction, plane.normal)):
            axes.SetElement(row, column, axis[row])
        axes.SetElement(row, 3, plane.origin[row])
    reslice.SetResliceAxes(axes)
    reslice.SetOutputDimensionality(2)
    reslice.SetInterpolationModeToLinear()
    reslice.SetOutputSpacing(plane.spacing_mm[1], plane.spacing_mm[0], 1)
    reslice.SetOutputOrigin(0, 0, 0)
    reslice.SetOutputExtent(0, plane.columns - 1, 0, plane.rows - 1, 0, 0)
    reslice.SetBackgroundLevel(-32768)
    if len(depths) > 1:
        reslice.SetSlabModeToMax()
        reslice.SetSlabNumberOfSlices(len(depths))
        reslice.SetSlabSliceSpacingFraction(float(depths[1] - depths[0]))

    def cut() -> np.ndarray:
        reslice.Modified()
        reslice.Update()
        scalars = reslice.GetOutput().GetPointData().GetScalars()
        values: np.ndarray = numpy_support.vtk_to_numpy(scalars)
        return values.reshape(plane.rows, plane.columns)

    return cut


def _check_alike(case: str, theirs: Any, ours: np.ndarray) -> None:
    """Print how far the two agree where both are inside."""
    inside = (theirs != -32768) & ~np.isnan(ours)
    share = float((np.abs(theirs - ours)[inside] <= 1).mean())
    print(f"  {case}: {share:.4%} of {inside.mean():.0%} of the pixels agree with VTK within 1 HU")
    if share < 0.999:
        raise RuntimeError(f"{case}: VTK finds other values")


if __name__ == "__main__":
    raise SystemExit(main())
