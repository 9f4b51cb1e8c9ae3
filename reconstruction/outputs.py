"""What planes become: a derived series, pictures, arrays. Each plane is written as it comes."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from typing import Any, Protocol

import cv2
import numpy as np

from archive.models import Instance
from imaging.display import Grayscale, encode_png, render_frame
from imaging.errors import MissingError
from imaging.lut import Window
from imaging.nifti import nifti_head
from imaging.plane import PlaneGeometry
from reconstruction.derived import SeriesWriter
from reconstruction.plane_pictures import pipeline_of
from reconstruction.plane_stack import PlaneStack
from reconstruction.volume_files import Volume
from reconstruction.work import Work

DICOM, PNG, NIFTI, NPY, JSON = "dicom", "png", "nifti", "npy", "json"
OUTPUTS = (DICOM, PNG, NIFTI, NPY, JSON)


class Output(Protocol):
    """Takes planes, int16 of the volume, in their order."""

    def add(self, pixels: np.ndarray, plane: PlaneGeometry) -> None:
        """Write one plane."""

    def finish(self) -> None:
        """Hand over what was written."""


class SeriesOutput:
    """A derived series in the archive."""

    def __init__(
        self, work: Work, writer: SeriesWriter, *, thickness_mm: float,
        spacing_mm: float | None = None, depth_mm: float | None = None,
    ) -> None:  # fmt: skip
        """Take what `SeriesWriter.add_plane` wants to know of every plane."""
        self._work, self._writer = work, writer
        self._places = (thickness_mm, spacing_mm, depth_mm)

    def add(self, pixels: np.ndarray, plane: PlaneGeometry) -> None:
        """Write one plane."""
        thickness, spacing, depth = self._places
        self._writer.add_plane(
            pixels, plane, thickness_mm=thickness, spacing_mm=spacing, depth_mm=depth
        )

    def finish(self) -> None:
        """Let the series come into the archive."""
        self._work.keep_series(self._writer.paths)


class PictureOutput:
    """A ZIP of PNG: as the series' own images are shown, or with a window."""

    def __init__(self, work: Work, volume: Volume, window: Window | None) -> None:
        """Read how the series is shown. Costs a query or two."""
        key, frame = volume.about["middle"]
        rows = Instance.objects.visible_to(work.person).select_related("series")
        instance = rows.filter(pk=key).first()
        if instance is None:
            raise MissingError("The series has changed.")
        self._pipeline: Grayscale = pipeline_of(instance, frame, volume)
        self._window, self._work = window, work
        self._path = work.folder / "pictures.zip"
        self._zip = zipfile.ZipFile(self._path, "w", zipfile.ZIP_STORED)
        self._count = 0

    def add(self, pixels: np.ndarray, plane: PlaneGeometry) -> None:
        """Write one plane."""
        self.add_picture(pixels, plane.spacing_mm)

    def add_picture(self, pixels: np.ndarray, spacing_mm: tuple[float, float]) -> None:
        """Write one picture; its pixels are square."""
        shown = render_frame(pixels, self._pipeline, window=self._window)
        self._count += 1
        content = encode_png(square(shown, spacing_mm))
        # A time of its own would make another file of every run.
        self._zip.writestr(zipfile.ZipInfo(f"plane-{self._count:05d}.png"), content)

    def finish(self) -> None:
        """Offer the ZIP."""
        self._zip.close()
        self._work.keep_file(self._path, "pictures.zip", "application/zip")


def square(shown: np.ndarray, spacing_mm: tuple[float, float]) -> np.ndarray:
    """Return a picture whose pixels are as high as wide; none is lost."""
    finest = min(spacing_mm)
    rows, columns = (
        round(count * spacing / finest)
        for count, spacing in zip(shown.shape[:2], spacing_mm, strict=True)
    )
    if (rows, columns) == shown.shape[:2]:
        return shown
    return np.asarray(cv2.resize(shown, (columns, rows), interpolation=cv2.INTER_LINEAR))


class VoxelOutput:
    """NIfTI or numpy: a head, then planes as they come."""

    def __init__(self, work: Work, name: str, media_type: str, head: bytes) -> None:
        """Begin a file of this name."""
        self._work, self._name, self._media_type = work, name, media_type
        self._path = work.folder / name
        self._file = self._path.open("wb")
        self._file.write(head)

    def add(self, pixels: np.ndarray, plane: PlaneGeometry) -> None:
        """Append one plane."""
        self._file.write(np.ascontiguousarray(pixels, "<i2").data)

    def finish(self) -> None:
        """Offer the file."""
        self._file.close()
        self._work.keep_file(self._path, self._name, self._media_type)


class GeometryOutput:
    """Where the planes lie, as JSON."""

    def __init__(self, work: Work, volume: Volume, about: dict[str, Any]) -> None:
        """Take what is the same for all planes."""
        self._work = work
        self._planes: list[dict[str, Any]] = []
        self._about = {
            **about,
            "study_instance_uid": work.series.study.study_instance_uid,
            "source_series_instance_uid": work.series.series_instance_uid,
            "frame_of_reference_uid": volume.about["frame_of_reference_uid"],
            "order": "planes, rows, columns",
            "pixel_format": "i16",
            "scale": volume.scale.scale,
            "offset": volume.scale.offset,
            "outside": volume.lowest,
            "notes": volume.about["notes"],
        }

    def add(self, pixels: np.ndarray, plane: PlaneGeometry) -> None:
        """Note where one plane lies."""
        self._planes.append(
            {
                "origin": plane.origin.tolist(),
                "row_direction": plane.row_direction.tolist(),
                "column_direction": plane.column_direction.tolist(),
                "normal": plane.normal.tolist(),
                "spacing_mm": list(plane.spacing_mm),
                "rows": plane.rows,
                "columns": plane.columns,
            }
        )

    def finish(self) -> None:
        """Offer the document."""
        path = self._work.folder / "geometry.json"
        path.write_text(json.dumps({**self._about, "planes": self._planes}))
        self._work.keep_file(path, "geometry.json", "application/json")


def open_outputs(
    work: Work,
    volume: Volume,
    wanted: Sequence[str],
    *,
    stack: PlaneStack,
    series: Output | None,
    window: Window | None,
    about: dict[str, Any],
) -> list[Output]:
    """Return what is wanted of a stack of parallel planes; `series` is the DICOM one."""
    first = stack.first
    shape = (stack.count, first.rows, first.columns)
    made: list[Output] = []
    if DICOM in wanted and series is not None:
        made.append(series)
    if PNG in wanted:
        made.append(PictureOutput(work, volume, window))
    if NIFTI in wanted:
        scale = volume.scale
        head = nifti_head(stack.lps_from_ijk, shape, slope=scale.scale, intercept=scale.offset)
        made.append(VoxelOutput(work, "planes.nii", "application/octet-stream", head))
    if NPY in wanted:
        made.append(VoxelOutput(work, "planes.npy", "application/octet-stream", npy_head(shape)))
    if {NPY, JSON} & set(wanted):
        made.append(GeometryOutput(work, volume, about))
    return made


def npy_head(shape: tuple[int, ...]) -> bytes:
    """Return the head of a numpy file of little-endian int16 in C order (format 1.0)."""
    facts = f"{{'descr': '<i2', 'fortran_order': False, 'shape': {shape!r}, }}"
    padding = -(10 + len(facts) + 1) % 64
    text = (facts + " " * padding + "\n").encode("ascii")
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text
