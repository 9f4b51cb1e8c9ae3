"""How fast cine and stacks go as a film."""

from __future__ import annotations

from typing import Any

from archive.models import Instance

STACK_RATE = 10.0
LEAST_RATE, MOST_RATE = 0.1, 120.0


def rate_of(instance: Instance, wanted: float | None) -> float:
    """Return the frames a second: as wanted, as the file says (PS3.3 C.7.6.5), or ten."""
    if wanted:
        return wanted
    image: dict[str, Any] = instance.image
    time_ms = image.get("frame_time_ms")
    found = (
        image.get("recommended_display_frame_rate")
        or image.get("cine_rate")
        or (1000.0 / float(time_ms) if time_ms else None)
        or STACK_RATE
    )
    return min(MOST_RATE, max(LEAST_RATE, float(found)))
