"""Derived DICOM series: planes and views that came of a volume, written one at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from django.conf import settings
from django.utils import timezone

from archive.lookup_tables import read_instance_header
from archive.models import Instance, Series, Study
from archive.part10 import file_meta
from archive.passport import read_passport
from imaging.concepts import Code
from imaging.derived_image import (
    COLOUR_FRAMES,
    PET_IMAGE,
    SECONDARY_CAPTURE,
    DerivedNotes,
    KnownPatient,
    Referenced,
    class_of_derived,
    encode_reference,
    fit_scale,
    merge_references,
    write_colour,
    write_common,
    write_grey,
    write_kind,
    write_place,
)
from imaging.element_writer import ElementWriter, element_head
from imaging.encoding import PIXEL_DATA
from imaging.errors import BusyError, UnreadableError
from imaging.ordering import frame_view
from imaging.plane import PlaneGeometry
from reconstruction.assembly import plan_volume
from reconstruction.volume_files import Volume
from reconstruction.work import Work

EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
REFORMATTED: Code = ("113072", "DCM", "Multiplanar reformatting")
CURVED: Code = ("113073", "DCM", "Curved multiplanar reformatting")
RENDERED: Code = ("113074", "DCM", "Volume rendering")
HIGHEST_KEPT: Code = ("113078", "DCM", "Maximum intensity projection")
LOWEST_KEPT: Code = ("113079", "DCM", "Minimum intensity projection")
RESAMPLED: Code = ("113085", "DCM", "Spatial resampling")
# Ten views a second.
FRAME_TIME_MS = 100.0


def derived_series(
    work: Work,
    volume: Volume,
    *,
    image_type: tuple[str, ...],
    description: str,
    derivation: str = "",
    codes: Sequence[Code] = (),
    name: str = "series",
    planes: int = 0,
) -> SeriesWriter:
    """Return the writer of a new series made of `volume`, in the study of `work.series`.

    `image_type` are the values behind `DERIVED\\SECONDARY`, such as `("MPR",)`. `description`
    and `derivation` are Series Description, and in a sentence how it was made; plain ASCII.
    `codes` are of CID 7203. `name` tells the series of one job apart: UIDs come of it and of the
    job. `planes` is how many there will be, which PET wants to be said.

    Costs some queries. Raises UnreadableError when the source's header cannot be read, BusyError
    when the series is changing, and as `read_passport`.
    """
    source = work.series
    plan = plan_volume(source, read_passport(source), volume.about["time_point"])
    if len(plan.slices) != volume.geometry.shape[0]:
        raise BusyError("The series is changing; try again in a moment.")
    middle = plan.slices[len(plan.slices) // 2]
    uid = work.uid_of(name)
    notes = DerivedNotes(
        image_type=image_type,
        description=description,
        derivation=derivation or description,
        codes=tuple(codes),
        series_instance_uid=uid,
        series_number=number_of_series(source, uid),
        made_at=timezone.localtime(work.asked_at),
        software_version=settings.NOCTIS_VERSION,
    )
    images = [
        Referenced(
            one.instance.sop_class_uid,
            one.instance.sop_instance_uid,
            (one.frame + 1,) if one.instance.number_of_frames > 1 else (),
        )
        for one in plan.slices
    ]
    return SeriesWriter(
        work, volume, notes, images, (middle.instance, middle.frame), name=name, planes=planes
    )


def number_of_series(source: Series, series_instance_uid: str) -> int:
    """Return the number of a series that is there already, else the next free one of the study."""
    rows = Series.objects.filter(study=source.study)
    numbers = dict(rows.values_list("series_instance_uid", "series_number"))
    kept = numbers.get(series_instance_uid)
    used = [number for number in numbers.values() if number and number < 2**30]
    return kept if kept else max(used, default=0) + 1


def patient_of(study: Study) -> KnownPatient:
    """Return the patient of a study as all that is made of it names them."""
    return KnownPatient(
        patient_id=study.patient.patient_id,
        issuer_of_patient_id=study.patient.issuer_of_patient_id,
        name=study.patient_name,
        birth_date=study.patient_birth_date,
        sex=study.patient_sex,
    )


class SeriesWriter:
    """Writes the objects of one derived series into the folder of its work.

    `paths` are the files so far, for `work.keep_series`. What is written depends on the job and
    the source alone: run again, it is the same to the last byte.
    """

    def __init__(
        self,
        work: Work,
        volume: Volume,
        notes: DerivedNotes,
        images: Sequence[Referenced],
        middle: tuple[Instance, int],
        *,
        name: str,
        planes: int,
    ) -> None:
        """Read the source's header; for `derived_series`."""
        header = read_instance_header(middle[0])
        if header is None:
            raise UnreadableError("The header of the source cannot be read.")
        self.paths: list[Path] = []
        self.series_instance_uid = notes.series_instance_uid
        self._work, self._volume, self._notes, self._name = work, volume, notes, name
        self._planned_count = planes
        self._header, self._middle = header, middle
        self._patient = patient_of(work.series.study)
        self._images = images
        self._items = [encode_reference(one) for one in images]
        self._has_frames = any(one.frames for one in images)
        self._class = class_of_derived(header)
        self._is_signed, self._slope, self._intercept = True, 1.0, 0.0
        self._planes = self._write_template(self._class)

    # --- planes ---------------------------------------------------------------------------
    def add_plane(
        self,
        pixels: np.ndarray,
        plane: PlaneGeometry,
        *,
        thickness_mm: float,
        spacing_mm: float | None = None,
        depth_mm: float | None = None,
    ) -> Path:
        """Write one plane: int16 of the volume (value = pixels * scale + offset), (rows, columns).

        `thickness_mm` is what the plane stands for, `spacing_mm` how far the next one is.
        Source images are those within `depth_mm` (half the thickness unless given) of the plane;
        infinite: all.
        """
        if pixels.shape != (plane.rows, plane.columns):
            raise ValueError("The pixels do not fill the plane.")
        made = self._planes.copy()
        write_place(made, plane, thickness_mm, spacing_mm)
        reach = thickness_mm / 2 if depth_mm is None else depth_mm
        self._name_sources(made, *self._slices_near(plane, reach))
        return self._save(made, self._class, self._stored(pixels).tobytes(), b"OW")

    def add_flat(self, pixels: np.ndarray, spacing_mm: tuple[float, float]) -> Path:
        """Write a picture that lies on no plane, such as a curved one: a Secondary Capture.

        int16 of the volume, (rows, columns); `spacing_mm` between rows, between columns.
        """
        made = self._write_template(SECONDARY_CAPTURE)
        for keyword in ("FrameOfReferenceUID", "PositionReferenceIndicator"):
            made.drop(keyword)
        made.set("Rows", pixels.shape[0])
        made.set("Columns", pixels.shape[1])
        made.set("PixelSpacing", *(float(value) for value in spacing_mm))
        self._name_sources(made, 0, len(self._items))
        return self._save(made, SECONDARY_CAPTURE, self._stored(pixels).tobytes(), b"OW")

    def _write_template(self, sop_class: str) -> ElementWriter:
        volume, header = self._volume, self._header
        made = write_common(header, sop_class, self._notes, self._patient)
        write_kind(made, header, sop_class)
        # The highest is not known without reading all; the whole range costs PET nothing visible.
        self._slope, self._intercept, self._is_signed = fit_scale(
            volume.scale.scale,
            volume.scale.offset,
            (volume.lowest, 32767),
            needs_no_intercept=sop_class == PET_IMAGE,
        )
        write_grey(
            made, header, sop_class,
            is_signed=self._is_signed, slope=self._slope, intercept=self._intercept,
        )  # fmt: skip
        self._take_window(made)
        return made

    def _take_window(self, made: ElementWriter) -> None:
        """Take the window of the source's frame, which enhanced objects keep elsewhere."""
        instance, frame = self._middle
        facts = frame_view(instance.image, frame)
        centres, widths = facts.get("window_center"), facts.get("window_width")
        if made.has_value("WindowCenter") or not centres or not widths:
            return
        made.set("WindowCenter", float(np.ravel(centres)[0]))
        made.set("WindowWidth", float(np.ravel(widths)[0]))

    def _stored(self, pixels: np.ndarray) -> np.ndarray:
        scale = self._volume.scale
        if (self._slope, self._intercept) == (scale.scale, scale.offset):
            return np.ascontiguousarray(pixels, "<i2")
        values = (pixels.astype(np.float64) * scale.scale + scale.offset) / self._slope
        kind = np.iinfo(np.int16 if self._is_signed else np.uint16)
        return np.clip(np.rint(values), kind.min, kind.max).astype(kind.dtype).astype(
            "<i2" if self._is_signed else "<u2"
        )  # fmt: skip

    def _slices_near(self, plane: PlaneGeometry, reach_mm: float) -> tuple[int, int]:
        """Return the first slice that the plane touches, and the one behind the last."""
        geometry, count = self._volume.geometry, len(self._items)
        if not np.isfinite(reach_mm):
            return 0, count
        across = plane.row_direction * plane.spacing_mm[1] * (plane.columns - 1)
        down = plane.column_direction * plane.spacing_mm[0] * (plane.rows - 1)
        deep = plane.normal * reach_mm
        corners = np.array(
            [
                plane.origin + a * across + b * down + c * deep
                for a in (0, 1) for b in (0, 1) for c in (-1, 1)
            ]
        )  # fmt: skip
        inverse = geometry.ijw_from_lps
        places = corners @ inverse[2, :3] + inverse[2, 3]
        low, high = float(places.min()), float(places.max())
        if not geometry.is_even:
            low, high = (
                float(np.interp(place, geometry.slice_mm, np.arange(count)))
                for place in (low, high)
            )
        # A place that is a slice's own but for rounding touches no other one.
        first = int(np.clip(np.floor(low + 1e-6), 0, count - 1))
        last = int(np.clip(np.ceil(high - 1e-6), first, count - 1))
        return first, last + 1

    # --- views ----------------------------------------------------------------------------
    def add_views(
        self,
        frames: Iterable[np.ndarray],
        count: int,
        *,
        frame_time_ms: float = FRAME_TIME_MS,
    ) -> Path:
        """Write `count` RGB pictures, uint8 of shape (rows, columns, 3), as one object.

        One is a Secondary Capture, several are its multi-frame kind: a film. Pictures are
        written as they come and never held together.
        """
        pictures = iter(frames)
        first = next(pictures)
        rows, columns, _colours = first.shape
        sop_class = COLOUR_FRAMES if count > 1 else SECONDARY_CAPTURE
        made = write_common(self._header, sop_class, self._notes, self._patient)
        write_kind(made, self._header, sop_class)
        made.drop("RescaleType")
        write_colour(made, count, frame_time_ms)
        made.set("Rows", rows)
        made.set("Columns", columns)
        self._name_sources(made, 0, len(self._items))
        path, head = self._begin(made, sop_class)
        length = count * rows * columns * 3
        with path.open("wb") as file:
            file.write(head + element_head(PIXEL_DATA, b"OB", length + length % 2))
            written = 0
            for picture in _chain(first, pictures):
                if picture.shape != first.shape or picture.dtype != np.uint8:
                    raise ValueError("Views of one object have one size.")
                file.write(np.ascontiguousarray(picture).data)
                written += picture.nbytes
            if written != length:
                raise ValueError("There are not as many views as were said.")
            file.write(b"\0" * (length % 2))
        self.paths.append(path)
        return path

    # --- files ----------------------------------------------------------------------------
    def _name_sources(self, made: ElementWriter, first: int, end: int) -> None:
        items = self._items[first:end]
        if self._has_frames:
            items = [encode_reference(one) for one in merge_references(self._images[first:end])]
        made.set_items("SourceImageSequence", items)

    def _save(self, made: ElementWriter, sop_class: str, pixels: bytes, vr: bytes) -> Path:
        path, head = self._begin(made, sop_class)
        with path.open("wb") as file:
            file.write(head + element_head(PIXEL_DATA, vr, len(pixels)))
            file.write(pixels)
        self.paths.append(path)
        return path

    def _begin(self, made: ElementWriter, sop_class: str) -> tuple[Path, bytes]:
        """Give the object its number and UID; return its path and all before the pixels."""
        number = len(self.paths) + 1
        uid = self._work.uid_of(self._name, number)
        made.set("SOPInstanceUID", uid)
        made.set("InstanceNumber", number)
        if sop_class == PET_IMAGE:
            made.set("ImageIndex", number)
            made.set("NumberOfSlices", self._planned_count or number)
        meta = file_meta(
            sop_class_uid=sop_class,
            sop_instance_uid=uid,
            transfer_syntax_uid=EXPLICIT_LITTLE_ENDIAN,
        )
        path = self._work.folder / f"{self._name}-{number:05d}.dcm"
        return path, meta + made.encode()


def _chain(first: np.ndarray, others: Iterable[np.ndarray]) -> Iterable[np.ndarray]:
    yield first
    yield from others
