"""Small studies for the tests of panes: CT in two planes with a prior, mammograms in four views."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.unit.imaging.build import image, written

ROOT = "1.2.826.0.1.3680043.8.498.777"
SIDE = 32
SPACING = 4.0
# The prior's table stood elsewhere: the same anatomy lies so much higher, in another frame.
SHIFT = 100.0
CT = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2", "Modality": "CT", "StudyDescription": "CT chest",
      "BodyPartExamined": "CHEST", "PatientName": "Panes^Petra", "PatientID": "PANES-1",
      "PatientBirthDate": "19700102", "PatientSex": "F"}  # fmt: skip
MG = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.2", "Modality": "MG", "BodyPartExamined": "BREAST",
      "PatientName": "Mamma^Mona", "PatientID": "PANES-2", "StudyDate": "20260220",
      "StudyDescription": "Mammography"}  # fmt: skip


def write_ct(folder: Path) -> str:
    """Write a CT of axial and coronal slices, and an older one; return the study's UID.

    Every pixel of axial slice k is 10 k, of coronal slice k 10 k + 5.
    """
    for name, plane, date, study in (
        ("axial", [1, 0, 0, 0, 1, 0], "20260301", 1),
        ("coronal", [1, 0, 0, 0, 0, -1], "20260301", 1),
        ("axial", [1, 0, 0, 0, 1, 0], "20240115", 2),
    ):
        for k in range(SIDE):
            low, here = -SIDE * SPACING / 2, (k - SIDE / 2) * SPACING
            shift = SHIFT if study == 2 else 0.0
            is_axial = name == "axial"
            position = [low, low, here + shift] if is_axial else [low, here, -low - SPACING]
            pixels = np.full((SIDE, SIDE), 10 * k + (0 if is_axial else 5), np.int16)
            _write(
                folder, CT, pixels, f"{study}.{1 if is_axial else 2}", k,
                StudyDate=date, SeriesNumber=1 if is_axial else 2, SeriesDescription=name,
                FrameOfReferenceUID=f"{ROOT}.{study}.9", ImageOrientationPatient=plane,
                ImagePositionPatient=position, PixelSpacing=[SPACING, SPACING],
                SliceThickness=SPACING, RescaleSlope=1, RescaleIntercept=0, RescaleType="HU",
                WindowCenter=160, WindowWidth=320,
            )  # fmt: skip
    return f"{ROOT}.1"


def write_mammograms(folder: Path) -> str:
    """Write four views, the last first, the right MLO acquired mirrored; return the study's UID.

    The chest wall is the bright edge of each picture.
    """
    views = (("L", "MLO"), ("R", "MLO"), ("L", "CC"), ("R", "CC"))
    for number, (side, view) in enumerate(views):
        is_wall_left = side == "L" or (side, view) == ("R", "MLO")
        pixels = np.full((60, 40), 500, np.uint16)
        pixels[:, :3] = 4000
        down = "F" if view == "MLO" else {"L": "R", "R": "L"}[side]
        _write(
            folder, MG, pixels if is_wall_left else pixels[:, ::-1], "3.1", number,
            ImageLaterality=side, ViewPosition=view, ImagerPixelSpacing=[1.0, 1.0],
            PatientOrientation=["A" if is_wall_left else "P", down],
            WindowCenter=2000, WindowWidth=4000, SeriesNumber=1,
        )  # fmt: skip
    return f"{ROOT}.3"


def _write(
    folder: Path, shared: dict[str, Any], pixels: np.ndarray, series: str, number: int, **facts: Any
) -> None:
    study = series.split(".", maxsplit=1)[0]
    made = image(
        np.ascontiguousarray(pixels), **shared, StudyInstanceUID=f"{ROOT}.{study}",
        SeriesInstanceUID=f"{ROOT}.{series}", SOPInstanceUID=f"{ROOT}.{series}.{number + 1}",
        InstanceNumber=number + 1, **facts,
    )  # fmt: skip
    (folder / f"{series}-{number}.dcm").write_bytes(written(made))
