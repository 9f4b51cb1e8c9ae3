"""What a viewer must know of an image to show and measure it, as a JSON-able dict.

Keys are DICOM keywords in snake_case and left out when the file does not say. No number is
ever NaN or infinite.
"""

from typing import Any

from imaging.elements import ElementView
from imaging.errors import IdentityError
from imaging.frame_facts import (
    UNCLEAR,
    anatomic_regions,
    find_unclear,
    frame_facts,
    offset_facts,
)
from imaging.header import Header
from imaging.icc import find_profile
from imaging.lut import LookupTable
from imaging.overlays import overlay_facts
from imaging.palette import Palette
from imaging.real_world import dose_facts, real_world_mappings
from imaging.shutters import shutter_facts
from imaging.spacing import spacing_facts
from imaging.text import clean_line, parse_time
from imaging.uids import checked_uid
from imaging.view_codes import view_of_code
from imaging.window_facts import window_facts

TEXT_LENGTH = 64
MAX_VALUES = 32

_INTS = {
    "rows": "Rows",
    "columns": "Columns",
    "samples_per_pixel": "SamplesPerPixel",
    "planar_configuration": "PlanarConfiguration",
    "bits_allocated": "BitsAllocated",
    "bits_stored": "BitsStored",
    "high_bit": "HighBit",
    "pixel_representation": "PixelRepresentation",
    "acquisition_number": "AcquisitionNumber",
    "temporal_position_identifier": "TemporalPositionIdentifier",
    "number_of_temporal_positions": "NumberOfTemporalPositions",
    "recommended_display_frame_rate": "RecommendedDisplayFrameRate",
    "cine_rate": "CineRate",
}
_FLOATS = {
    "slice_thickness": "SliceThickness",
    "spacing_between_slices": "SpacingBetweenSlices",
    "slice_location": "SliceLocation",
    "gantry_detector_tilt": "GantryDetectorTilt",
    "rescale_slope": "RescaleSlope",
    "rescale_intercept": "RescaleIntercept",
    "frame_time_ms": "FrameTime",
    "echo_time": "EchoTime",
    "trigger_time": "TriggerTime",
    "diffusion_b_value": "DiffusionBValue",
    "estimated_radiographic_magnification_factor": "EstimatedRadiographicMagnificationFactor",
}
_TEXTS = {
    "photometric_interpretation": "PhotometricInterpretation",
    "voi_lut_function": "VOILUTFunction",
    "rescale_type": "RescaleType",
    "presentation_lut_shape": "PresentationLUTShape",
    "lossy_image_compression": "LossyImageCompression",
    "burned_in_annotation": "BurnedInAnnotation",
    "image_laterality": "ImageLaterality",
    "view_position": "ViewPosition",
    "color_space": "ColorSpace",
    "convolution_kernel": "ConvolutionKernel",
    "units": "Units",
    "pixel_intensity_relationship": "PixelIntensityRelationship",
    "pixel_presentation": "PixelPresentation",
}
_TEXT_LISTS = {
    "image_type": "ImageType",
    "patient_orientation": "PatientOrientation",
    "lossy_image_compression_method": "LossyImageCompressionMethod",
}
_TIMES = {"acquisition_time": "AcquisitionTime", "content_time": "ContentTime"}
# What decides millimetres, and must not rest on a number that was read leniently in silence.
_MILLIMETRES = {
    "image_position_patient": "ImagePositionPatient",
    "image_orientation_patient": "ImageOrientationPatient",
    "pixel_spacing": "PixelSpacing",
    "imager_pixel_spacing": "ImagerPixelSpacing",
    "nominal_scanned_pixel_spacing": "NominalScannedPixelSpacing",
    "estimated_radiographic_magnification_factor": "EstimatedRadiographicMagnificationFactor",
    "grid_frame_offset_vector": "GridFrameOffsetVector",
}
_SEQUENCES = {
    "has_modality_lut": "ModalityLUTSequence",
    "has_voi_lut": "VOILUTSequence",
    "has_presentation_lut": "PresentationLUTSequence",
}


def image_facts(header: Header) -> dict[str, Any]:
    """Return the facts of one image object.

    Lengths are in mm, `pixel_spacing` is [between rows, between columns],
    `image_position_patient` is LPS, times are in ms. `frames` is there for multi-frame
    objects with functional groups, see `frame_facts`.
    """
    facts = _plain_facts(header)
    if header.pixel is not None:
        facts["pixel_keyword"] = header.pixel.keyword
        facts["pixel_vr"] = header.pixel.vr
    _add_padding(header, facts)
    _add_geometry(header, facts)
    facts.update(window_facts(header))
    facts.update(dose_facts(header))
    if mappings := real_world_mappings(header):
        facts["real_world_value_mappings"] = mappings
    if facts.get("samples_per_pixel") == 3 or facts.get("photometric_interpretation") == (
        "PALETTE COLOR"
    ):
        facts |= {"has_icc_profile": True} if find_profile(header) is not None else {}
    _check_tables(header, facts)
    if overlays := overlay_facts(header, facts):
        facts["overlays"] = overlays
    if (shutter := shutter_facts(header)) is not None:
        _add_shutter(header, facts, shutter)
    _add_times(header, facts)
    _add_frame_of_reference(header, facts)
    _add_view(header, facts)
    if regions := anatomic_regions(header):
        facts["anatomic_regions"] = regions
    if unclear := find_unclear(header, _MILLIMETRES):
        facts[UNCLEAR] = unclear
    if "SharedFunctionalGroupsSequence" in header or "PerFrameFunctionalGroupsSequence" in header:
        frame_facts(header, facts)
    else:
        offset_facts(header, facts)
    return facts


def _plain_facts(header: Header) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for name, keyword in _INTS.items():
        if (integer := header.integer(keyword)) is not None:
            facts[name] = integer
    for name, keyword in _FLOATS.items():
        if (number := header.number(keyword)) is not None:
            facts[name] = number
    for name, keyword in _TEXTS.items():
        if keyword in header and (text := _line(header.text(keyword))):
            facts[name] = text
    for name, keyword in _TEXT_LISTS.items():
        if keyword in header:
            facts[name] = [_line(text) for text in header.texts(keyword)[:MAX_VALUES]]
    facts |= {name: True for name, keyword in _SEQUENCES.items() if keyword in header}
    if ratios := header.floats("LossyImageCompressionRatio")[:MAX_VALUES]:
        facts["lossy_image_compression_ratio"] = ratios
    return facts


def _check_tables(header: Header, facts: dict[str, Any]) -> None:
    """Flag tables that will be left out, and colours over grey that nobody says to show."""
    for keyword in _SEQUENCES.values():
        for item in header.items(keyword)[:MAX_VALUES] if keyword in header else ():
            LookupTable.from_item(item, signed_input=header.signed)
    is_grey = str(facts.get("photometric_interpretation", "")).startswith("MONOCHROME")
    if is_grey and "RedPaletteColorLookupTableDescriptor" in header:
        is_wanted = str(facts.get("pixel_presentation", "")).upper() in ("COLOR", "MIXED")
        if is_wanted and Palette.supplemental(header) is not None:
            facts["has_supplemental_palette"] = True
        else:
            header.flags.add("palette_not_applied")


def _add_shutter(header: Header, facts: dict[str, Any], shutter: dict[str, Any]) -> None:
    """Add the shutter; one by a bitmap needs the overlay that it names (PS3.3 C.7.6.15)."""
    group = shutter.get("bitmap_group")
    if group is None or group in {one["group"] for one in facts.get("overlays", ())}:
        facts["shutter"] = shutter
    else:
        header.flags.add("bad_shutter")


def _add_frame_of_reference(header: Header, facts: dict[str, Any]) -> None:
    """Add the frame of reference of this very image; what is no UID counts as none."""
    try:
        facts["frame_of_reference_uid"] = checked_uid(
            header.text("FrameOfReferenceUID"), "FrameOfReferenceUID"
        )[0]
    except IdentityError:
        return


def _add_view(header: Header, facts: dict[str, Any]) -> None:
    """Add the view by its code where View Position is not written: some write only the code."""
    if "view_position" not in facts and (view := view_of_code(header)):
        facts["view_position"] = view


def _add_times(header: Header, facts: dict[str, Any]) -> None:
    for name, keyword in _TIMES.items():
        moment, _ = parse_time(header.text(keyword))
        if moment is not None:
            facts[name] = moment.isoformat()
    if "frame_time_ms" not in facts and (times := header.floats("FrameTimeVector")):
        facts["frame_time_vector_ms"] = times[:1024]


def _line(text: str) -> str:
    return clean_line(text)[:TEXT_LENGTH]


def _add_padding(header: ElementView, facts: dict[str, Any]) -> None:
    """Add which stored values stand for "no pixel" (PS3.3 C.7.5.1.1.2, C.7.6.24, C.7.6.25).

    What cannot be a stored value, or would be all of them, is left out and flagged.
    """
    keyword = facts.get("pixel_keyword", "")
    if keyword in ("FloatPixelData", "DoubleFloatPixelData"):
        start = keyword.removesuffix("Data")
        limits = [header.number(f"{start}PaddingValue"), header.number(f"{start}PaddingRangeLimit")]
    else:
        written = [header.integer("PixelPaddingValue"), header.integer("PixelPaddingRangeLimit")]
        limits = [_stored_value(value, header, facts) for value in written]
        if [one is None for one in written] != [one is None for one in limits]:
            header.flags.add("bad_padding")
            return
    value, limit = limits
    if value is None:
        return
    bits = facts.get("bits_stored", 16)
    if limit is not None and abs(limit - value) >= 2**bits - 1 and keyword == "PixelData":
        header.flags.add("bad_padding")
        return
    facts["pixel_padding_value"] = value
    if limit is not None:
        facts["pixel_padding_range_limit"] = limit


def _stored_value(value: int | None, header: ElementView, facts: dict[str, Any]) -> int | None:
    """Return a padding value as the pixels have it, None when they cannot have it.

    Written as US although the pixels are signed, or the other way round: by the standard both
    have the same VR as the pixels, and no more bits than are stored.
    """
    allocated, stored = facts.get("bits_allocated", 16), facts.get("bits_stored", 16)
    if value is None or not 0 < stored <= allocated <= 64:
        return value
    value &= (1 << allocated) - 1
    if header.signed and value >> (stored - 1) in (1, (1 << (allocated - stored + 1)) - 1):
        value = (value & ((1 << stored) - 1)) - (1 << stored)
    low, high = (-(1 << (stored - 1)), 1 << (stored - 1)) if header.signed else (0, 1 << stored)
    return value if low <= value < high else None


def _add_geometry(header: ElementView, facts: dict[str, Any]) -> None:
    position = header.floats("ImagePositionPatient")
    if len(position) == 3:
        facts["image_position_patient"] = position
    orientation = header.floats("ImageOrientationPatient")
    if len(orientation) == 6:
        facts["image_orientation_patient"] = orientation
    facts.update(spacing_facts(header))
    ratio = header.ints("PixelAspectRatio")
    if len(ratio) == 2 and min(ratio) > 0:
        facts["pixel_aspect_ratio"] = ratio
