"""The files from which mutants are made: pydicom's own, phantoms of ours, and real ones at hand."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import imagecodecs
import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.unit.imaging.build import BIG, DEFLATED, encapsulated, image, written
from tests.unit.imaging.real_files import all_files, bundled

FILES = (
    "CT_small.dcm", "MR_small_RLE.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm",
    "image_dfl.dcm", "SC_rgb_jpeg_gdcm.dcm", "JPGExtended.dcm", "nested_priv_SQ.dcm",
    "rtplan.dcm", "reportsi.dcm", "MR_small_jpeg_ls_lossless.dcm", "SC_rgb_small_odd.dcm",
    "MR_small_jp2klossless.dcm", "SC_rgb_rle_16bit_2frame.dcm", "rtdose_rle.dcm",
    "SC_rgb_small_odd_jpeg.dcm", "waveform_ecg.dcm", "JPEGLSNearLossless_16.dcm",
)  # fmt: skip
# Of the real files that are no part of the project: what phantoms resemble least.
OUTSIDE = (
    "emri_small_RLE.dcm", "emri_small_jpeg_2k_lossless.dcm", "parametric_map_float.dcm",
    "NM-MONO2-16-13x-heart", "liver_expb.dcm", "liver_deflate.dcm", "dx_image.dcm",
    "seg_image_ct_true_fractional.dcm", "prOverlay.dcm", "chrJapMulti.dcm", "mf.dcm",
    "SC_rgb_dcmtk_+eb+cy+s4.dcm", "JPEG-LL.dcm", "MG-RDSR-Hologic_2D.dcm",
)  # fmt: skip
RLE, JPEG, JPEG_LOSSLESS, JPEG_LS, J2K, HTJ2K, HTJ2K_LOSSY = (
    f"1.2.840.10008.1.2.{suffix}" for suffix in ("5", "4.50", "4.70", "4.80", "4.90", "4.201",
                                                 "4.203")
)  # fmt: skip
DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"
BOMB_BYTES = 48 << 20
Encoder = Callable[[np.ndarray], bytes]


def seeds() -> list[bytes]:
    """Return at least twenty files, always the same ones where the same are at hand."""
    outside = {path.name: path for name, path in all_files().items() if name.startswith("data/")}
    return [
        *(bundled(name).read_bytes() for name in FILES),
        *phantoms(),
        *(outside[name].read_bytes() for name in OUTSIDE if name in outside),
    ]


def phantoms() -> list[bytes]:
    """Return what pydicom bundles no file of: each codec in several frames, each odd layout."""
    return [
        _everything(), _enhanced(), _compressed(HTJ2K, _htj2k), _compressed(HTJ2K_LOSSY, _lossy),
        _compressed(JPEG_LS, _jpeg_ls), _compressed(J2K, _j2k, pieces=3),
        _compressed(JPEG_LOSSLESS, _jpeg_lossless), _colour(), _rle_frames(), _floats("f4"),
        _floats("f8"), _bits(), _wide_palette(), _packed(), _deflated_frames(),
        written(_slices(), DEFLATED), written(_slices(), BIG), _bomb(),
    ]  # fmt: skip


def _everything() -> bytes:
    """Return an image with tables, overlay, shutter and ultrasound regions."""
    table, region = Dataset(), Dataset()
    table.LUTDescriptor, table.LUTData = [16, 0, 16], struct.pack("<16H", *range(0, 1600, 100))
    for name in ("MinX0", "MinY0", "MaxX1", "MaxY1"):
        setattr(region, f"RegionLocation{name}", 1)
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX, region.PhysicalDeltaY = 0.1, -0.1
    made = image(
        np.arange(3 * 256, dtype=np.uint16).reshape(3, 16, 16), RescaleSlope="2",
        RescaleIntercept="-5", VOILUTSequence=Sequence([table]), ShutterShape="POLYGONAL",
        VerticesOfThePolygonalShutter=[1, 1, 1, 16, 16, 16], PixelPaddingValue=3,
        SequenceOfUltrasoundRegions=Sequence([region]), GridFrameOffsetVector=[0, 2, 4],
        ImagePositionPatient=[0, 0, 0], ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
    )  # fmt: skip
    for element, vr, value in (
        (0x10, "US", 16), (0x11, "US", 16), (0x15, "IS", "1"), (0x40, "CS", "G"),
        (0x50, "SS", [1, 1]), (0x100, "US", 1), (0x102, "US", 0), (0x3000, "OW", b"\x5a" * 32),
    ):  # fmt: skip
        made.add_new(0x60000000 | element, vr, value)
    return written(made)


def _enhanced() -> bytes:
    """Return a palette image whose frames have functional groups, and one shared by all."""
    groups = []
    for z in range(3):
        position, item, content = Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = [0, 0, z]
        content.DimensionIndexValues, content.TemporalPositionIndex = [1, z + 1], z
        item.PlanePositionSequence = Sequence([position])
        item.FrameContentSequence = Sequence([content])
        groups.append(item)
    shared, measures, values = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = ["1", "0.5"], "2"
    values.RescaleSlope, values.RescaleIntercept, values.RescaleType = "1", "-2", "US"
    shared.PixelMeasuresSequence = Sequence([measures])
    shared.PixelValueTransformationSequence = Sequence([values])
    made = image(
        np.arange(3 * 64, dtype=np.uint8).reshape(3, 8, 8),
        PhotometricInterpretation="PALETTE COLOR",
        PerFrameFunctionalGroupsSequence=Sequence(groups),
        SharedFunctionalGroupsSequence=Sequence([shared]),
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0], PixelSpacing=["1", "1"],
    )  # fmt: skip
    for colour in ("Red", "Green", "Blue"):
        setattr(made, f"{colour}PaletteColorLookupTableDescriptor", [8, 0, 16])
        setattr(made, f"{colour}PaletteColorLookupTableData", bytes(range(16)))
    return written(made)


# --- compressed ---------------------------------------------------------------------
def _slices() -> Dataset:
    return image(np.arange(3 * 400, dtype=np.uint16).reshape(3, 20, 20) * 53 % 4096)


def _framed(made: Dataset, syntax: str, frames: list[bytes], pieces: int = 1) -> bytes:
    """Write frames, each of them in so many fragments, with a basic offset table."""
    table, fragments, at = [], [], 0
    for data in frames:
        table.append(at)
        size = -(-len(data) // pieces)
        size += size % 2
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            fragments.append(piece + b"\0" * (len(piece) % 2))
            at += 8 + len(fragments[-1])
    made.PixelData = encapsulated(fragments, table)
    made["PixelData"].is_undefined_length = True
    return written(made, syntax)


def _compressed(syntax: str, encode: Encoder, pieces: int = 1) -> bytes:
    made = _slices()
    frames = np.frombuffer(made.PixelData, np.uint16).reshape(3, 20, 20)
    return _framed(made, syntax, [bytes(encode(frame)) for frame in frames], pieces)


def _htj2k(frame: np.ndarray) -> bytes:
    return bytes(imagecodecs.htj2k_encode(frame, reversible=True))


def _jpeg_ls(frame: np.ndarray) -> bytes:
    return bytes(imagecodecs.jpegls_encode(frame))


def _lossy(frame: np.ndarray) -> bytes:
    return bytes(imagecodecs.htj2k_encode(frame, reversible=False, level=0.01))


def _j2k(frame: np.ndarray) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(frame, level=0, reversible=True, codecformat="j2k"))


def _jpeg_lossless(frame: np.ndarray) -> bytes:
    return bytes(imagecodecs.ljpeg_encode(frame, bitspersample=16))


def _colour() -> bytes:
    """Return two frames of subsampled lossy colour."""
    rows, columns = np.indices((24, 24))
    frames = []
    for blue in (40, 200):
        plane = np.stack([rows * 9, columns * 9, np.full_like(rows, blue)], axis=2)
        rgb = np.ascontiguousarray(plane, np.uint8)
        frames.append(bytes(imagecodecs.jpeg8_encode(rgb, level=90, subsampling="420")))
    made = image(
        np.zeros((2, 24, 24), np.uint8), SamplesPerPixel=3, PlanarConfiguration=0,
        PhotometricInterpretation="YBR_FULL_422",
    )  # fmt: skip
    return _framed(made, JPEG, frames)


def _rle_frames() -> bytes:
    made = _slices()
    frames = np.frombuffer(made.PixelData, np.uint16).reshape(3, 400)
    packed = []
    for frame in frames:
        segments = []
        for byte in (frame >> 8, frame & 255):  # literal runs of 100, high bytes first (G.2)
            raw = byte.astype(np.uint8).tobytes()
            segments.append(b"".join(b"\x63" + raw[at : at + 100] for at in range(0, 400, 100)))
        head = struct.pack("<16L", 2, 64, 64 + len(segments[0]), *[0] * 13)
        packed.append(head + b"".join(segments))
    return _framed(made, RLE, packed)


# --- odd layouts --------------------------------------------------------------------
def _floats(kind: str) -> bytes:
    values = np.linspace(-5, 5, 2 * 64).astype(kind).reshape(2, 8, 8)
    values[0, 0, :3] = (np.nan, np.inf, -np.inf)
    made = image(np.zeros((2, 8, 8), np.uint16))
    del made.PixelData
    keyword = "FloatPixelData" if kind == "f4" else "DoubleFloatPixelData"
    setattr(made, keyword, values.tobytes())
    made.BitsAllocated = values.itemsize * 8
    return written(made)


def _bits() -> bytes:
    made = image(np.zeros((5, 3, 7), np.uint8), BitsAllocated=1, BitsStored=1, HighBit=0)
    made.PixelData = bytes(range(14))
    return written(made)


def _wide_palette() -> bytes:
    """Return indices of 16 bits, one colour's table in segments."""
    made = image(
        np.arange(256, dtype=np.uint16).reshape(16, 16), PhotometricInterpretation="PALETTE COLOR"
    )
    for colour in ("Red", "Green", "Blue"):
        setattr(made, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        if colour != "Green":
            words = np.arange(256, dtype="<u2") * 257
            setattr(made, f"{colour}PaletteColorLookupTableData", words.tobytes())
    # Discrete 2, linear over 200, then the last of them again (C.7.9.2).
    words = np.array([0, 2, 0, 9, 1, 200, 0xFF00, 2, 1, 0, 0, 1, 53, 0], "<u2")
    made.SegmentedGreenPaletteColorLookupTableData = words.tobytes()
    return written(made)


def _packed() -> bytes:
    made = image(np.zeros((3, 5, 7), np.uint16), BitsAllocated=12, BitsStored=12, HighBit=11)
    made.PixelData = bytes(range(158))
    return written(made)


def _deflated_frames() -> bytes:
    made = _slices()
    raw = made.PixelData
    frames = []
    for at in range(0, len(raw), 800):
        engine = zlib.compressobj(9, zlib.DEFLATED, -15)
        frames.append(engine.compress(raw[at : at + 800]) + engine.flush())
    # A syntax newer than the writer: its name takes the place of one as long.
    return _framed(made, JPEG, frames).replace(JPEG.encode(), DEFLATED_FRAMES.encode() + b"\0")


def _bomb() -> bytes:
    """Return a deflated file whose private element is large and empty: a thousandth on disk."""
    made = _slices()
    made.add_new(0x00090010, "LO", "PHANTOM")
    made.add_new(0x00091001, "OB", b"\0" * BOMB_BYTES)
    return written(made, DEFLATED)
