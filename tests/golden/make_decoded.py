"""Write decoded.json: what other programs than ours make of every real file.

Run by hand, in an environment of its own that has pydicom, pylibjpeg, pylibjpeg-libjpeg,
pylibjpeg-openjpeg and pylibjpeg-rle, with DCMTK and Grok installed:

    python tests/golden/make_decoded.py pydicom=FOLDER data=FOLDER > tests/golden/decoded.json

Nothing of Noctis is imported: the values are those of the other programs alone.
"""

import hashlib
import io
import json
import logging
import subprocess
import sys
import tempfile
import warnings
import zlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.encaps import generate_frames
from pydicom.pixels.processing import apply_color_lut
from pydicom.pixels.utils import pixel_array

NOT_DICOM = {".md", ".zip", ".gz", ".txt", ".json", ".py", ".pyc", ".icc", ".dump", ".toml"}
PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
J2K = {f"1.2.840.10008.1.2.4.{n}" for n in (90, 91)}
HTJ2K = {f"1.2.840.10008.1.2.4.{n}" for n in (201, 202, 203)}
JPEG = {f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 57, 70)}
JPEG_LS = {f"1.2.840.10008.1.2.4.{n}" for n in (80, 81)}
LOSSY = {f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 91, 203)}
ALL_FRAMES_BYTES = 4 << 20


def chosen(count: int, frame_bytes: int) -> list[int]:
    """All frames of small objects, else the first, the middle and the last."""
    if count * frame_bytes <= ALL_FRAMES_BYTES:
        return list(range(count))
    return sorted({0, count // 2, count - 1})


def stored_values(pixels: np.ndarray, ds: pydicom.Dataset) -> np.ndarray:
    """Keep the stored bits of allocated ones and extend the sign (PS3.5 8.1.1)."""
    if pixels.dtype.kind == "f" or ds.BitsAllocated == 1:
        return pixels
    bits = ds.BitsStored
    signed = ds.get("PixelRepresentation", 0) == 1
    kind = f"{'i' if signed else 'u'}{max(ds.BitsAllocated, 8) // 8}"
    low = ds.HighBit + 1 - bits if ds.HighBit + 1 >= bits else 0
    values = (pixels.astype(np.int64) >> low) & ((1 << bits) - 1)
    if signed:
        values = np.where(values >> (bits - 1), values - (1 << bits), values)
    cast: np.ndarray = values.astype(kind)
    return cast


def frame_count(ds: pydicom.Dataset) -> int:
    value = str(ds.get("NumberOfFrames") or 1)
    return int(value) if value.isdigit() else 1


def by_grok(data: bytes, ds: pydicom.Dataset) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        kind = "jp2" if data[4:8] == b"jP  " else "j2k"
        source, out = Path(folder) / f"a.{kind}", Path(folder) / "a.rawl"
        source.write_bytes(data)
        run = ["grk_decompress", "-i", str(source), "-o", str(out)]
        subprocess.run(run, check=True, capture_output=True, timeout=60)
        raw = out.read_bytes()
    shape = (ds.SamplesPerPixel, ds.Rows, ds.Columns)
    width = len(raw) // int(np.prod(shape))
    planes = np.frombuffer(raw, f"<u{width}").reshape(shape)
    return planes[0] if shape[0] == 1 else planes.transpose(1, 2, 0)


def by_dcmtk(path: Path, program: str, frame: int) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.dcm"
        subprocess.run([program, path, out], check=True, capture_output=True, timeout=60)
        decoded = pydicom.dcmread(out)
        return pixel_array(decoded, index=frame)


def by_gdcm(path: Path, ds: pydicom.Dataset, frame: int) -> np.ndarray:
    """Decode with gdcmconv to native pixels, read those."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.dcm"
        run = ["gdcmconv", "--raw", str(path), str(out)]
        subprocess.run(run, check=True, capture_output=True, timeout=60)
        return pixel_array(out, index=frame)


def by_hand(ds: pydicom.Dataset, frame: int) -> np.ndarray:
    """Inflate a deflated frame of one-bit pixels (PS3.5 A.4.11)."""
    packed = list(generate_frames(ds.PixelData, number_of_frames=frame_count(ds)))[frame]
    raw = zlib.decompressobj(-15).decompress(packed)
    bits = np.unpackbits(np.frombuffer(raw, np.uint8), bitorder="little")
    return bits[: ds.Rows * ds.Columns].reshape(ds.Rows, ds.Columns)


def unpack_bits(ds: pydicom.Dataset, frame: int) -> np.ndarray:
    """Expand the one RLE segment of a frame of one-bit pixels (PS3.5 G.3.2), by hand."""
    packed = list(generate_frames(ds.PixelData, number_of_frames=frame_count(ds)))[frame][64:]
    raw, at, size = bytearray(), 0, (ds.Rows * ds.Columns + 7) // 8
    while at + 1 < len(packed) and len(raw) < size:
        control = packed[at]
        if control < 128:
            raw += packed[at + 1 : at + 2 + control]
            at += 2 + control
        else:
            raw += packed[at + 1 : at + 2] * (257 - control if control > 128 else 0)
            at += 2 if control > 128 else 1
    bits = np.unpackbits(np.frombuffer(raw, np.uint8), bitorder="little")
    return bits[: ds.Rows * ds.Columns].reshape(ds.Rows, ds.Columns)


def is_cut_short(ds: pydicom.Dataset) -> bool:
    """Whether uncompressed pixels are fewer than described; some programs fill the rest."""
    if "PixelData" not in ds or ds["PixelData"].is_undefined_length:
        return False
    if ds.file_meta.TransferSyntaxUID.is_encapsulated or "422" in ds.PhotometricInterpretation:
        return False
    count = ds.Rows * ds.Columns * ds.SamplesPerPixel * frame_count(ds)
    return bool(len(ds.PixelData) * 8 < count * ds.BitsAllocated)


def mended(path: Path) -> pydicom.Dataset:
    """Read a file whose pixels lack their end mark as if it were there."""
    end = b"\xfe\xff\xdd\xe0\0\0\0\0"
    return pydicom.dcmread(io.BytesIO(path.read_bytes() + end), force=True)


def any_oracle(path: Path, ds: pydicom.Dataset, frame: int) -> tuple[np.ndarray, str]:
    try:
        return oracle_frame(path, ds, frame)
    except Exception:  # noqa: BLE001 - whatever its reason, the next program is asked
        if str(ds.file_meta.TransferSyntaxUID) == "1.2.840.10008.1.2.8.1":
            return by_hand(ds, frame), "zlib"
        if str(ds.file_meta.TransferSyntaxUID) == "1.2.840.10008.1.2.5":
            if ds.BitsAllocated == 1:
                return unpack_bits(ds, frame), "PS3.5 G.3.2 by hand"
            return by_dcmtk(path, "dcmdrle", frame), "dcmdrle"
        return by_gdcm(path, ds, frame), "gdcmconv"


def oracle_frame(path: Path, ds: pydicom.Dataset, frame: int) -> tuple[np.ndarray, str]:
    syntax = str(ds.file_meta.get("TransferSyntaxUID", ""))
    count = frame_count(ds)
    if syntax in J2K:
        data = list(generate_frames(ds.PixelData, number_of_frames=count))[frame]
        return by_grok(data, ds), "grk_decompress"
    if syntax in JPEG:
        try:
            return by_dcmtk(path, "dcmdjpeg", frame), "dcmdjpeg"
        except (subprocess.SubprocessError, ValueError, AttributeError):
            plugin = "pylibjpeg-libjpeg"
    elif syntax in JPEG_LS:
        plugin = "pylibjpeg-libjpeg"
    elif syntax in HTJ2K:
        plugin = "pylibjpeg-openjpeg"
    elif syntax == "1.2.840.10008.1.2.5":
        plugin = "pylibjpeg-rle"
    else:
        return pixel_array(ds, index=frame), "pydicom"
    return pixel_array(ds, index=frame, decoding_plugin="pylibjpeg"), plugin


def described(path: Path) -> pydicom.Dataset | str:
    """Return a data set whose pixels may be decoded, or why not."""
    try:
        ds: pydicom.Dataset = pydicom.dcmread(path, force=True)
        if not any(name in ds for name in PIXELS) and b"\xe0\x7f\x10\0O" in path.read_bytes():
            ds = mended(path)
    except Exception as error:  # noqa: BLE001 - whatever the reader says is the reason
        return f"pydicom cannot read it ({type(error).__name__})"
    if not any(name in ds for name in PIXELS):
        return "no pixels"
    if not hasattr(ds, "file_meta"):
        ds.file_meta = pydicom.dataset.FileMetaDataset()
    if not isinstance(ds.get("Rows"), int) or "BitsAllocated" not in ds:
        return "its pixels are not described"
    if not ds.file_meta.get("TransferSyntaxUID"):
        ds.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
    return "its pixels are cut short" if is_cut_short(ds) else ds


def canonical(pixels: np.ndarray, ds: pydicom.Dataset) -> np.ndarray:
    """Bring pixels to the form that is compared: stored values, or RGB of 8 bits by palette."""
    if ds.get("PhotometricInterpretation") != "PALETTE COLOR":
        return np.ascontiguousarray(stored_values(pixels, ds))
    pixels = apply_color_lut(pixels, ds)
    return (pixels >> 8).astype(np.uint8) if pixels.dtype == np.uint16 else pixels


def row_of(path: Path) -> dict[str, Any]:
    ds = described(path)
    if isinstance(ds, str):
        return {"reason": ds}
    count = frame_count(ds)
    size = ds.Rows * ds.Columns * ds.get("SamplesPerPixel", 1) * max(ds.BitsAllocated, 8) // 8
    frames, digest = chosen(count, size), hashlib.sha256()
    grids: dict[int, list[int]] = {}
    row: dict[str, Any] = {}
    for frame in frames:
        try:
            pixels, program = any_oracle(path, ds, frame)
        except Exception as error:  # noqa: BLE001 - no other program here decodes it
            return {"reason": f"no other program decodes it ({type(error).__name__})"}
        pixels = canonical(pixels, ds)
        shape = "x".join(map(str, pixels.shape))
        digest.update(f"{pixels.dtype.str} {shape}\n".encode() + pixels.tobytes())
        if frame in (frames[0], frames[-1]):
            rows, columns = (np.linspace(0, n - 1, 10).astype(int) for n in pixels.shape[:2])
            grids[frame] = pixels[np.ix_(rows, columns)].ravel().tolist()
        row = {"oracle": program, "frames": frames, "shape": list(pixels.shape)}
    is_ybr = ds.get("PhotometricInterpretation", "").startswith("YBR")
    if is_ybr or str(ds.file_meta.TransferSyntaxUID) in LOSSY:
        return row | {"limit": 2, "grids": grids}
    return row | {"sha256": digest.hexdigest()}


def main() -> None:
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore")
    files = {}
    for argument in sys.argv[1:]:
        name, root = argument.split("=", 1)
        for path in sorted(Path(root).rglob("*")):
            if path.is_file() and path.suffix not in NOT_DICOM and path.name != "README":
                files[f"{name}/{path.relative_to(root).as_posix()}"] = row_of(path)
    names = ("pydicom", "pylibjpeg-libjpeg", "pylibjpeg-openjpeg", "pylibjpeg-rle")
    programs = {name: version(name) for name in names}
    for program, option in (
        ("dcmdjpeg", "--version"), ("dcmdrle", "--version"), ("gdcmconv", "--version"),
    ):  # fmt: skip
        said = subprocess.run([program, option], capture_output=True, text=True, check=False)
        programs[program] = (said.stdout + said.stderr).strip().splitlines()[0].strip("$ ")[:80]
    said = subprocess.run(
        ["dpkg-query", "-Wf", "${Version}", "grokj2k-tools"], capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    programs["grk_decompress"] = said.stdout
    rows = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in files.items())
    print('{"programs": ' + json.dumps(programs) + ',\n"files": {\n' + rows + "\n}}")


if __name__ == "__main__":
    main()
