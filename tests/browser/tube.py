"""A CT of a bent tube of known width, for the test of curved pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.unit.imaging.build import image, written

ROOT = "1.2.826.0.1.3680043.8.498.782"
# Voxels of 1 mm; (x, y, z) are the centres of columns, rows and slices.
SHAPE = (64, 24, 64)
FIRST = (-32.0, -12.0, -32.0)
RADIUS_MM, WIDTH_MM = 35.0, 8.0
MIDDLE = (-30.0, 0.0, 0.0)
INSIDE, OUTSIDE = 300, -100


def write_tube(folder: Path) -> str:
    """Write the CT; return the study's UID. The tube follows a circle about MIDDLE, in y = 0."""
    k, j, i = np.indices(SHAPE)
    x, y, z = FIRST[0] + i, FIRST[1] + j, FIRST[2] + k
    from_circle = np.hypot(np.hypot(x - MIDDLE[0], z - MIDDLE[2]) - RADIUS_MM, y - MIDDLE[1])
    # What a voxel holds of the tube's edge, so that the surface lies where it is.
    share = np.clip(WIDTH_MM / 2 - from_circle + 0.5, 0, 1)
    values = np.rint(OUTSIDE + share * (INSIDE - OUTSIDE)).astype(np.int16)
    for number in range(SHAPE[0]):
        made = image(
            values[number] + np.int16(1024), SOPClassUID="1.2.840.10008.5.1.4.1.1.2",
            Modality="CT", PatientName="Tube^Tim", PatientID="TUBE-1", SeriesNumber=1,
            StudyInstanceUID=f"{ROOT}.1", SeriesInstanceUID=f"{ROOT}.1.1",
            SOPInstanceUID=f"{ROOT}.1.1.{number + 1}", InstanceNumber=number + 1,
            FrameOfReferenceUID=f"{ROOT}.1.9", ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
            ImagePositionPatient=[FIRST[0], FIRST[1], FIRST[2] + number], PixelSpacing=[1, 1],
            SliceThickness=1, RescaleSlope=1, RescaleIntercept=-1024, RescaleType="HU",
            WindowCenter=100, WindowWidth=600,
        )  # fmt: skip
        (folder / f"{number}.dcm").write_bytes(written(made))
    return f"{ROOT}.1"
