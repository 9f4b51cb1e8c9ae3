"""How fast frames are decoded and read: Noctis beside bare libraries, in the same run.

    python -m bench.decode [--rounds 7] [--seconds 0.3] [--only SUBJECT]

Three subjects. `decode`: `imaging.pixels.decode_frame` beside the bare codec of
imagecodecs and pydicom's `pixel_array`, on the same bytes. `pool`:
`archive.decode.decode_in_pool`, one caller and several, beside the bare codec. `read`:
`archive.frames.read_frame` of uncompressed frames beside opening, seeking and reading the
same bytes. Contenders take turns in short slices; a figure is the median of its slices, a
ratio the median of the slices' ratios, so other work on the machine meets all alike.
Images are this project's own phantom, without noise and with it.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import itertools
import os
import statistics
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import django
import imagecodecs
import numpy as np
from pydicom import dcmwrite
from pydicom.dataset import FileDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from archive.phantom import PhantomShape, build_datasets, build_hu
from imaging.frames import FrameIndex, index_frames
from imaging.header import read_header
from imaging.image_facts import image_facts
from imaging.pixels import PixelDescription, decode_frame

Act = Callable[[], object]
SLICES = 300


@dataclass(frozen=True)
class Case:
    """One frame in one transfer syntax; `bare` is the codec's own call."""

    name: str
    syntax: str
    data: bytes
    bits: int
    pixels: np.ndarray
    bare: Callable[[bytes], object]

    def description(self) -> PixelDescription:
        rows, columns = self.pixels.shape
        allocated = self.pixels.dtype.itemsize * 8
        return PixelDescription(
            rows, columns, 1, "MONOCHROME2", allocated, self.bits, self.bits - 1, 0, 0, self.syntax
        )

    def dataset(self, shape: PhantomShape) -> FileDataset:
        """Return a data set that holds the frame, for pydicom."""
        dataset = next(iter(build_datasets(shape)))
        dataset.file_meta.TransferSyntaxUID = UID(self.syntax)
        dataset.BitsAllocated = self.pixels.dtype.itemsize * 8
        dataset.BitsStored, dataset.HighBit = self.bits, self.bits - 1
        dataset.PixelData = encapsulate([self.data])
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
        return dataset


def phantom_pixels(size: int) -> np.ndarray:
    """Return a slice as stored values of 12 bits, with the noise of a scanner."""
    hu = build_hu(PhantomShape(rows=size, columns=size, slices=3), 1).astype(np.int32)
    noise = np.random.default_rng(7).normal(0, 12, hu.shape).astype(np.int32)
    stored: np.ndarray = np.clip(hu + noise + 1024, 0, 4095).astype("<u2")
    return stored


def make_cases(size: int) -> Iterator[Case]:
    """Yield the frame in every kind of codec that this machine can write."""
    words = phantom_pixels(size)
    octets = (words >> 4).astype(np.uint8)
    yield Case("RLE", "1.2.840.10008.1.2.5", _rle(words), 12, words, _bare_rle)
    baseline = bytes(imagecodecs.jpeg8_encode(octets, level=90))
    yield Case("JPEG baseline 8", _jpeg(50), baseline, 8, octets, imagecodecs.jpeg8_decode)
    yield from _of_jpeg(words)
    near = bytes(imagecodecs.jpegls_encode(words))
    yield Case("JPEG-LS", _jpeg(80), near, 12, words, imagecodecs.jpegls_decode)
    wavelets = bytes(imagecodecs.jpeg2k_encode(words, level=0, codecformat="j2k", bitspersample=12))
    yield Case("JPEG 2000", _jpeg(90), wavelets, 12, words, imagecodecs.jpeg2k_decode)
    blocks = bytes(imagecodecs.htj2k_encode(words))
    yield Case("HTJ2K", _jpeg(201), blocks, 12, words, imagecodecs.htj2k_decode)
    deflater = zlib.compressobj(6, zlib.DEFLATED, -15)
    deflated = deflater.compress(words.tobytes()) + deflater.flush()
    yield Case("deflated frame", "1.2.840.10008.1.2.8.1", deflated, 12, words, _bare_inflate)


def _jpeg(number: int) -> str:
    return f"1.2.840.10008.1.2.4.{number}"


def _bare_rle(data: bytes) -> object:
    return imagecodecs.dicomrle_decode(data, "<u2")


def _bare_inflate(data: bytes) -> object:
    return np.frombuffer(zlib.decompress(data, -15), "<u2")


def _of_jpeg(words: np.ndarray) -> Iterator[Case]:
    """Yield the 12-bit and the lossless JPEG, unless the library was built without them."""
    encoders: dict[int, Callable[[], bytes | bytearray]] = {
        51: lambda: imagecodecs.jpeg8_encode(words, level=90, bitspersample=12),
        70: lambda: imagecodecs.jpeg8_encode(words, lossless=True, bitspersample=12, predictor=1),
    }
    for number, name in ((51, "JPEG extended 12"), (70, "JPEG lossless")):
        try:
            data = bytes(encoders[number]())
            imagecodecs.jpeg8_decode(data)
        except (RuntimeError, ValueError, TypeError) as error:
            print(f"{name} is not measured: {error}")
            continue
        yield Case(name, _jpeg(number), data, 12, words, imagecodecs.jpeg8_decode)


def _rle(words: np.ndarray) -> bytes:
    """Encode by pydicom, whose encoder is part of what it bundles."""
    dataset = next(iter(build_datasets(PhantomShape(rows=64, columns=64, slices=1))))
    dataset.Rows, dataset.Columns = words.shape
    dataset.PixelData = words.tobytes()
    dataset.compress("1.2.840.10008.1.2.5", generate_instance_uid=False)
    from_item = dataset.PixelData.index(b"\xfe\xff\x00\xe0", 8)
    length = int.from_bytes(dataset.PixelData[from_item + 4 : from_item + 8], "little")
    return bytes(dataset.PixelData[from_item + 8 : from_item + 8 + length])


# --- taking turns ---------------------------------------------------------------
def rate_of(act: Act, seconds: float) -> float:
    """Return how often a second `act` ran, for about so long."""
    count, began = 0, time.perf_counter()
    while True:
        act()
        count += 1
        spent = time.perf_counter() - began
        if spent >= seconds:
            return count / spent


def compare(acts: dict[str, Act], *, rounds: int, seconds: float) -> dict[str, list[float]]:
    """Return each contender's rates, one a round; the order alternates."""
    for act in acts.values():
        act()
    rates: dict[str, list[float]] = {name: [] for name in acts}
    for number in range(rounds):
        for name in acts if number % 2 == 0 else reversed(acts):
            rates[name].append(rate_of(acts[name], seconds))
    return rates


def report(case: str, rates: dict[str, list[float]], base: str, *, times: int = 1) -> None:
    """Print medians, and the median ratio of each contender to `base`."""
    cells = []
    for name, values in rates.items():
        ratio = statistics.median(
            one / other for one, other in zip(values, rates[base], strict=True)
        )
        against = "" if name == base else f" ({ratio:.2f})"
        cells.append(f"{name} {statistics.median(values) * times:.0f}/s{against}")
    print(f"  {case:<28} " + ", ".join(cells), flush=True)


# --- subjects -------------------------------------------------------------------
def measure_decoding(options: argparse.Namespace) -> None:
    """Compare `decode_frame` with the bare codec and with pydicom."""
    for size in options.sizes:
        for case in make_cases(size):
            shape = PhantomShape(rows=size, columns=size, slices=1)
            description = case.description()
            _check_same(case, decode_frame(case.data, description))
            dataset = case.dataset(shape)
            acts: dict[str, Act] = {
                "bare codec": partial(case.bare, case.data),
                "Noctis": partial(decode_frame, case.data, description),
            }
            if _pydicom_can(dataset):
                acts["pydicom"] = partial(_decode_by_pydicom, dataset)
            rates = compare(acts, rounds=options.rounds, seconds=options.seconds)
            report(f"{case.name} {size}x{size}", rates, "bare codec")


def _check_same(case: Case, decoded: np.ndarray) -> None:
    is_lossy = case.syntax.endswith((".50", ".51"))
    if not is_lossy and not np.array_equal(decoded, case.pixels):
        raise RuntimeError(f"{case.name} is not decoded to what was encoded")


def _decode_by_pydicom(dataset: FileDataset) -> np.ndarray:
    dataset._pixel_array, dataset._pixel_id = None, {}
    return dataset.pixel_array


def _pydicom_can(dataset: FileDataset) -> bool:
    try:
        _decode_by_pydicom(dataset)
    except (RuntimeError, NotImplementedError, ValueError, AttributeError):
        return False
    return True


def measure_pool(options: argparse.Namespace) -> None:
    """Compare the pool of worker processes with the bare codec."""
    from archive.decode import WORKERS, close_pool, decode_in_pool  # noqa: PLC0415

    callers = ThreadPoolExecutor(WORKERS + 1)
    for case in make_cases(options.sizes[0]):
        description = case.description()

        def one(case: Case = case, description: PixelDescription = description) -> object:
            return decode_in_pool(case.data, description)

        def many(one: Act = one) -> object:
            return [future.result() for future in [callers.submit(one) for _ in range(8)]]

        acts: dict[str, Act] = {"bare codec": partial(case.bare, case.data), "pool": one}
        report(case.name, compare(acts, rounds=options.rounds, seconds=options.seconds),
               "bare codec")  # fmt: skip
        rates = compare({"8 at once": many}, rounds=options.rounds, seconds=options.seconds)
        report("", rates, "8 at once", times=8)
    callers.shutdown()
    close_pool()


def measure_reading(options: argparse.Namespace) -> None:
    """Compare reading of uncompressed frames by offset with plain reads of the same bytes."""
    from archive import storage  # noqa: PLC0415
    from archive.frames import read_frame  # noqa: PLC0415

    shape = PhantomShape(rows=512, columns=512, slices=SLICES)
    datasets = list(build_datasets(shape))
    joined = copy.deepcopy(datasets[0])
    joined.NumberOfFrames = SLICES
    joined.PixelData = b"".join(dataset.PixelData for dataset in datasets)
    folder = storage.root()
    folder.mkdir(parents=True, exist_ok=True)
    series = [make_instance(folder / f"{number}.dcm", one) for number, one in enumerate(datasets)]
    multi = make_instance(folder / "multi.dcm", joined)
    for name, frames in (
        (f"{SLICES} files", [(instance, 0) for instance in series]),
        (f"{SLICES} frames of one", [(multi, number) for number in range(SLICES)]),
    ):
        turns = {kind: itertools.cycle(frames) for kind in ("plain read", "Noctis")}
        places = {
            (instance.storage_key, frame): (
                folder / instance.storage_key, *FrameIndex.from_bytes(
                    bytes(instance.frame_table or b"")).span(frame))
            for instance, frame in frames
        }  # fmt: skip

        def plain(places: Any = places, turn: Any = turns["plain read"]) -> object:
            instance, frame = next(turn)
            path, offset, length = places[instance.storage_key, frame]
            with path.open("rb") as file:
                file.seek(offset)
                return file.read(length)

        def ours(turn: Any = turns["Noctis"]) -> object:
            return read_frame(*next(turn)).data

        rates = compare(
            {"plain read": plain, "Noctis": ours}, rounds=options.rounds, seconds=options.seconds
        )
        report(name, rates, "plain read")


def make_instance(path: Path, dataset: FileDataset) -> Any:
    """Write a file and return the row that ingest would make of it, not saved."""
    from archive.models import Instance  # noqa: PLC0415

    dcmwrite(path, dataset)
    size = path.stat().st_size
    with path.open("rb") as file:
        header = read_header(file, size=size)
        index = index_frames(file, header)
    return Instance(
        storage_key=path.name,
        size_bytes=size,
        number_of_frames=index.count,
        rows=dataset.Rows,
        columns=dataset.Columns,
        image=image_facts(header),
        frame_table=index.to_bytes(),
        transfer_syntax_uid=header.transfer_syntax_uid,
        dataset_sha256=hashlib.sha256(path.name.encode()).hexdigest(),
    )


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench.decode", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="slices a contender (%(default)s)")
    parser.add_argument("--seconds", type=float, default=0.3, help="a slice (%(default)s)")
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 2048])
    parser.add_argument("--only", choices=["decode", "pool", "read"])
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="noctis-bench-") as folder:
        os.environ |= {"NOCTIS_HOME": folder, "DJANGO_SETTINGS_MODULE": "noctis.settings"}
        django.setup()
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; ratios in brackets.")
        for name, measure in _SUBJECTS.items():
            if options.only in (None, name):
                print(name)
                measure(options)
    return 0


_SUBJECTS = {"decode": measure_decoding, "pool": measure_pool, "read": measure_reading}

if __name__ == "__main__":
    raise SystemExit(main())
