"""Filters for the eye: denoise, CLAHE, sharpen, edges. For display only, never stored.

They work on the 8-bit grey that the window made, so that they bring back nothing that the
window cut off. The viewer has the same formulas (`frontend/src/core/enhance.ts`); both are
held to `tests/golden/enhance.json`.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

# A storm of pictures is bounded by places, not by how many threads each may start.
cv2.setNumThreads(1)

DENOISE, CLAHE, SHARPEN, EDGES = "denoise", "clahe", "sharpen", "edges"
# The order in which they are applied, whatever the order of asking.
FILTERS = (DENOISE, CLAHE, SHARPEN, EDGES)
LEAST_STRENGTH, MOST_STRENGTH = 0.1, 3.0
PIXELS_LIMIT = 24_000_000

# What the picture says while a filter is on.
MARKS = {
    DENOISE: "DENOISED",
    CLAHE: "CLAHE",
    SHARPEN: "SHARPENED",
    EDGES: "EDGE ENHANCED",
}
NOT_THE_ORIGINAL = "NOT THE ORIGINAL"


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter of `FILTERS` and its strength, from 0.1 to 3; 1 is the usual one."""

    name: str
    strength: float = 1.0


def apply_filters(picture: np.ndarray, filters: tuple[Filter, ...]) -> np.ndarray:
    """Return the picture after the filters, in the order of `FILTERS`.

    `picture` is uint8, (rows, columns) or (rows, columns, 3) RGB. In colour the luminance
    (0.299 R + 0.587 G + 0.114 B) is filtered and its change added to each channel.
    """
    if not filters:
        return picture
    if picture.ndim == 3:
        light = _rounded(picture.astype(np.float64) @ np.array([0.299, 0.587, 0.114]))
        change = apply_filters(light, filters).astype(np.int16) - light
        shifted = np.clip(picture.astype(np.int16) + change[..., None], 0, 255)
        return np.asarray(shifted.astype(np.uint8))
    grey = np.ascontiguousarray(picture)
    for one in sorted(filters, key=lambda one: FILTERS.index(one.name)):
        grey = _APPLY[one.name](grey, one.strength)
    return grey


def denoise(grey: np.ndarray, strength: float) -> np.ndarray:
    """Bilateral filter: radius 3, spatial sigma 2 pixels, range sigma 15 levels a strength."""
    return np.asarray(cv2.bilateralFilter(grey, 7, 15.0 * strength, 2.0))


def clahe(grey: np.ndarray, strength: float) -> np.ndarray:
    """Equalise 8 by 8 tiles with their histograms clipped at 2 (a strength) times the mean."""
    return np.asarray(cv2.createCLAHE(2.0 * strength, (8, 8)).apply(grey))


def sharpen(grey: np.ndarray, strength: float) -> np.ndarray:
    """Unsharp mask: g + strength (g - G1), G1 a Gaussian of sigma 1, cut off at 3 sigma."""
    plain = grey.astype(np.float32)
    return _rounded(plain + strength * (plain - _gaussian(plain, 1)))


def edges(grey: np.ndarray, strength: float) -> np.ndarray:
    """Boost what lies between two scales: g + 2 strength (G1 - G3), sigma 1 and 3 pixels."""
    plain = grey.astype(np.float32)
    return _rounded(plain + 2 * strength * (_gaussian(plain, 1) - _gaussian(plain, 3)))


_APPLY = {DENOISE: denoise, CLAHE: clahe, SHARPEN: sharpen, EDGES: edges}


def _gaussian(plain: np.ndarray, sigma: int) -> np.ndarray:
    size = 6 * sigma + 1
    return np.asarray(
        cv2.GaussianBlur(plain, (size, size), sigma, borderType=cv2.BORDER_REFLECT_101)
    )


def _rounded(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.floor(np.clip(values, 0, 255) + 0.5).astype(np.uint8))
