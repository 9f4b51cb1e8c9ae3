"""What a reader will want next, told to the decoders in time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from django.contrib.auth.models import AnonymousUser

from accounts.models import User
from archive.models import Instance
from archive.prefetch import FRAMES_AHEAD, is_worth_decoding_ahead, prefetcher
from archive.stack import Stack
from viewer.frame_stream import WantedImage


def following(indices: Sequence[int], count: int) -> list[int]:
    """Return the stack indices behind a request, on the side to which it reaches farther."""
    first, low, high = indices[0], min(indices), max(indices)
    if high - first >= first - low:
        return list(range(high + 1, min(count, high + 1 + FRAMES_AHEAD)))
    return list(range(low - 1, max(-1, low - 1 - FRAMES_AHEAD), -1))


def plan_ahead_of_images(
    user: User | AnonymousUser,
    series_id: UUID,
    stack: Stack,
    wanted: Sequence[WantedImage],
) -> Callable[[], None] | None:
    """Return what wishes for the images behind a request, to be called when that is read.

    None where nothing is worth while, else it costs one query.
    """
    rows = {image.instance.pk: image.instance for image in wanted}
    if not any(is_worth_decoding_ahead(row) for row in rows.values()):
        return None
    indices = following([image.stack_index for image in wanted], len(stack))
    places = [stack.image(index) for index in indices]
    unknown = {instance_id for instance_id, _frame in places} - rows.keys()
    if unknown:
        rows |= Instance.objects.visible_to(user).in_bulk(unknown)
    frames = [(rows[key], frame) for key, frame in places if key in rows]
    return lambda: prefetcher().wish((user.pk, series_id), frames)


def decode_ahead_of_frame(user: User | AnonymousUser, instance: Instance, frame: int) -> None:
    """Wish for the frames behind one that is asked for alone, in its own file."""
    last = min(instance.number_of_frames, frame + 1 + FRAMES_AHEAD)
    if frame + 1 < last and is_worth_decoding_ahead(instance):
        prefetcher().wish(
            (user.pk, instance.series_id), [(instance, each) for each in range(frame + 1, last)]
        )
