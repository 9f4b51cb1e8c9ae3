"""The order in which the images of a series are shown.

Images of one orientation and frame of reference stay together and run along their normal; where
several lie at one position (phases, echoes, repetitions) each pass through the positions is a
stack of its own. Images without geometry run by instance number.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from imaging.geometry import direction_cosines, position_along, slice_normal

# Scouts and oblique stacks differ by degrees, rounding of cosines by thousandths.
ORIENTATION_TOLERANCE_DEG = 0.5
# Images nearer to each other than this lie at one position.
POSITION_TOLERANCE_MM = 0.01
# No patient reaches farther from the origin; what is not a number does not pass, either.
FARTHEST_MM = 100_000.0


@dataclass(frozen=True, slots=True)
class Placement:
    """What decides the place of one image (a frame, or a single-frame instance).

    `key` comes back in the result. `time_point` tells passes apart, coarse first: temporal
    position, acquisition number, trigger time, echo time, b-value, segment, kind of image,
    dimension indices; the same place holds the same type in all images. `clock` are times that
    differ from slice to slice, too: content and acquisition time, empty when not known.
    `is_unclear` says that a number that decides millimetres was not written by the standard.
    """

    key: Any
    orientation: Sequence[float] | None = None
    position: Sequence[float] | None = None
    instance_number: int | None = None
    frame: int = 0
    time_point: tuple[Any, ...] = ()
    uid: str = ""
    rows: int | None = None
    columns: int | None = None
    pixel_spacing: tuple[float, ...] | None = None
    is_localizer: bool = False
    frame_of_reference_uid: str = ""
    laterality: str = ""
    clock: tuple[str, ...] = ()
    is_unclear: bool = False

    @classmethod
    def from_image_facts(
        cls, key: Any, image: dict[str, Any], instance_number: int | None, *, frame: int = 0,
        uid: str = "",
    ) -> "Placement":  # fmt: skip
        """Read the placement of a frame, counted from 0, from `InstanceFacts.image`."""
        facts = frame_view(image, frame)
        image_type = [str(part).upper() for part in facts.get("image_type", ())]
        passes = (
            facts.get("temporal_position_index", facts.get("temporal_position_identifier", 0)),
            facts.get("temporal_position_time_offset", 0),
            facts.get("frame_acquisition_number", facts.get("acquisition_number", 0)),
            facts.get("nominal_cardiac_trigger_delay_time", facts.get("trigger_time", 0)),
            facts.get("effective_echo_time", facts.get("echo_time", 0)),
            facts.get("diffusion_b_value", 0),
            facts.get("referenced_segment_number", 0),
        )
        kind = "\\".join([*image_type, facts.get("convolution_kernel", "")])
        indices = tuple(facts.get("dimension_index_values", ()))
        return cls(
            key=key,
            orientation=facts.get("image_orientation_patient"),
            position=facts.get("image_position_patient"),
            instance_number=instance_number,
            frame=frame,
            time_point=(*(float(value) for value in passes), kind, indices),
            uid=uid,
            rows=facts.get("rows"),
            columns=facts.get("columns"),
            pixel_spacing=tuple(facts["pixel_spacing"]) if facts.get("pixel_spacing") else None,
            is_localizer="LOCALIZER" in image_type,
            frame_of_reference_uid=facts.get("frame_of_reference_uid", ""),
            laterality=facts.get("frame_laterality", facts.get("image_laterality", "")),
            clock=(facts.get("content_time", ""), facts.get("acquisition_time", "")),
            is_unclear=bool(facts.get("unclear_numbers")),
        )


def frame_view(image: dict[str, Any], frame: int) -> dict[str, Any]:
    """Return the facts of one frame: its own before shared ones before those of the object."""
    frames = image.get("frames")
    if not frames:
        return image
    own = frames["per_frame"][frame] if frame < len(frames["per_frame"]) else {}
    return {**image, **frames["shared"], **own}


@dataclass(slots=True)
class OrientationGroup:
    """Images of one orientation in one frame of reference, each with its distance in mm along
    the group's normal.
    """

    row: np.ndarray
    column: np.ndarray
    normal: np.ndarray
    members: list[tuple[float, Placement]]
    frame_of_reference_uid: str = ""


@dataclass(frozen=True, slots=True)
class PlacedImage:
    """An image at the place that it has in its group.

    `step` numbers the distinct positions; images of one `pass_key` are at different ones.
    `parts` is what differs between images at some position: it may tell time points apart.
    """

    pass_key: tuple[Any, int]
    step: int
    distance_mm: float
    image: Placement
    parts: tuple[Any, ...]


def order_images(images: Sequence[Placement]) -> list[Placement]:
    """Return the images in the order of the stack that a viewer shows.

    Orientation groups come in the order of their lowest instance number, images without
    geometry last. Within a group passes follow each other, each along the normal, in steps
    of `POSITION_TOLERANCE_MM`. The result does not depend on the order given.
    """
    groups, flat = group_images(images)
    ordered: list[Placement] = []
    for group in groups:
        ordered.extend(placed.image for placed in arrange_group(group))
    return ordered + flat


def group_images(images: Sequence[Placement]) -> tuple[list[OrientationGroup], list[Placement]]:
    """Return the images by orientation and frame of reference, and those without geometry.

    Positions in different frames of reference have nothing to do with each other (PS3.3
    C.7.4.1.1.1); images that name none share one of their own.
    """
    groups: list[OrientationGroup] = []
    flat = [image for image in sorted(images, key=_by_number) if not _place(image, groups)]
    return groups, flat


def _by_number(image: Placement) -> tuple[Any, ...]:
    return (
        image.instance_number is None,
        image.instance_number or 0,
        image.frame,
        image.clock,
        image.time_point,
        image.uid,
    )


def _place(image: Placement, groups: list[OrientationGroup]) -> bool:
    """Put an image into the group of its orientation; False when it has no geometry."""
    position = image.position
    if image.orientation is None or position is None or len(position) != 3:
        return False
    if not all(abs(part) <= FARTHEST_MM for part in position):
        return False
    cosines = _directions(tuple(image.orientation))
    if cosines is None:
        return False
    reference = image.frame_of_reference_uid
    for group in groups:
        is_shared = group.frame_of_reference_uid == reference
        if is_shared and is_same_orientation((group.row, group.column), cosines):
            # All are measured along the group's own normal, or rounding would reorder them.
            group.members.append((position_along(group.normal, position), image))
            return True
    normal = slice_normal(image.orientation)
    if normal is None:
        return False
    members = [(position_along(normal, position), image)]
    groups.append(OrientationGroup(*cosines, normal, members, reference))
    return True


@lru_cache(maxsize=1024)
def _directions(orientation: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray] | None:
    """Return `direction_cosines`, worked out once for the thousands of images that share them."""
    return direction_cosines(orientation)


def is_same_orientation(
    one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]
) -> bool:
    """Whether two pairs of row and column directions are one orientation."""
    least = np.cos(np.radians(ORIENTATION_TOLERANCE_DEG))
    return all(bool(a @ b >= least) for a, b in zip(one, other, strict=True))


def arrange_group(group: OrientationGroup) -> list[PlacedImage]:
    """Order one group: passes first, then along the normal.

    A part of the time points labels passes when it has no more values than images share a
    position: a time that grows from slice to slice would tear a plain stack apart.
    """
    distances = [distance for distance, _image in group.members]
    steps = number_positions(distances)
    images = [image for _distance, image in group.members]
    varying = telling_parts(steps, images)
    most = max(Counter(steps).values())
    labels = [part for part in varying if len({i.time_point[part] for i in images}) <= most]
    seen: Counter[tuple[tuple[Any, ...], int]] = Counter()
    placed: list[PlacedImage] = []
    for step, distance, image in sorted(
        zip(steps, distances, images, strict=True),
        key=lambda one: (_parts(one[2], varying), _by_number(one[2])),
    ):
        label, parts = _parts(image, labels), _parts(image, varying)
        placed.append(PlacedImage((label, seen[label, step]), step, distance, image, parts))
        seen[label, step] += 1
    placed.sort(key=lambda one: (one.pass_key, one.step))
    return placed


def number_positions(distances: list[float]) -> list[int]:
    """Number the distinct positions from the lowest, neighbours within tolerance being one."""
    order = np.argsort(distances, kind="stable")
    steps = [0] * len(distances)
    step, previous = 0, None
    for number in order:
        distance = distances[number]
        if previous is not None and distance - previous > POSITION_TOLERANCE_MM:
            step += 1
        steps[number] = step
        previous = distance
    return steps


def telling_parts(steps: list[int], images: list[Placement]) -> list[int]:
    """Return which parts of the time points differ between images at one position."""
    by_step: dict[int, list[tuple[Any, ...]]] = {}
    for step, image in zip(steps, images, strict=True):
        by_step.setdefault(step, []).append(image.time_point)
    width = min((len(image.time_point) for image in images), default=0)
    return [
        part
        for part in range(width)
        if any(len({point[part] for point in same}) > 1 for same in by_step.values())
    ]


def _parts(image: Placement, parts: list[int]) -> tuple[Any, ...]:
    return tuple(image.time_point[part] for part in parts)
