"""Pseudo-colour for grey pictures: the one table of maps.

They look like the well-known palettes of their names (PS3.6 annex B), but are our own: a few
colours at their places, straight lines between. The viewer gets the stops with its page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Stop = tuple[int, tuple[int, int, int]]


@dataclass(frozen=True, slots=True)
class ColourMap:
    """Colours at grey levels; the first is at 0, the last at 255."""

    code: str
    label: str
    stops: tuple[Stop, ...]

    def table(self) -> np.ndarray:
        """Return the colours of all grey levels, uint8, (256, 3); halves are rounded up."""
        grey = np.arange(256)
        places = [place for place, _rgb in self.stops]
        channels = [
            np.interp(grey, places, [rgb[channel] for _place, rgb in self.stops])
            for channel in range(3)
        ]
        return np.floor(np.stack(channels, axis=1) + 0.5).astype(np.uint8)

    def paint(self, grey: np.ndarray) -> np.ndarray:
        """Return uint8 RGB, (rows, columns, 3), of uint8 grey."""
        return np.asarray(self.table()[grey])

    def to_json(self) -> dict[str, Any]:
        """Return the map as the viewer's page carries it."""
        stops = [{"at": place, "rgb": list(rgb)} for place, rgb in self.stops]
        return {"code": self.code, "label": self.label, "stops": stops}


_BLACK, _WHITE = (0, 0, 0), (255, 255, 255)
COLOUR_MAPS = (
    ColourMap("hot_iron", "Hot iron",
              ((0, _BLACK), (128, (255, 0, 0)), (192, (255, 128, 0)), (255, _WHITE))),
    ColourMap("hot_metal_blue", "Hot metal blue",
              ((0, _BLACK), (64, (0, 0, 160)), (128, (190, 20, 90)), (192, (255, 150, 0)),
               (255, _WHITE))),
    ColourMap("pet", "PET",
              ((0, _BLACK), (64, (0, 80, 130)), (112, (90, 0, 190)), (160, (225, 60, 110)),
               (208, (255, 180, 40)), (255, _WHITE))),
    ColourMap("rainbow", "Rainbow",
              ((0, _BLACK), (32, (70, 0, 160)), (80, (0, 80, 255)), (128, (0, 210, 120)),
               (176, (230, 230, 0)), (224, (255, 80, 0)), (255, (255, 0, 0)))),
)  # fmt: skip
BY_CODE = {one.code: one for one in COLOUR_MAPS}
