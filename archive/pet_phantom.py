"""A PET of known uptake beside the CT phantom: one study, one frame of reference, other voxels.

Hot spheres lie at known places in mm and hold known uptake, so that a fused picture, an uptake
value and its place can be foretold. Slices have slopes of their own, as scanners write them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, PositronEmissionTomographyImageStorage

from archive.phantom import PhantomShape, build_datasets, write_decimal

Vector = tuple[float, float, float]

DOSE_BQ = 370e6
HALF_LIFE_S = 6586.2
WEIGHT_KG = 75.0
SIZE_M = 1.80
UPTAKE_MINUTES = 60
LIVER_SUV = 1.0
_TOP = 32767
_OF_CT = (
    "KVP", "GantryDetectorTilt", "RescaleType", "SliceLocation", "WindowCenter", "WindowWidth",
    "SpacingBetweenSlices", "AcquisitionNumber", "PatientPosition",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Sphere:
    """A ball of even uptake; its centre in LPS, mm."""

    centre_mm: Vector
    radius_mm: float
    suv: float


@dataclass(frozen=True, kw_only=True)
class PetShape:
    """The voxels of the PET: in the middle of the CT, seen as `row` and `column` say.

    Spacing is between rows, columns and slices; slices go along row x column.
    """

    rows: int = 128
    columns: int = 128
    slices: int = 60
    spacing_mm: Vector = (2.8, 2.8, 2.5)
    row: Vector = (1.0, 0.0, 0.0)
    column: Vector = (0.0, 1.0, 0.0)

    @property
    def normal(self) -> Vector:
        """Direction from slice to slice, lps."""
        made = np.cross(self.row, self.column)
        return float(made[0]), float(made[1]), float(made[2])

    def position_lps(self, slice_index: int) -> Vector:
        """Return the centre of a slice's first voxel; the stack is centred on 0."""
        place = (
            -(self.columns - 1) / 2 * self.spacing_mm[1] * np.array(self.row)
            - (self.rows - 1) / 2 * self.spacing_mm[0] * np.array(self.column)
            + (slice_index - (self.slices - 1) / 2) * self.spacing_mm[2] * np.array(self.normal)
        )
        return float(place[0]), float(place[1]), float(place[2])


def pet_beside(ct: PhantomShape) -> PetShape:
    """Return a PET that sees a little more than the CT, in voxels of 4 x 4 x 3 mm."""
    height_mm, width_mm = ct.rows * ct.spacing_mm[0], ct.columns * ct.spacing_mm[1]
    rows, columns = (math.ceil(1.1 * length / 4) for length in (height_mm, width_mm))
    slices = math.ceil(1.1 * ct.slices * ct.step_mm / 3) + 2
    return PetShape(rows=rows, columns=columns, slices=slices, spacing_mm=(4.0, 4.0, 3.0))


def spheres_of(ct: PhantomShape) -> tuple[Sphere, ...]:
    """Return the hot spheres: in the CT's bone, behind, in front, and one far from the middle."""
    radius = 0.42 * min(ct.rows * ct.spacing_mm[0], ct.columns * ct.spacing_mm[1])
    height = ct.step_mm * (ct.slices - 1) / 2
    return (
        Sphere(centre_mm=(0.55 * radius, 0.0, 0.0), radius_mm=0.15 * radius, suv=8.0),
        Sphere(centre_mm=(0.0, 0.5 * radius, 0.3 * height), radius_mm=0.12 * radius, suv=5.0),
        Sphere(centre_mm=(-0.3 * radius, -0.3 * radius, 0.0), radius_mm=0.1 * radius, suv=12.0),
        Sphere(
            centre_mm=(0.3 * radius, 0.3 * radius, -0.6 * height), radius_mm=0.1 * radius, suv=4.0
        ),
    )


def bq_per_suv() -> float:
    """Return the activity of a SUV of 1 by weight at the start of the scan, Bq/ml."""
    left_bq = DOSE_BQ * 2.0 ** (-UPTAKE_MINUTES * 60 / HALF_LIFE_S)
    return float(left_bq / (WEIGHT_KG * 1000))


def build_pet_ct(ct: PhantomShape, pet: PetShape) -> Iterator[FileDataset]:
    """Yield the CT's images, then those of the PET, one at a time."""
    for dataset in build_datasets(ct):
        yield _as_part(dataset, ct)
    for slice_index in range(pet.slices):
        yield _pet_image(ct, pet, slice_index)


def build_suv(ct: PhantomShape, pet: PetShape, slice_index: int) -> npt.NDArray[np.float64]:
    """Return one slice of the PET in SUV by weight, (rows, columns)."""
    j, i = np.indices((pet.rows, pet.columns), dtype=np.float64)
    origin = pet.position_lps(slice_index)
    x, y, z = (
        origin[axis]
        + i * pet.spacing_mm[1] * pet.row[axis]
        + j * pet.spacing_mm[0] * pet.column[axis]
        for axis in range(3)
    )
    radius = 0.42 * min(ct.rows * ct.spacing_mm[0], ct.columns * ct.spacing_mm[1])
    body = (x / (0.92 * radius)) ** 2 + (y / (0.72 * radius)) ** 2 <= 1
    suv: npt.NDArray[np.float64] = np.where(body, LIVER_SUV, 0.0)
    for one in spheres_of(ct):
        cx, cy, cz = one.centre_mm
        suv[(x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2 <= one.radius_mm**2] = one.suv
    return suv


def _as_part(dataset: FileDataset, ct: PhantomShape) -> FileDataset:
    """Return an image of the CT as part of the study of both."""
    sop_instance_uid = UID(ct.uid("pet-ct", dataset.SOPInstanceUID))
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = sop_instance_uid
    dataset.SeriesInstanceUID = ct.uid("pet-ct", "ct")
    _describe_both(dataset, ct)
    return dataset


def _describe_both(dataset: Dataset, ct: PhantomShape) -> None:
    dataset.StudyInstanceUID = ct.uid("pet-ct", "study")
    dataset.FrameOfReferenceUID = ct.uid("pet-ct", "frame of reference")
    dataset.StudyDescription = "PET/CT phantom"
    dataset.PatientSex = "M"
    dataset.PatientWeight = write_decimal(WEIGHT_KG)
    dataset.PatientSize = write_decimal(SIZE_M)


def _pet_image(ct: PhantomShape, pet: PetShape, slice_index: int) -> FileDataset:
    # What both have in common comes from the CT's first image.
    dataset = next(build_datasets(ct))
    for name in _OF_CT:
        if name in dataset:
            delattr(dataset, name)
    meta = dataset.file_meta
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID = PositronEmissionTomographyImageStorage
    meta.MediaStorageSOPInstanceUID = UID(ct.uid("pet-ct", pet, slice_index))
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    _describe_both(dataset, ct)
    _describe_series(dataset, ct, pet)
    _describe_place(dataset, pet, slice_index)
    _put_activity(dataset, build_suv(ct, pet, slice_index) * bq_per_suv())
    return dataset


def _describe_series(dataset: Dataset, ct: PhantomShape, pet: PetShape) -> None:
    scan = datetime.strptime(f"{ct.study_date}120000", "%Y%m%d%H%M%S")  # noqa: DTZ007
    injected = scan - timedelta(minutes=UPTAKE_MINUTES)
    dataset.Modality = "PT"
    dataset.SeriesInstanceUID = ct.uid("pet-ct", pet)
    dataset.SeriesNumber = 2
    dataset.SeriesDescription = "PET AC FDG phantom"
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    dataset.SeriesType = ["STATIC", "IMAGE"]
    dataset.Units, dataset.CountsSource = "BQML", "EMISSION"
    dataset.CorrectedImage = ["NORM", "DTIM", "ATTN", "SCAT", "DECY", "RAN"]
    dataset.DecayCorrection, dataset.CollimatorType = "START", "NONE"
    dataset.AttenuationCorrectionMethod = "measured"
    dataset.ActualFrameDuration, dataset.FrameReferenceTime = "120000", "0"
    dataset.DecayFactor = "1"
    dataset.NumberOfSlices = pet.slices
    dataset.PatientGantryRelationshipCodeSequence = Sequence()
    dataset.PatientOrientationCodeSequence = Sequence()
    tracer = Dataset()
    tracer.Radiopharmaceutical = "Fluorodeoxyglucose"
    tracer.RadiopharmaceuticalStartDateTime = injected.strftime("%Y%m%d%H%M%S")
    tracer.RadiopharmaceuticalStartTime = injected.strftime("%H%M%S")
    tracer.RadionuclideTotalDose = write_decimal(DOSE_BQ)
    tracer.RadionuclideHalfLife = write_decimal(HALF_LIFE_S)
    nuclide = Dataset()
    nuclide.CodeValue, nuclide.CodingSchemeDesignator = "77004003", "SCT"
    nuclide.CodeMeaning = "^18^Fluorine"
    tracer.RadionuclideCodeSequence = Sequence([nuclide])
    dataset.RadiopharmaceuticalInformationSequence = Sequence([tracer])


def _describe_place(dataset: Dataset, pet: PetShape, slice_index: int) -> None:
    # Scanners number PET from the head down.
    dataset.InstanceNumber = dataset.ImageIndex = pet.slices - slice_index
    position = pet.position_lps(slice_index)
    dataset.ImagePositionPatient = [write_decimal(value) for value in position]
    dataset.ImageOrientationPatient = [write_decimal(value) for value in (*pet.row, *pet.column)]
    dataset.PixelSpacing = [write_decimal(value) for value in pet.spacing_mm[:2]]
    dataset.SliceThickness = write_decimal(pet.spacing_mm[2])


def _put_activity(dataset: Dataset, bq_per_ml: npt.NDArray[np.float64]) -> None:
    slope = float(write_decimal(max(float(bq_per_ml.max()), 1.0) / _TOP))
    dataset.RescaleIntercept, dataset.RescaleSlope = "0", write_decimal(slope)
    dataset.Rows, dataset.Columns = bq_per_ml.shape
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 15, 1
    dataset.PixelData = np.rint(bq_per_ml / slope).clip(0, _TOP).astype("<i2").tobytes()


def turned(degrees: float, about: int) -> tuple[Vector, Vector]:
    """Return row and column of slices that are turned about an axis of the patient (0, 1, 2)."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    matrix = np.eye(3)
    a, b = [axis for axis in range(3) if axis != about]
    matrix[a, a] = matrix[b, b] = cos
    matrix[a, b], matrix[b, a] = -sin, sin
    row, column = matrix[:, 0], matrix[:, 1]
    return (row[0], row[1], row[2]), (column[0], column[1], column[2])
