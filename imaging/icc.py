"""ICC profiles of colour images (PS3.3 C.11.15): what is shown is sRGB.

A profile that cannot be believed is left alone: the colours stay as they are, and flagged.
"""

from functools import lru_cache
from io import BytesIO
from struct import unpack_from

import numpy as np
from PIL import Image, ImageCms

from imaging.elements import ElementView
from imaging.errors import UndecodableError

HEADER_BYTES = 128
MAX_PROFILE_BYTES = 1024 * 1024
_SIGNATURE_AT, _SPACE_AT = 36, 16
# Profiles of scanners differ little from one image to the next, or not at all.
_KEPT_TRANSFORMS = 4


def find_profile(header: ElementView) -> bytes | None:
    """Return the RGB profile of an image or of its first optical path (whole slides).

    None when there is none; one that is cut short, huge or not for RGB is none either, and
    flagged `bad_icc_profile`.
    """
    place = header if "ICCProfile" in header else header.item("OpticalPathSequence")
    if place is None or "ICCProfile" not in place:
        return None
    profile = place.raw("ICCProfile")
    if profile and HEADER_BYTES < len(profile) <= MAX_PROFILE_BYTES:
        (claimed,) = unpack_from(">L", profile)
        is_icc = profile[_SIGNATURE_AT : _SIGNATURE_AT + 4] == b"acsp"
        is_rgb = profile[_SPACE_AT : _SPACE_AT + 4] == b"RGB "
        if is_icc and is_rgb and HEADER_BYTES < claimed <= len(profile):
            return profile[:claimed]
    header.flags.add("bad_icc_profile")
    return None


def srgb_from_profile(rgb: np.ndarray, profile: bytes) -> np.ndarray:
    """Return uint8 sRGB of the same shape, (rows, columns, 3); unchanged if it is sRGB already.

    Uses LittleCMS and the profile's own rendering intent. The profile may be hostile: call it
    where a crash does no harm.

    Raises
    ------
    UndecodableError
        LittleCMS refuses the profile.
    """
    transform = _transform(profile)
    if transform is None:
        return rgb
    shown = ImageCms.applyTransform(Image.fromarray(np.ascontiguousarray(rgb)), transform)
    return np.array(shown)


def srgb_profile() -> bytes:
    """Return the profile of sRGB as one of an input device, as DICOM asks for (C.11.15)."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile[:12] + b"scnr" + profile[16:]


@lru_cache(maxsize=_KEPT_TRANSFORMS)
def _transform(profile: bytes) -> ImageCms.ImageCmsTransform | None:
    """Return the way to sRGB, None when there is nothing to do: no colour moves by two levels."""
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        intent = ImageCms.Intent(ImageCms.getDefaultIntent(source))
        target = ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(source, target, "RGB", "RGB", intent)
    except (OSError, ValueError, ImageCms.PyCMSError) as error:
        raise UndecodableError("the colour profile is damaged") from error
    steps = np.arange(0, 256, 15, dtype=np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    moved = np.array(ImageCms.applyTransform(Image.fromarray(grid), transform))
    return transform if np.abs(moved.astype(int) - grid).max() > 1 else None
