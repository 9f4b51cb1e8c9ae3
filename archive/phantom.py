"""A CT phantom whose geometry and HU are known, made as valid DICOM.

Every number can be foretold: an ellipse of water in a ring of fat, rods of
air, fat and bone, a ramp, letters that say which side is which, and rulers
whose voxels hold their own index. A flipped axis, a shifted slice or a wrong
rescale shows itself to eyes and to tests.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from archive.glyphs import GLYPH_ROWS, draw_text
from archive.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from imaging.errors import UnsupportedError

AIR_HU = -1000
FAT_HU = -100
WATER_HU = 0
BONE_HU = 1000
LETTER_HU = 500
RAMP_HU = (-200, 800)
RULER_PX = 6
_INTERCEPT_HU = -1024
_BITS_STORED = 12

HuSlice = npt.NDArray[np.int16]


@dataclass(frozen=True, kw_only=True)
class PhantomShape:
    """What the phantom is to be. `spacing_mm` is between rows, between columns.

    With a tilt the table still moves along z, so the stack is sheared, as a
    tilted gantry makes it. Equal shapes give equal bytes and UIDs.
    """

    rows: int = 256
    columns: int = 256
    slices: int = 40
    spacing_mm: tuple[float, float] = (1.0, 1.0)
    thickness_mm: float = 2.5
    slice_spacing_mm: float | None = None
    tilt_deg: float = 0.0
    patient_name: str = "Phantom^Noctis"
    patient_id: str = "PHANTOM"
    study_date: str = "20260101"
    seed: int = 0

    def __post_init__(self) -> None:
        if not (32 <= self.rows <= 2048 and 32 <= self.columns <= 2048):
            raise UnsupportedError("A phantom has 32 to 2048 rows and columns.")
        if not 1 <= self.slices <= 3000:
            raise UnsupportedError("A phantom has 1 to 3000 slices.")
        if min(*self.spacing_mm, self.thickness_mm, self.step_mm) <= 0:
            raise UnsupportedError("Spacing and thickness of a phantom are above 0 mm.")
        if not -45 <= self.tilt_deg <= 45:
            raise UnsupportedError("A gantry tilts by at most 45 degrees.")

    @property
    def step_mm(self) -> float:
        """Distance that the table moves between slices, along z."""
        return self.thickness_mm if self.slice_spacing_mm is None else self.slice_spacing_mm

    @property
    def column_direction(self) -> tuple[float, float, float]:
        """Direction in LPS in which the row index grows."""
        tilt = math.radians(self.tilt_deg)
        return 0.0, math.cos(tilt), math.sin(tilt)

    def position_lps(self, slice_index: int) -> tuple[float, float, float]:
        """Return the centre of a slice's first voxel in LPS, mm; the stack is centred on 0."""
        row_mm, column_mm = self.spacing_mm
        half_rows = (self.rows - 1) / 2 * row_mm
        _, along_y, along_z = self.column_direction
        middle_z = (slice_index - (self.slices - 1) / 2) * self.step_mm
        return (
            -(self.columns - 1) / 2 * column_mm,
            -half_rows * along_y,
            middle_z - half_rows * along_z,
        )

    def uid(self, *parts: object) -> str:
        """Return a UID below 2.25 that depends on the shape and the parts alone (PS3.5 B.2)."""
        text = "/".join(str(part) for part in (self, *parts))
        number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")
        return f"2.25.{number}"


def build_hu(shape: PhantomShape, slice_index: int) -> HuSlice:
    """Return one slice in HU, int16 of shape (rows, columns).

    The rulers: the top `RULER_PX` rows hold their column's index, the left
    columns hold their row's index, and the corner where they meet holds the
    index of the slice, all counted from 0.
    """
    x, y, z = _coordinates(shape, slice_index)
    radius_mm = 0.42 * min(shape.rows * shape.spacing_mm[0], shape.columns * shape.spacing_mm[1])
    # From -1 at the lowest slice to 1 at the highest.
    height = z / max(shape.step_mm * (shape.slices - 1) / 2, shape.step_mm / 2)
    hu = np.full((shape.rows, shape.columns), AIR_HU, np.int16)
    hu[_ellipse(x, y, (0.0, 0.0), (radius_mm, 0.8 * radius_mm))] = FAT_HU
    hu[_ellipse(x, y, (0.0, 0.0), (0.92 * radius_mm, 0.72 * radius_mm))] = WATER_HU
    _put_rods(hu, x, y, height, radius_mm)
    _put_ramp(hu, x, y, radius_mm)
    _put_letters(hu, x, y, height, radius_mm)
    hu[:RULER_PX, :] = np.arange(shape.columns)
    hu[:, :RULER_PX] = np.arange(shape.rows)[:, None]
    hu[:RULER_PX, :RULER_PX] = slice_index
    return hu


def build_datasets(shape: PhantomShape) -> Iterator[FileDataset]:
    """Yield the phantom's images, lowest slice first, one at a time."""
    for slice_index in range(shape.slices):
        yield _dataset(shape, slice_index)


def _coordinates(
    shape: PhantomShape, slice_index: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return x as (1, columns), y and z as (rows, 1), LPS in mm."""
    origin = shape.position_lps(slice_index)
    row_mm, column_mm = shape.spacing_mm
    down = np.arange(shape.rows, dtype=np.float64)[:, None] * row_mm
    _, along_y, along_z = shape.column_direction
    x = origin[0] + np.arange(shape.columns, dtype=np.float64)[None, :] * column_mm
    return x, origin[1] + down * along_y, origin[2] + down * along_z


def _ellipse(
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    centre_mm: tuple[float, float],
    radii_mm: tuple[float, float],
) -> npt.NDArray[np.bool_]:
    inside: npt.NDArray[np.bool_] = ((x - centre_mm[0]) / radii_mm[0]) ** 2 + (
        (y - centre_mm[1]) / radii_mm[1]
    ) ** 2 <= 1.0
    return inside


def _put_rods(
    hu: HuSlice,
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    height: npt.NDArray[np.float64],
    radius_mm: float,
) -> None:
    """Put in bone at the patient's left, air at the right, fat behind; bone widens to the head."""
    rod_mm = 0.13 * radius_mm
    bone_mm = rod_mm * (1.0 + 0.5 * np.clip(height, -1.0, 1.0))
    bone = (x - 0.55 * radius_mm) ** 2 + y**2 <= bone_mm**2
    hu[bone] = BONE_HU
    hu[_ellipse(x, y, (-0.55 * radius_mm, 0.0), (rod_mm, rod_mm))] = AIR_HU
    hu[_ellipse(x, y, (0.0, 0.5 * radius_mm), (rod_mm, rod_mm))] = FAT_HU


def _put_ramp(
    hu: HuSlice,
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    radius_mm: float,
) -> None:
    """Put in a bar that rises from right to left through `RAMP_HU`."""
    half_mm = 0.3 * radius_mm
    share = (x + half_mm) / (2 * half_mm)
    inside = (share >= 0) & (share <= 1) & (np.abs(y - 0.22 * radius_mm) <= 0.06 * radius_mm)
    ramp = np.rint(RAMP_HU[0] + share * (RAMP_HU[1] - RAMP_HU[0]))
    hu[inside] = np.broadcast_to(ramp, hu.shape)[inside]


def _put_letters(
    hu: HuSlice,
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    height: npt.NDArray[np.float64],
    radius_mm: float,
) -> None:
    """Write PHANTOM in front, the sides at the sides, F in the lower and H in the upper third."""
    size_mm = radius_mm / 50
    words = [
        ("PHANTOM", 0.0, -0.42, 1.4),
        ("A", 0.0, -0.9, 1.0),
        ("P", 0.0, 0.9, 1.0),
        ("R", -1.07, 0.0, 1.0),
        ("L", 1.07, 0.0, 1.0),
    ]
    for text, right, down, scale in words:
        dot_mm = size_mm * scale
        centre_mm = (right * radius_mm, down * radius_mm)
        hu[draw_text(text, x, y, centre_mm=centre_mm, dot_mm=dot_mm)] = LETTER_HU
    third = 1 / 3
    dot_mm = 0.16 * radius_mm / GLYPH_ROWS
    centre_mm = (0.0, -0.15 * radius_mm)
    hu[draw_text("F", x, y, centre_mm=centre_mm, dot_mm=dot_mm) & (height < -third)] = LETTER_HU
    hu[draw_text("H", x, y, centre_mm=centre_mm, dot_mm=dot_mm) & (height > third)] = LETTER_HU


def _dataset(shape: PhantomShape, slice_index: int) -> FileDataset:
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = UID(shape.uid("instance", slice_index))
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    dataset = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    _describe_study(dataset, shape)
    _describe_image(dataset, shape, slice_index)
    _put_pixels(dataset, build_hu(shape, slice_index))
    return dataset


def _describe_study(dataset: Dataset, shape: PhantomShape) -> None:
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = shape.patient_name
    dataset.PatientID = shape.patient_id
    dataset.PatientBirthDate = "20000101"
    dataset.PatientSex = "O"
    dataset.StudyInstanceUID = shape.uid("study")
    dataset.StudyDate = shape.study_date
    dataset.StudyTime = "120000"
    dataset.ReferringPhysicianName = ""
    dataset.StudyID = str(shape.seed)
    dataset.AccessionNumber = f"PHANTOM{shape.seed}"
    dataset.StudyDescription = "CT phantom"
    dataset.Modality = "CT"
    dataset.SeriesInstanceUID = shape.uid("series")
    dataset.SeriesNumber = 1
    dataset.BodyPartExamined = "ABDOMEN"
    dataset.SeriesDescription = f"Phantom {shape.columns}x{shape.rows}x{shape.slices}"
    dataset.SeriesDate = shape.study_date
    dataset.SeriesTime = "120000"
    dataset.PatientPosition = "HFS"
    dataset.FrameOfReferenceUID = shape.uid("frame of reference")
    dataset.PositionReferenceIndicator = ""
    dataset.Manufacturer = "Noctis"
    dataset.ManufacturerModelName = "Phantom"
    dataset.DeviceSerialNumber = str(shape.seed)
    dataset.SoftwareVersions = IMPLEMENTATION_VERSION_NAME


def _describe_image(dataset: Dataset, shape: PhantomShape, slice_index: int) -> None:
    position = [write_decimal(value) for value in shape.position_lps(slice_index)]
    dataset.InstanceNumber = slice_index + 1
    dataset.AcquisitionNumber = 1
    dataset.ContentDate = shape.study_date
    dataset.ContentTime = "120000"
    dataset.AcquisitionDate = shape.study_date
    dataset.AcquisitionTime = "120000"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.BurnedInAnnotation = "NO"
    dataset.ImagePositionPatient = position
    dataset.ImageOrientationPatient = [
        "1",
        "0",
        "0",
        *(write_decimal(value) for value in shape.column_direction),
    ]
    dataset.PixelSpacing = [write_decimal(value) for value in shape.spacing_mm]
    dataset.SliceThickness = write_decimal(shape.thickness_mm)
    tilt = math.cos(math.radians(shape.tilt_deg))
    dataset.SpacingBetweenSlices = write_decimal(shape.step_mm * tilt)
    middle_z = (slice_index - (shape.slices - 1) / 2) * shape.step_mm
    dataset.SliceLocation = write_decimal(middle_z)
    dataset.GantryDetectorTilt = write_decimal(shape.tilt_deg)
    dataset.KVP = "120"
    dataset.WindowCenter = "40"
    dataset.WindowWidth = "400"
    dataset.RescaleIntercept = str(_INTERCEPT_HU)
    dataset.RescaleSlope = "1"
    dataset.RescaleType = "HU"


def _put_pixels(dataset: Dataset, hu: HuSlice) -> None:
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = hu.shape
    dataset.BitsAllocated = 16
    dataset.BitsStored = _BITS_STORED
    dataset.HighBit = _BITS_STORED - 1
    dataset.PixelRepresentation = 0
    stored = np.clip(hu.astype(np.int32) - _INTERCEPT_HU, 0, (1 << _BITS_STORED) - 1)
    dataset.PixelData = stored.astype("<u2").tobytes()
    dataset["PixelData"].VR = "OW"


def write_decimal(value: float) -> str:
    """Return a decimal string of at most 16 characters (PS3.5 6.2, DS)."""
    return f"{value:.9g}" if value else "0"
