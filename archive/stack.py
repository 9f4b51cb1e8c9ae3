"""The stack of a series: its images in the order of the screen, and what each one needs.

A document says once what all images share, and with each image only what
differs. A client that merges the two has all facts of an image.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from array import array
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from archive.displayable import why_not_displayable
from archive.frames import NO_FORMAT, describe_pixels, frame_bytes_of, pixel_format_of
from archive.lookup_tables import read_frame_tables, read_lookup_tables
from archive.memory_cache import MemoryCache
from archive.models import Instance, Series, Study
from archive.video import is_video
from archive.video_shown import Videos, describe_video
from imaging.errors import UndecodableError
from imaging.frames import VIDEO_SYNTAXES, FrameIndex
from imaging.ordering import Placement, order_images

Facts = dict[str, Any]

# Beyond this many images a stack cannot be scrolled through; whole-slide tiles come so.
IMAGES_LIMIT = 50_000
# So many frames are believed of a header whose file holds fewer; each then says it is damaged.
BELIEVED_FRAMES = 20_000
# So many videos of one series are offered to the reader.
VIDEOS_LIMIT = 100
# For the orders of the last series: requests for frames come in rows.
RECENT_BYTES = 16 << 20
_FIELDS = (
    "id", "sop_instance_uid", "sop_class_uid", "transfer_syntax_uid", "instance_number",
    "number_of_frames", "image", "frame_table", "storage_key", "size_bytes", "rows", "columns",
    "dataset_sha256",
)  # fmt: skip


@dataclass(frozen=True)
class Stack:
    """The order of a series: image i is frame `frames[i]` of `instance_ids[owners[i]]`."""

    version: str
    instance_ids: list[uuid.UUID]
    owners: array[int]
    frames: array[int]
    frame_bytes: list[int]

    def __len__(self) -> int:
        return len(self.owners)

    def image(self, index: int) -> tuple[uuid.UUID, int]:
        """Return instance and frame of one image of the stack."""
        return self.instance_ids[self.owners[index]], self.frames[index]

    def bytes_of(self, index: int) -> int:
        """Return how many bytes an image has when it arrives."""
        return self.frame_bytes[self.owners[index]]


def build_stack(series: Series) -> Facts:
    """Return the stack document of a series. Costs one query.

    `shared` holds what all images have in common, `images` the rest, in the
    order of the screen; `videos` what a player shows instead of images.
    `version` changes when images come or facts change. A series that cannot
    be shown has `displayable` false and says why.
    """
    return _build(series)[1]


def read_stack(series: Series, version: str = "") -> Stack:
    """Return the order of a series; costs one query unless it was asked for a moment ago.

    What is remembered serves only those who name its version: whoever names
    another, or none, gets the order as it is now.
    """
    kept = _recent.get((series.pk, _state_of(series)))
    if kept is not None and kept.version == version:
        return kept
    return _build(series)[0]


def find_reasons(study: Study) -> dict[uuid.UUID, str]:
    """Return, by series, why it cannot be shown; a series that can is not in it. One query."""
    rows = (
        Instance.objects.filter(study=study)
        .values_list("series_id", "sop_class_uid", "transfer_syntax_uid", "number_of_frames")
        .distinct()
    )
    reasons: dict[uuid.UUID, str] = {}
    shown: set[uuid.UUID] = set()
    for series_id, sop_class_uid, transfer_syntax_uid, frames in rows:
        reason = why_not_displayable(sop_class_uid, transfer_syntax_uid, frames)
        if reason and transfer_syntax_uid not in VIDEO_SYNTAXES:
            reasons.setdefault(series_id, reason)
        else:
            shown.add(series_id)
    return {series_id: reason for series_id, reason in reasons.items() if series_id not in shown}


# --- building ---------------------------------------------------------------------
def _build(series: Series) -> tuple[Stack, Facts]:
    instances = list(Instance.objects.filter(series=series).only(*_FIELDS))
    images = [one for one in instances if not _reason(one)]
    videos = Videos([one for one in instances if is_video(one)])
    room = IMAGES_LIMIT - sum(map(_frame_count, images))
    images += videos.images(room, among_others=bool(images))
    order = _order(images) if sum(map(_frame_count, images)) <= IMAGES_LIMIT else None
    offered = videos.for_a_player(has_others=len(images) > len(videos))[:VIDEOS_LIMIT]
    document: Facts = {
        "series_id": str(series.pk),
        "displayable": bool(order or offered),
        "why_not": "" if order or offered else _why_not(instances, images),
        "videos": [describe_video(one, found) for one, found in offered],
        **_factor(images, order or []),
    }
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode())
    document["version"] = digest.hexdigest()[:16]
    stack = Stack(
        version=document["version"],
        instance_ids=[one.pk for one in images],
        owners=array("L", (owner for owner, _frame in order or ())),
        frames=array("L", (frame for _owner, frame in order or ())),
        frame_bytes=[_format_facts(one)["bytes"] for one in images],
    )
    _recent.put((series.pk, _state_of(series)), stack)
    return stack, document


def _reason(instance: Instance) -> str:
    return why_not_displayable(
        instance.sop_class_uid, instance.transfer_syntax_uid, instance.number_of_frames
    )


def _why_not(instances: list[Instance], images: list[Instance]) -> str:
    if images:
        return _("This series has too many images to be scrolled through.")
    reasons = (_reason(one) for one in instances)
    return next(reasons, _("This series is empty."))


def _frame_count(instance: Instance) -> int:
    """Return how many frames are shown: the declared ones, if that number can be believed."""
    declared = max(instance.number_of_frames, 1)
    if is_video(instance):
        return declared
    if declared <= BELIEVED_FRAMES or not instance.frame_table:
        return min(declared, BELIEVED_FRAMES)
    return max(1, min(declared, FrameIndex.from_bytes(bytes(instance.frame_table)).count))


def _order(images: list[Instance]) -> list[tuple[int, int]]:
    """Return (place in `images`, frame) in the order of the screen.

    Frames without geometry of their own follow each other as in the file,
    so their instance is placed as one.
    """
    placements = [
        Placement.from_image_facts(
            (owner, frame),
            one.image,
            one.instance_number,
            frame=frame,
            uid=one.sop_instance_uid,
        )
        for owner, one in enumerate(images)
        for frame in range(_frame_count(one) if _per_frame(one) else 1)
    ]
    ordered: list[tuple[int, int]] = []
    for placement in order_images(placements):
        owner, frame = placement.key
        if _per_frame(images[owner]):
            ordered.append((owner, frame))
        else:
            ordered.extend((owner, each) for each in range(_frame_count(images[owner])))
    return ordered


def _per_frame(instance: Instance) -> list[Facts]:
    frames: list[Facts] = instance.image.get("frames", {}).get("per_frame", [])
    return frames


def _factor(images: list[Instance], order: list[tuple[int, int]]) -> Facts:
    """Return `shared` and `images`: merged, they are the facts of each image."""
    bases = [_base_facts(one) for one in images]
    own_names = {name for one in images for facts in _per_frame(one) for name in facts}
    shared = _common(bases, own_names) if order else {}
    rests = [{name: base[name] for name in base if name not in shared} for base in bases]
    per_frame = [_per_frame(one) for one in images]
    tables = [read_frame_tables(one) for one in images]
    documents = []
    for owner, frame in order:
        own = per_frame[owner][frame] if frame < len(per_frame[owner]) else {}
        if frame in tables[owner]:
            own = {**own, "voi_luts": tables[owner][frame]}
        documents.append({**rests[owner], **own, "frame": frame})
    return {"shared": shared, "images": documents}


def _common(bases: list[Facts], own_names: set[str]) -> Facts:
    first = bases[0]
    return {
        name: value
        for name, value in first.items()
        if name not in own_names and all(name in base and base[name] == value for base in bases[1:])
    }


def _base_facts(instance: Instance) -> Facts:
    """Return what all frames of one instance have in common."""
    image = {name: value for name, value in instance.image.items() if name != "frames"}
    return {
        **image,
        **instance.image.get("frames", {}).get("shared", {}),
        **read_lookup_tables(instance),
        "instance_id": str(instance.pk),
        "sop_class_uid": instance.sop_class_uid,
        "sop_instance_uid": instance.sop_instance_uid,
        "instance_number": instance.instance_number,
        "number_of_frames": instance.number_of_frames,
        **_format_facts(instance),
    }


def _format_facts(instance: Instance) -> Facts:
    try:
        description = describe_pixels(instance)
    except UndecodableError:
        return {"pixel_format": NO_FORMAT, "bytes": 0}
    return {"pixel_format": pixel_format_of(description), "bytes": frame_bytes_of(description)}


# --- what was asked for lately ------------------------------------------------------
def _state_of(series: Series) -> tuple[Any, ...]:
    """Return what differs whenever something arrived in the series."""
    return (
        series.instance_count,
        series.frame_count,
        series.size_bytes,
        series.last_received_at,
    )


_recent: MemoryCache[Stack] = MemoryCache(RECENT_BYTES, lambda stack: 200 + 40 * len(stack))
