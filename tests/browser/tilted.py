"""A small tilted CT with a sheet that stands aslant in it, for the tests of planes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.unit.imaging.build import image, written

ROOT = "1.2.826.0.1.3680043.8.498.779"
SHAPE = (16, 32, 40)
# The voxel (20, 16, 8) lies at (0, 0, 0): there the planes cross at first.
ORIGIN, STEP = (-30.0, -38.4, -24.0), (0.0, 0.8, 3.0)
BETWEEN_COLUMNS, BETWEEN_ROWS = 1.5, 2.0
SHEET_DEG = 30
SHEET = 3000


def write_tilted(folder: Path) -> str:
    """Write the CT, and a series of two slices of it; return the study's UID.

    The sheet is 7 mm thick, upright, and turned from the left towards the back by SHEET_DEG.
    """
    k, j, i = np.indices(SHAPE)
    x = ORIGIN[0] + BETWEEN_COLUMNS * i
    y = ORIGIN[1] + BETWEEN_ROWS * j + STEP[1] * k
    aside = y * np.cos(np.radians(SHEET_DEG)) - x * np.sin(np.radians(SHEET_DEG))
    values = np.where(np.abs(aside) < 3.5, SHEET, (37 * i + 101 * j + 53 * k) % 997).astype(
        np.int16
    )
    for series, count in ((1, SHAPE[0]), (2, 2)):
        for number in range(count):
            at = [round(a + number * b, 3) for a, b in zip(ORIGIN, STEP, strict=True)]
            made = image(
                values[number] + np.int16(1024), SOPClassUID="1.2.840.10008.5.1.4.1.1.2",
                Modality="CT", PatientName="Planes^Pia", PatientID="PLANES-1", SeriesNumber=series,
                StudyInstanceUID=f"{ROOT}.1", SeriesInstanceUID=f"{ROOT}.1.{series}",
                SOPInstanceUID=f"{ROOT}.1.{series}.{number + 1}", InstanceNumber=number + 1,
                FrameOfReferenceUID=f"{ROOT}.1.9", ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
                ImagePositionPatient=at, PixelSpacing=[BETWEEN_ROWS, BETWEEN_COLUMNS],
                SliceThickness=3, RescaleSlope=1, RescaleIntercept=-1024, RescaleType="HU",
                WindowCenter=1500, WindowWidth=3000,
            )  # fmt: skip
            (folder / f"{series}-{number}.dcm").write_bytes(written(made))
    return f"{ROOT}.1"
