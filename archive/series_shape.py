"""The shape of a series as its rows tell it: what the passport keeps and volumes are made of."""

from __future__ import annotations

from archive.models import Instance
from archive.passport_copies import pixel_digests
from archive.stack import BELIEVED_FRAMES
from imaging.ordering import Placement
from imaging.shape import SeriesShape, examine_shape


def examine_series(images: list[Instance]) -> SeriesShape:
    """Return the shape of a series with these images; a key is (place in `images`, frame).

    Pixels are read only of images that nothing else tells apart.
    """
    return examine_shape(_placements(images), pixel_digests(images))


def _placements(images: list[Instance]) -> list[Placement]:
    placements = []
    for owner, one in enumerate(images):
        per_frame = one.image.get("frames", {}).get("per_frame", [])
        count = min(one.number_of_frames, BELIEVED_FRAMES) if per_frame else 1
        placements += [
            Placement.from_image_facts(
                (owner, frame), one.image, one.instance_number,
                frame=frame, uid=one.sop_instance_uid,
            )
            for frame in range(count)
        ]  # fmt: skip
    return placements
