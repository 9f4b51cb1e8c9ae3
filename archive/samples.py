"""Which of pydicom's bundled real files are worth looking at."""

from __future__ import annotations

from pathlib import Path

import pydicom.data

# One file for each thing to see; variants of one object that share its UID are left out.
_FILES = (
    "693_J2KI.dcm",
    "CT_small.dcm",
    "ExplVR_BigEnd.dcm",
    "JPEG2000.dcm",
    "J2K_pixelrep_mismatch.dcm",
    "MR_small.dcm",
    "SC_rgb_jpeg_dcmtk.dcm",
    "SC_rgb_dcmtk_+eb+cr.dcm",
    "SC_ybr_full_422_uncompressed.dcm",
    "examples_overlay.dcm",
    "examples_palette.dcm",
    "examples_rgb_color.dcm",
    "examples_ybr_color.dcm",
    "image_dfl.dcm",
    "liver_1frame.dcm",
    "rtdose.dcm",
    "rtplan.dcm",
    "reportsi.dcm",
    "test-SR.dcm",
    "waveform_ecg.dcm",
)
# Two persons with CR, CT and MR series, as a CD carries them.
_FOLDERS = ("dicomdirtests/77654033", "dicomdirtests/98892001", "dicomdirtests/98892003")


def find_samples() -> list[Path]:
    """Return the files and folders that lie in pydicom's package; nothing is downloaded."""
    root = Path(pydicom.data.__file__).parent / "test_files"
    wanted = [root / name for name in (*_FILES, *_FOLDERS)]
    return [path for path in wanted if path.exists()]
