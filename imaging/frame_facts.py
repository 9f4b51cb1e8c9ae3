"""Geometry, rescale and window of the frames of enhanced objects (PS3.3 C.7.6.16)."""

from collections.abc import Callable
from typing import Any

from imaging.elements import ElementView
from imaging.geometry import slice_normal
from imaging.real_world import real_world_mappings
from imaging.shutters import shutter_facts
from imaging.text import clean_line
from imaging.window_facts import frame_window_facts

# Beyond this many frames only what all share is kept with the instance.
MAX_FRAMES = 20_000
# Axial by the cosine of its normal with z; one plane within rounding.
AXIAL_COSINE = 0.9999
SAME_PLANE_MM = 0.1

# Concepts of a region that are kept, and what is kept of each.
MAX_REGIONS = 4
_CODE = ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")
# The fact that names numbers which decide millimetres and are not written as they should be.
UNCLEAR = "unclear_numbers"

_Reader = Callable[[ElementView], Any]


def _floats(keyword: str, count: int) -> _Reader:
    def read(item: ElementView) -> list[float] | None:
        values = item.floats(keyword)
        return values if len(values) == count else None

    return read


def _number(keyword: str) -> _Reader:
    return lambda item: item.number(keyword)


def _integer(keyword: str) -> _Reader:
    return lambda item: item.integer(keyword)


def _text(keyword: str) -> _Reader:
    return lambda item: clean_line(item.text(keyword))[:64] or None


def anatomic_regions(view: ElementView) -> list[list[str]]:
    """Return [code, scheme, meaning] of each item of Anatomic Region Sequence (PS3.3 10.5)."""
    return [
        [clean_line(item.text(keyword))[:64] for keyword in _CODE]
        for item in view.items("AnatomicRegionSequence")[:MAX_REGIONS]
    ]


def _pair(keyword: str) -> _Reader:
    def read(item: ElementView) -> list[float] | None:
        values = item.floats(keyword)
        return values if len(values) == 2 and min(values) > 0 else None

    return read


_spacing = _pair("PixelSpacing")


def _indices(item: ElementView) -> list[int] | None:
    return item.ints("DimensionIndexValues")[:16] or None


# Functional group -> fact -> how to read it from the group's only item.
GROUPS: dict[str, dict[str, _Reader]] = {
    "PlanePositionSequence": {"image_position_patient": _floats("ImagePositionPatient", 3)},
    "PlaneOrientationSequence": {
        "image_orientation_patient": _floats("ImageOrientationPatient", 6)
    },
    "PixelMeasuresSequence": {
        "pixel_spacing": _spacing,
        "pixel_spacing_source": lambda item: "pixel_spacing" if _spacing(item) else None,
        "slice_thickness": _number("SliceThickness"),
        "spacing_between_slices": _number("SpacingBetweenSlices"),
    },
    "PixelValueTransformationSequence": {
        "rescale_slope": _number("RescaleSlope"),
        "rescale_intercept": _number("RescaleIntercept"),
        "rescale_type": _text("RescaleType"),
    },
    "FrameContentSequence": {
        "stack_id": _text("StackID"),
        "in_stack_position_number": _integer("InStackPositionNumber"),
        "temporal_position_index": _integer("TemporalPositionIndex"),
        "dimension_index_values": _indices,
        "frame_acquisition_number": _integer("FrameAcquisitionNumber"),
    },
    "FrameAnatomySequence": {
        "frame_laterality": _text("FrameLaterality"),
        "anatomic_regions": lambda item: anatomic_regions(item) or None,
    },
    "SegmentIdentificationSequence": {
        "referenced_segment_number": _integer("ReferencedSegmentNumber")
    },
    # Projections: at the detector, or where the object of interest lies (C.8.19.6.4, C.8.19.6.9).
    "FramePixelDataPropertiesSequence": {
        "imager_pixel_spacing": _pair("ImagerPixelSpacing"),
        "pixel_intensity_relationship": _text("PixelIntensityRelationship"),
    },
    "ProjectionPixelCalibrationSequence": {
        "object_pixel_spacing": _pair("ObjectPixelSpacingInCenterOfBeam"),
    },
    "MREchoSequence": {"effective_echo_time": _number("EffectiveEchoTime")},
    "FrameDisplayShutterSequence": {"shutter": shutter_facts},
    "MRDiffusionSequence": {
        "diffusion_b_value": _number("DiffusionBValue"),
        "diffusion_directionality": _text("DiffusionDirectionality"),
    },
    "CardiacSynchronizationSequence": {
        "nominal_cardiac_trigger_delay_time": _number("NominalCardiacTriggerDelayTime")
    },
    "OpticalPathIdentificationSequence": {
        "optical_path_identifier": _text("OpticalPathIdentifier")
    },
    "PlanePositionSlideSequence": {
        "row_position_in_total_image_pixel_matrix": _integer("RowPositionInTotalImagePixelMatrix"),
        "column_position_in_total_image_pixel_matrix": _integer(
            "ColumnPositionInTotalImagePixelMatrix"
        ),
    },
    "PlanePositionVolumeSequence": {"image_position_volume": _floats("ImagePositionVolume", 3)},
    "PlaneOrientationVolumeSequence": {
        "image_orientation_volume": _floats("ImageOrientationVolume", 6)
    },
    "IrradiationEventIdentificationSequence": {
        "irradiation_event_uid": _text("IrradiationEventUID")
    },
    "TemporalPositionSequence": {
        "temporal_position_time_offset": _number("TemporalPositionTimeOffset")
    },
    **{
        group: {"pixel_presentation": _text("PixelPresentation")}
        for group in (
            "CTImageFrameTypeSequence", "MRImageFrameTypeSequence", "PETFrameTypeSequence",
            "MRSpectroscopyFrameTypeSequence", "XRay3DFrameTypeSequence",
            "USImageDescriptionSequence",
        )
    },
}  # fmt: skip
# Groups whose numbers decide millimetres.
_MILLIMETRES = {
    "PlanePositionSequence": {"image_position_patient": "ImagePositionPatient"},
    "PlaneOrientationSequence": {"image_orientation_patient": "ImageOrientationPatient"},
    "PixelMeasuresSequence": {"pixel_spacing": "PixelSpacing"},
}
# Facts that describe the whole object when every frame shares them.
_LIFTED = frozenset(
    {
        "image_position_patient", "image_orientation_patient", "pixel_spacing",
        "slice_thickness", "spacing_between_slices", "rescale_slope", "rescale_intercept",
        "rescale_type", "window_center", "window_width", "voi_lut_function", "shutter",
        "window_center_width_explanation", "real_world_value_mappings", "has_voi_lut",
        "anatomic_regions",
    }
)  # fmt: skip


def find_unclear(view: ElementView, keywords: dict[str, str]) -> list[str]:
    """Return the names whose numbers are not written as the standard wants them (PS3.5 6.2)."""
    return [name for name, keyword in keywords.items() if not view.is_conforming(keyword)]


def group_facts(item: ElementView) -> dict[str, Any]:
    """Return the facts in one item of the shared or per-frame functional groups."""
    facts: dict[str, Any] = {}
    for group, readers in GROUPS.items():
        if group not in item:
            continue
        inner = item.item(group)
        if inner is None:
            continue
        for name, read in readers.items():
            value = read(inner)
            if value is not None:
                facts[name] = value
        if unclear := find_unclear(inner, _MILLIMETRES.get(group, {})):
            facts[UNCLEAR] = [*facts.get(UNCLEAR, ()), *unclear]
    _add_projection(facts)
    if (windows := item.item("FrameVOILUTSequence")) is not None:
        facts |= frame_window_facts(windows)
    if "RealWorldValueMappingSequence" in item and (mappings := real_world_mappings(item)):
        facts["real_world_value_mappings"] = mappings
    return facts


def _add_projection(facts: dict[str, Any]) -> None:
    """Add the spacing of a projection: calibrated for the object, else that of the detector."""
    if "pixel_spacing" in facts:
        return
    if calibrated := facts.get("object_pixel_spacing"):
        facts |= {"pixel_spacing": calibrated, "pixel_spacing_source": "calibrated"}
    elif at_detector := facts.get("imager_pixel_spacing"):
        facts |= {"pixel_spacing": at_detector, "pixel_spacing_source": "imager"}


def frame_facts(header: ElementView, facts: dict[str, Any]) -> None:
    """Add to `facts` what the functional groups say.

    `facts["frames"]` becomes `{"shared": {…}, "per_frame": [{…}, …]}`: a fact that all frames
    have in common is in `shared` (wherever the file had it), the others are in `per_frame`, one
    dict a frame counted from 0. Shared geometry, rescale and window are also put into `facts`
    itself, so that an enhanced object of one orientation reads like any other. With more than
    `MAX_FRAMES` frames `per_frame` is empty and `header.flags` holds `frames_not_indexed`.
    """
    shared_item = header.item("SharedFunctionalGroupsSequence")
    shared = group_facts(shared_item) if shared_item is not None else {}
    per_frame: list[dict[str, Any]] = []
    for number, item in enumerate(header.iter_items("PerFrameFunctionalGroupsSequence")):
        if number >= MAX_FRAMES:
            header.flags.add("frames_not_indexed")
            per_frame = []
            break
        per_frame.append(group_facts(item))
    _lift_common(shared, per_frame)
    if not shared and not any(per_frame):
        return
    facts["frames"] = {"shared": shared, "per_frame": per_frame if any(per_frame) else []}
    for name in _LIFTED & shared.keys():
        facts.setdefault(name, shared[name])
    if "pixel_spacing" in shared and facts.get("pixel_spacing_source", "none") != "pixel_spacing":
        facts["pixel_spacing"] = shared["pixel_spacing"]
        facts["pixel_spacing_source"] = shared["pixel_spacing_source"]


def offset_facts(header: ElementView, facts: dict[str, Any]) -> None:
    """Add the position of each plane of a dose grid, as `frame_facts` does (PS3.3 C.8.8.3.2).

    Grid Frame Offset Vector counts from the first plane when it begins with 0; else its
    values are z in the patient, which is believed of axial planes alone.
    """
    offsets = header.floats("GridFrameOffsetVector")
    origin, orientation = (
        facts.get("image_position_patient"), facts.get("image_orientation_patient"),
    )  # fmt: skip
    if not 1 < len(offsets) <= MAX_FRAMES or origin is None or orientation is None:
        return
    normal = slice_normal(orientation)
    if len(offsets) != header.integer("NumberOfFrames") or normal is None:
        return
    if offsets[0] == 0:
        planes = [
            [at + offset * float(part) for at, part in zip(origin, normal, strict=True)]
            for offset in offsets
        ]
    elif abs(normal[2]) > AXIAL_COSINE and abs(offsets[0] - origin[2]) < SAME_PLANE_MM:
        planes = [[origin[0], origin[1], z] for z in offsets]
    else:
        header.flags.add("bad_frame_offsets")
        return
    facts["frames"] = {
        "shared": {},
        "per_frame": [{"image_position_patient": plane} for plane in planes],
    }


def _lift_common(shared: dict[str, Any], per_frame: list[dict[str, Any]]) -> None:
    """Move what every frame says alike from the frames to what they share."""
    if not per_frame:
        return
    for name, value in list(per_frame[0].items()):
        if name in shared:
            continue
        if all(name in frame and frame[name] == value for frame in per_frame):
            shared[name] = value
            for frame in per_frame:
                del frame[name]
