"""What must be known of an image to turn the bytes of a frame into an array."""

from dataclasses import dataclass
from typing import Any

from imaging.errors import UndecodableError
from imaging.header import Header
from imaging.palette import Palette

FLOAT_BITS = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}
# No frame of any modality comes near; a claim beyond it is refused before it is allocated.
MAX_FRAME_BYTES = 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class PixelDescription:
    """Image Pixel attributes (PS3.3 C.7.6.3) of one object.

    `pixel_keyword` is that of the pixel data element. `palette` is None unless the image is
    PALETTE COLOR; facts of the index do not hold it, so it comes from the file's header.
    `pixel_vr` matters for 8-bit samples in big endian, which come swapped as OW.
    """

    rows: int
    columns: int
    samples_per_pixel: int
    photometric_interpretation: str
    bits_allocated: int
    bits_stored: int
    high_bit: int
    pixel_representation: int
    planar_configuration: int
    transfer_syntax_uid: str
    pixel_keyword: str = "PixelData"
    pixel_vr: str = "OW"
    palette: Palette | None = None

    @classmethod
    def from_header(cls, header: Header) -> "PixelDescription":
        """Describe the pixels of a file whose header was read.

        Raises
        ------
        UndecodableError
            There are no pixels, or what describes them is missing or absurd.
        """
        if header.pixel is None:
            raise UndecodableError("there are no pixels")
        names = (
            "Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "BitsStored", "HighBit",
            "PixelRepresentation", "PlanarConfiguration",
        )  # fmt: skip
        values = {name: header.integer(name) for name in names}
        photometric = header.text("PhotometricInterpretation")
        return cls._checked(
            rows=values["Rows"],
            columns=values["Columns"],
            samples_per_pixel=values["SamplesPerPixel"],
            photometric_interpretation=photometric,
            bits_allocated=values["BitsAllocated"],
            bits_stored=values["BitsStored"],
            high_bit=values["HighBit"],
            pixel_representation=values["PixelRepresentation"],
            planar_configuration=values["PlanarConfiguration"],
            transfer_syntax_uid=header.transfer_syntax_uid,
            pixel_keyword=header.pixel.keyword,
            pixel_vr=header.pixel.vr,
            palette=Palette.from_header(header) if photometric == "PALETTE COLOR" else None,
        )

    @classmethod
    def from_image_facts(
        cls, image: dict[str, Any], transfer_syntax_uid: str, *, palette: Palette | None = None
    ) -> "PixelDescription":
        """Describe the pixels by what the index keeps (`InstanceFacts.image`).

        For PALETTE COLOR the palette must be read from the file's header again
        (`Palette.from_header`); `needs_palette` tells.

        Raises
        ------
        UndecodableError
            What describes the pixels is missing or absurd.
        """
        return cls._checked(
            rows=image.get("rows"),
            columns=image.get("columns"),
            samples_per_pixel=image.get("samples_per_pixel"),
            photometric_interpretation=image.get("photometric_interpretation", ""),
            bits_allocated=image.get("bits_allocated"),
            bits_stored=image.get("bits_stored"),
            high_bit=image.get("high_bit"),
            pixel_representation=image.get("pixel_representation"),
            planar_configuration=image.get("planar_configuration"),
            transfer_syntax_uid=transfer_syntax_uid,
            pixel_keyword=image.get("pixel_keyword", "PixelData"),
            pixel_vr=image.get("pixel_vr", "OW"),
            palette=palette,
        )

    @classmethod
    def _checked(cls, **values: Any) -> "PixelDescription":
        float_bits = FLOAT_BITS.get(values["pixel_keyword"])
        if float_bits:
            values["bits_allocated"] = float_bits
        if values["samples_per_pixel"] is None:
            values["samples_per_pixel"] = 1
        for name in ("rows", "columns", "samples_per_pixel", "bits_allocated"):
            value = values[name]
            if value is None or not 0 < value <= 65535:
                raise UndecodableError(f"{name} is missing or absurd")
        allocated = values["bits_allocated"]
        stored = values["bits_stored"]
        if stored is None or not 0 < stored <= allocated:
            stored = allocated
        high = values["high_bit"]
        if high is None or not stored - 1 <= high < allocated:
            high = stored - 1
        values |= {"bits_stored": stored, "high_bit": high}
        values["pixel_representation"] = 1 if values["pixel_representation"] == 1 else 0
        values["planar_configuration"] = 1 if values["planar_configuration"] == 1 else 0
        description = cls(**values)
        if description.frame_bytes > MAX_FRAME_BYTES:
            raise UndecodableError(f"a frame would take more than {MAX_FRAME_BYTES} bytes")
        return description

    @property
    def value_bits(self) -> int:
        """Bits of the smallest integer type that holds what is allocated: 8, 16, 32 or 64."""
        return next((size for size in (8, 16, 32) if self.bits_allocated <= size), 64)

    @property
    def is_signed(self) -> bool:
        """Whether stored values may be negative; colours never are."""
        return self.pixel_representation == 1 and self.samples_per_pixel == 1

    @property
    def needs_palette(self) -> bool:
        """Whether the pixels are indices of a palette."""
        return self.photometric_interpretation == "PALETTE COLOR"

    @property
    def is_float(self) -> bool:
        """Whether the pixels are floats (PS3.3 C.7.6.24, C.7.6.25)."""
        return self.pixel_keyword in FLOAT_BITS

    @property
    def sample_count(self) -> int:
        """Samples of one frame, before any subsampling."""
        return self.rows * self.columns * self.samples_per_pixel

    @property
    def frame_bytes(self) -> int:
        """Bytes of one uncompressed frame without subsampling, the last byte filled up."""
        return (self.sample_count * self.bits_allocated + 7) // 8
