"""Pictures that come one after another as a film: MP4 or GIF."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from imaging.errors import UnsupportedError

# VP9 in MP4: plays in browsers, and its encoder is free (docs/decisions/0010).
_CODEC = "vp09"
VIDEO_LIMIT_PX, GIF_LIMIT_PX = 1920, 1024


def write_mp4(path: Path, pictures: Iterable[Image.Image], rate: float) -> None:
    """Write pictures as a video of the first one's size; others are fitted into it.

    Raises UnsupportedError when this machine's library has no encoder.
    """
    writer: cv2.VideoWriter | None = None
    size = (0, 0)
    try:
        for picture in pictures:
            if writer is None:
                size = _even_size(picture.size, VIDEO_LIMIT_PX)
                code = cv2.VideoWriter.fourcc(*_CODEC)
                writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, code, rate, size, True)
                if not writer.isOpened():
                    raise UnsupportedError("This machine has no encoder for videos.")
            rgb = np.asarray(_fitted(picture, size))
            writer.write(np.ascontiguousarray(rgb[..., ::-1]))
    finally:
        if writer is not None:
            writer.release()


def write_gif(path: Path, pictures: Iterable[Image.Image], rate: float) -> None:
    """Write pictures as an endless GIF; its times are in hundredths of a second, two at least."""
    frames = _gif_frames(pictures)
    first = next(frames)
    duration_ms = max(20, round(100 / rate) * 10)
    first.save(
        path, "GIF", save_all=True, append_images=frames, duration=duration_ms, loop=0,
        optimize=False,
    )  # fmt: skip


def _gif_frames(pictures: Iterable[Image.Image]) -> Iterator[Image.Image]:
    size: tuple[int, int] | None = None
    for picture in pictures:
        if size is None:
            factor = min(1.0, GIF_LIMIT_PX / max(picture.size))
            size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
        frame = _fitted(picture, size)
        yield frame.convert("L") if picture.mode == "L" else frame.quantize(256)


def _even_size(size: tuple[int, int], limit: int) -> tuple[int, int]:
    factor = min(1.0, limit / max(size))
    width, height = (max(2, round(side * factor / 2) * 2) for side in size)
    return width, height


def _fitted(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return the picture in RGB, whole and in its proportions, on black of this size."""
    rgb = picture.convert("RGB")
    if rgb.size == size:
        return rgb
    factor = min(size[0] / rgb.width, size[1] / rgb.height)
    fitted = (max(1, round(rgb.width * factor)), max(1, round(rgb.height * factor)))
    canvas = Image.new("RGB", size)
    place = ((size[0] - fitted[0]) // 2, (size[1] - fitted[1]) // 2)
    canvas.paste(rgb.resize(fitted, Image.Resampling.LANCZOS), place)
    return canvas
