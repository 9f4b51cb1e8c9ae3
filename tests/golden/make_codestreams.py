"""Write codestreams.json: compressed pictures no archive at hand holds, as other programs see them.

Run by hand, in an environment of its own that has Pillow, imagecodecs, numpy and pydicom, with
DCMTK, Grok and OpenJPH's programs installed:

    python tests/golden/make_codestreams.py > tests/golden/codestreams.json

Nothing of Noctis is imported. The encoders may be those that Noctis uses; what is expected is
what another decoder than Noctis' makes of the codestream: DCMTK's (the IJG's own library) for
JPEG, Grok for JPEG 2000 and HTJ2K.
"""

import base64
import io
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate

ROWS, COLUMNS = 40, 56
APP14 = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00"
JPEG, J2K, J2K_ANY = (f"1.2.840.10008.1.2.4.{n}" for n in (50, 90, 91))
HTJ2K, HTJ2K_RPCL, HTJ2K_ANY = (f"1.2.840.10008.1.2.4.{n}" for n in (201, 202, 203))


def picture() -> np.ndarray:
    """Return a smooth picture in colours: subsampling costs it little."""
    rows, columns = np.indices((ROWS, COLUMNS))
    red, green = 40 + rows * 3, 30 + columns * 3
    return np.stack([red, green, 220 - rows - columns], axis=2).astype(np.uint8)


def grey16() -> np.ndarray:
    """Return twelve bits with an edge."""
    rows, columns = np.indices((ROWS, COLUMNS))
    return ((rows * 61 + columns * 23) % 2500 + 1500 * (columns > 30)).astype(np.uint16)


# --- encoders -----------------------------------------------------------------------
def jpeg(subsampling: str, **options: Any) -> bytes:
    return bytes(imagecodecs.jpeg8_encode(picture(), level=97, subsampling=subsampling, **options))


def restarts(pixels: np.ndarray, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=95, **options)
    assert b"\xff\xdd\x00\x04" in out.getvalue()
    return out.getvalue()


def without_jfif(data: bytes) -> bytes:
    assert data[2:4] == b"\xff\xe0"
    return data[:2] + data[4 + int.from_bytes(data[4:6], "big") :]


def with_adobe(data: bytes, transform: int) -> bytes:
    return data[:2] + APP14 + bytes([transform]) + data[2:]


def by_program(pixels: np.ndarray, command: list[str], kind: str) -> bytes:
    """Compress by a program that reads PNM and writes a codestream."""
    with tempfile.TemporaryDirectory() as folder:
        color = pixels.ndim == 3
        source = Path(folder) / ("a.ppm" if color else "a.pgm")
        out = Path(folder) / f"a.{kind}"
        top = 255 if pixels.dtype == np.uint8 else 4095
        head = f"{'P6' if color else 'P5'}\n{COLUMNS} {ROWS}\n{top}\n".encode()
        source.write_bytes(head + pixels.astype(">u2" if top > 255 else "u1").tobytes())
        run = [*command, "-i", str(source), "-o", str(out)]
        subprocess.run(run, check=True, capture_output=True, timeout=60)
        return out.read_bytes()


# --- the other decoders -------------------------------------------------------------
def by_dcmtk(data: bytes, photometric: str, samples: int) -> np.ndarray:
    """Decode by dcmdjpeg, which converts YBR to RGB where the data set says YBR."""
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3"
    made.Rows, made.Columns, made.SamplesPerPixel = ROWS, COLUMNS, samples
    made.PhotometricInterpretation, made.PixelRepresentation = photometric, 0
    made.BitsAllocated, made.BitsStored, made.HighBit = 8, 8, 7
    if samples == 3:
        made.PlanarConfiguration = 0
    made.PixelData = encapsulate([data])
    made["PixelData"].is_undefined_length = True
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = pydicom.uid.UID(JPEG)
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "a.dcm", Path(folder) / "b.dcm"
        pydicom.dcmwrite(source, made, enforce_file_format=True)
        run = ["dcmdjpeg", "+cp", str(source), str(out)]
        subprocess.run(run, check=True, capture_output=True, timeout=60)
        decoded = pydicom.dcmread(out)
        return np.asarray(decoded.pixel_array)


def by_grok(data: bytes, dtype: str, samples: int) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "a.j2k", Path(folder) / "a.rawl"
        source.write_bytes(data)
        run = ["grk_decompress", "-i", str(source), "-o", str(out)]
        subprocess.run(run, check=True, capture_output=True, timeout=60)
        raw = np.frombuffer(out.read_bytes(), f"<{dtype}")
    if samples == 1:
        return raw.reshape(ROWS, COLUMNS)
    return raw.reshape(3, ROWS, COLUMNS).transpose(1, 2, 0)


# --- the cases ----------------------------------------------------------------------
def case(
    data: bytes, syntax: str, photometric: str, *, pixels: np.ndarray, limit: int, by: str
) -> dict[str, Any]:
    rows, columns = (np.linspace(0, n - 1, 12).astype(int) for n in pixels.shape[:2])
    return {
        "codestream": base64.b64encode(data).decode(), "transfer_syntax_uid": syntax,
        "photometric_interpretation": photometric, "shape": list(pixels.shape),
        "bits": 8 if pixels.dtype == np.uint8 else 12, "limit": limit, "oracle": by,
        "grid": pixels[np.ix_(rows, columns)].ravel().tolist(),
    }  # fmt: skip


def jpeg_cases() -> dict[str, Any]:
    ycc = jpeg("444")
    rgb = bytes(imagecodecs.jpeg8_encode(picture(), level=97, colorspace="RGB",
                                         outcolorspace="RGB"))  # fmt: skip
    bare = without_jfif(ycc)
    streams = {
        "restart after each row of blocks": (restarts(picture(), restart_marker_rows=1),
                                             "YBR_FULL_422", "YBR_FULL_422"),
        "restart after each third block": (restarts(picture(), restart_marker_blocks=3,
                                                    subsampling=0), "YBR_FULL", "YBR_FULL"),
        "grey, restart after each block": (restarts(picture()[..., 0], restart_marker_blocks=1),
                                           "MONOCHROME2", "MONOCHROME2"),
        "4:1:1": (jpeg("411"), "YBR_FULL_422", "YBR_FULL_422"),
        "4:4:0": (jpeg("440"), "YBR_FULL_422", "YBR_FULL_422"),
        "4:2:0": (jpeg("420"), "YBR_FULL_422", "YBR_FULL_422"),
        # The codestream decides: the second name is what dcmdjpeg must be told.
        "Adobe says RGB, data set YBR": (rgb, "YBR_FULL_422", "RGB"),
        "Adobe says RGB, data set RGB": (rgb, "RGB", "RGB"),
        "Adobe says YCbCr, data set RGB": (with_adobe(bare, 1), "RGB", "YBR_FULL"),
        "Adobe says YCbCr, data set YBR": (with_adobe(bare, 1), "YBR_FULL", "YBR_FULL"),
        "nothing said, data set YBR": (bare, "YBR_FULL_422", "YBR_FULL"),
    }  # fmt: skip
    cases = {}
    for name, (data, declared, true) in streams.items():
        pixels = by_dcmtk(data, true, 1 if declared == "MONOCHROME2" else 3)
        # Programs differ in how they fill subsampled chrominance in.
        limit = 4 if name.startswith("4:") or name == "restart after each row of blocks" else 2
        cases[f"JPEG {name}"] = case(
            data, JPEG, declared, pixels=pixels, limit=limit, by="dcmdjpeg"
        )
    return cases


def wavelet_cases() -> dict[str, Any]:
    colour, grey = picture(), grey16()
    grok, jph = ["grk_compress"], ["ojph_compress", "-num_decomps", "3", "-prog_order"]
    streams = {
        "J2K YBR_RCT": (by_program(colour, [*grok, "-Y", "1"], "j2k"), J2K, "YBR_RCT", colour),
        "J2K YBR_ICT": (by_program(colour, [*grok, "-Y", "1", "-I", "-r", "4"], "j2k"), J2K_ANY,
                        "YBR_ICT", colour),
        "J2K RGB, no transform": (by_program(colour, [*grok, "-Y", "0", "-p", "RPCL"], "j2k"), J2K,
                                  "RGB", colour),
        "HTJ2K RPCL, grey": (by_program(grey, [*jph, "RPCL", "-reversible", "true"], "j2c"),
                             HTJ2K_RPCL, "MONOCHROME2", grey),
        "HTJ2K RPCL, YBR_RCT": (by_program(colour, [*jph, "RPCL", "-reversible", "true"], "j2c"),
                                HTJ2K_RPCL, "YBR_RCT", colour),
        "HTJ2K LRCP, no transform": (by_program(colour, [*jph, "LRCP", "-reversible", "true",
                                                         "-colour_trans", "false"], "j2c"),
                                     HTJ2K, "RGB", colour),
        "HTJ2K lossy, grey": (by_program(grey, [*jph, "RPCL", "-qstep", "0.002"], "j2c"),
                              HTJ2K_ANY, "MONOCHROME2", grey),
        "HTJ2K lossy, YBR_ICT": (by_program(colour, [*jph, "RPCL", "-qstep", "0.01"], "j2c"),
                                 HTJ2K_ANY, "YBR_ICT", colour),
    }  # fmt: skip
    cases = {}
    for name, (data, syntax, declared, original) in streams.items():
        pixels = by_grok(data, original.dtype.str[1:], 3 if original.ndim == 3 else 1)
        limit = 2 if "lossy" in name or "ICT" in name else 0
        assert limit or (pixels == original).all()
        cases[name] = case(data, syntax, declared, pixels=pixels, limit=limit, by="grk_decompress")
    return cases


def main() -> None:
    cases = jpeg_cases() | wavelet_cases()
    rows = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in cases.items())
    print("{\n" + rows + "\n}")


if __name__ == "__main__":
    main()
