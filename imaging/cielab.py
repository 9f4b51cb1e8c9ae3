"""Colours that DICOM gives as CIELab to what a screen shows (PS3.3 C.10.7.1.1)."""

from collections.abc import Sequence

import numpy as np

# The white of the profile connection space, D50.
_WHITE = np.array([0.96422, 1.0, 0.82521])
# XYZ at D50 to linear sRGB: IEC 61966-2-1, adapted to D65 by Bradford's matrix.
_RGB_FROM_XYZ = np.array(
    [
        [3.1338561, -1.6168667, -0.4906146],
        [-0.9787684, 1.9161415, 0.0334540],
        [0.0719453, -0.2289914, 1.4052427],
    ]
)
_EPSILON, _KAPPA = 216 / 24389, 24389 / 27


def srgb_from_cielab(encoded: Sequence[int]) -> tuple[int, int, int]:
    """Return red, green, blue from 0 to 255 of three unsigned 16-bit values.

    L* runs from 0 to 100 over the whole range; 0x8080 is 0 of a* and b*, 0 is -128 and 0xFFFF
    127. Colours that sRGB cannot show take the nearest value in each channel.
    """
    lightness = encoded[0] / 65535 * 100
    along = np.array([encoded[1], encoded[2]]) / 257 - 128
    middle = (lightness + 16) / 116
    bent = np.array([middle + along[0] / 500, middle, middle - along[1] / 200])
    xyz = np.where(bent**3 > _EPSILON, bent**3, (116 * bent - 16) / _KAPPA) * _WHITE
    linear = np.clip(_RGB_FROM_XYZ @ xyz, 0, 1)
    shown = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    red, green, blue = (int(level) for level in np.rint(shown * 255))
    return red, green, blue
