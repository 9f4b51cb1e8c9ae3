"""How much memory jobs take over what was there before, with a very long series.

    python -m bench.reconstruction_memory [--slices 2000] [--size 512]

The phantom is stored and its volume built; each kind runs once on a short series before it is
measured, so that compiled code and libraries count for nothing. A thread looks at the resident
memory every few milliseconds. Told are the peak over the start, and how much of it is the
process' own: the rest are pages of mapped files, which the system takes back when it likes.
"""

from __future__ import annotations

import argparse
import io
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.uid import generate_uid

from archive.phantom import PhantomShape, build_datasets
from bench.reconstruction import make_home

_PAGE = os.sysconf("SC_PAGE_SIZE")
_WISHES: dict[str, dict[str, Any]] = {
    "mpr": {"plane": "coronal", "spacing_mm": 4, "output": ["dicom", "nifti", "png"]},
    "mip": {"plane": "coronal", "output": ["dicom", "png"]},
    "rotating_mip": {"views": 72},
    "curved": {"points": [[-100, -60, -90], [40, 50, 0], [100, 60, 90]], "views": 4},
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=2000)
    parser.add_argument("--size", type=int, default=512)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="noctis-bench-") as name:
        folder = Path(name)
        make_home(folder)
        short, long = _store(40, 64), _store(options.slices, options.size)
        for kind, wish in _WISHES.items():
            _measure(kind, wish, (short, long), folder)
    return 0


def _store(slices: int, size: int) -> Any:
    """Store slices of one phantom's picture, moved on by a row from slice to slice."""
    from archive.ingest import Source, ingest_file  # noqa: PLC0415
    from archive.models import Series  # noqa: PLC0415

    shape = PhantomShape(rows=size, columns=size, slices=3, spacing_mm=(0.7, 0.7), seed=slices)
    one = list(build_datasets(shape))[1]
    pixels = one.pixel_array
    series_key = None
    for number in range(slices):
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        one.InstanceNumber = number + 1
        one.ImagePositionPatient = [-100, -100, round(0.7 * (number - slices / 2), 3)]
        one.PixelData = np.roll(pixels, number, axis=0).tobytes()
        file = io.BytesIO()
        one.save_as(file, enforce_file_format=True)
        file.seek(0)
        outcome = ingest_file(Source(door="bench", sender="BENCH", facility_id=None), file)
        series_key = outcome.series_id
    assert series_key is not None
    return Series.objects.select_related("study__patient").get(pk=series_key)


def _measure(kind: str, wish: dict[str, Any], series: tuple[Any, Any], folder: Path) -> None:
    from accounts.models import User  # noqa: PLC0415
    from reconstruction.kinds import load_kind  # noqa: PLC0415
    from reconstruction.volume_files import release_pages  # noqa: PLC0415
    from reconstruction.work import Work  # noqa: PLC0415

    person, _made = User.objects.get_or_create(username="bench", is_superuser=True, role="admin")
    module = load_kind(kind)
    for number, one in enumerate(series):
        room = folder / f"{kind}{number}"
        room.mkdir()
        work = Work(series=one, person=person, folder=room)
        while True:
            try:
                release_pages(work.open_volume())
                break
            except TimeoutError:
                continue
        with _Watch() as watch:
            module.run(work, module.parse(wish))
        output = sum(path.stat().st_size for path in room.iterdir())
    print(
        f"  {kind:<13} {watch.most_all >> 20:5d} MB over the start, {watch.most_own >> 20:5d} MB "
        f"of them its own; wrote {output >> 20} MB in {watch.spent_s:.1f} s",
        flush=True,
    )


def _resident() -> tuple[int, int]:
    """Return resident bytes: all of them, and those of mapped files."""
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * _PAGE, int(fields[2]) * _PAGE


class _Watch:
    """Keeps the most that was resident while something ran."""

    def __init__(self) -> None:
        self.most_all = self.most_own = 0
        self.spent_s = 0.0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> _Watch:
        self._start, files = _resident()
        self._start_own = self._start - files
        self._began = time.perf_counter()
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.spent_s = time.perf_counter() - self._began
        self._is_over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._is_over.wait(0.002):
            now, files = _resident()
            self.most_all = max(self.most_all, now - self._start)
            self.most_own = max(self.most_own, now - files - self._start_own)


if __name__ == "__main__":
    raise SystemExit(main())
