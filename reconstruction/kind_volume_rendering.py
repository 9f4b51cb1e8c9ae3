"""Views of a volume as a body: round an axis, or from given sides; as a film, pictures, DICOM."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from django.utils.translation import gettext as _
from PIL import Image
from rest_framework.exceptions import ValidationError

from imaging.display import encode_png
from imaging.film import write_gif, write_mp4
from imaging.rendering import COMPOSITE, MINIP, MIP, turntable
from reconstruction.casting import render_view
from reconstruction.derived import HIGHEST_KEPT, LOWEST_KEPT, RENDERED, derived_series
from reconstruction.planes import CancelledError
from reconstruction.view_form import SIDE_LIMIT_PX, WantedView, parse_view
from reconstruction.view_pictures import Sight, choose_sight, to_shown
from reconstruction.volume_files import Volume
from reconstruction.wishes import (
    Parameters,
    read_choices,
    read_direction,
    read_integer,
    read_number,
    refuse_unknown,
)
from reconstruction.work import JobCancelledError, Work

DICOM, PNG, MP4, GIF = "dicom", "png", "mp4", "gif"
OUTPUTS = (DICOM, PNG, MP4, GIF)
VIEWS_LIMIT = 360
DEFAULT_VIEWS = 36
DEFAULT_PX = 512
DEFAULT_RATE = 10.0
_LONG_AXIS = [0.0, 0.0, 1.0]
# What a view's own form knows, and a job leaves to the house or says otherwise.
_OF_LOOK = (
    "center", "width_mm", "mode", "preset", "points", "shaded", "clip", "cuts", "quality",
    "window", "time_point",
)  # fmt: skip
_KNOWN = (*_OF_LOOK, "views", "axis", "size", "output", "frames_per_second")
_CODES = {MIP: HIGHEST_KEPT, MINIP: LOWEST_KEPT}
# Of the work, before files are written of the views.
RENDERING_SHARE = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class WantedViews:
    """`sides` are (direction away from the reader, up), one for each view."""

    sides: tuple[tuple[np.ndarray, np.ndarray], ...]
    look: WantedView
    outputs: tuple[str, ...]
    rate: float


def parse(parameters: Parameters) -> WantedViews:
    """Return what is asked for.

    `views` is how many, round `axis` (the patient's long axis unless given), or a list of
    `{"direction": …, "up": …}`. Raises `ValidationError`.
    """
    refuse_unknown(parameters, _KNOWN)
    size = read_integer(parameters, "size", 16, SIDE_LIMIT_PX, DEFAULT_PX)
    look = {name: parameters[name] for name in _OF_LOOK if name in parameters}
    return WantedViews(
        sides=_parse_sides(parameters),
        look=parse_view({**look, "columns": size, "rows": size}),
        outputs=read_choices(parameters, "output", OUTPUTS, (DICOM,)),
        rate=read_number(parameters, "frames_per_second", 1.0, 60.0, DEFAULT_RATE),
    )


def _parse_sides(parameters: Parameters) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    given = parameters.get("views")
    if not isinstance(given, list):
        count = read_integer(parameters, "views", 1, VIEWS_LIMIT, DEFAULT_VIEWS)
        axis = read_direction(parameters, "axis").tolist() if "axis" in parameters else _LONG_AXIS
        return tuple(turntable(count, axis))
    if "axis" in parameters:
        raise ValidationError(_("axis: a list of views has none."))
    if not 1 <= len(given) <= VIEWS_LIMIT or any(not isinstance(one, dict) for one in given):
        words = _('views: give a number, or 1 to %(most)d of {"direction": …, "up": …}.')
        raise ValidationError(words % {"most": VIEWS_LIMIT})
    sides = []
    for one in given:
        if set(one) != {"direction", "up"}:
            raise ValidationError(_("views: each has a direction and an up."))
        direction, up = read_direction(one, "direction"), read_direction(one, "up")
        if float(np.linalg.norm(np.cross(direction, up))) < 1e-3:
            raise ValidationError(_("views: up must not be parallel to direction."))
        sides.append((direction, up))
    return tuple(sides)


def run(work: Work, wanted: WantedViews) -> None:
    """Make the views, once, and hand them over as each output wants them."""
    volume = work.open_volume(time_point=wanted.look.time_point)
    sights = [
        choose_sight(work.series, volume, _from_side(wanted.look, side)) for side in wanted.sides
    ]
    count, size = len(sights), wanted.look.size_px
    path = work.folder / "views.raw"
    kept = np.memmap(path, np.uint8, "w+", shape=(count, size[1], size[0], 3))
    for number, sight in enumerate(sights):
        done = RENDERING_SHARE * number / count
        work.step(done)
        kept[number] = _colours(volume, _render(work, volume, sight, done), sight)
    share = (1.0 - RENDERING_SHARE) / len(wanted.outputs)
    for number, output in enumerate(name for name in OUTPUTS if name in wanted.outputs):
        pictures = _each(work, kept, RENDERING_SHARE + share * number, share)
        if output == DICOM:
            _keep_series(work, volume, pictures, count, sights[0], wanted.rate)
        elif output == PNG:
            _keep_pictures(work, pictures)
        else:
            _keep_film(work, pictures, output, wanted.rate)
    work.step(1.0)
    del kept, pictures
    path.unlink()


def _keep_film(work: Work, pictures: Iterator[np.ndarray], output: str, rate: float) -> None:
    write, name = (write_mp4, "video/mp4") if output == MP4 else (write_gif, "image/gif")
    film = work.folder / f"views.{output}"
    write(film, map(Image.fromarray, pictures), rate)
    work.keep_file(film, film.name, name)


def _from_side(look: WantedView, side: tuple[np.ndarray, np.ndarray]) -> WantedView:
    changed = {name: getattr(look, name) for name in WantedView.__slots__}
    return WantedView(**(changed | {"direction": side[0], "up": side[1]}))


def _render(work: Work, volume: Volume, sight: Sight, done: float) -> np.ndarray:
    """Return one view; who does not want it any more is heard between its rows."""
    gone: list[JobCancelledError] = []

    def is_cancelled() -> bool:
        try:
            work.step(done)
        except JobCancelledError as error:
            gone.append(error)
        return bool(gone)

    try:
        return render_view(volume, sight.plane, sight.look, is_cancelled, is_alone=True)
    except CancelledError:
        raise gone[0] from None


def _colours(volume: Volume, picture: np.ndarray, sight: Sight) -> np.ndarray:
    shown = to_shown(volume, picture, sight)
    return shown if shown.ndim == 3 else np.repeat(shown[..., None], 3, axis=2)


def _each(work: Work, kept: np.ndarray, done: float, share: float) -> Iterator[np.ndarray]:
    for number, picture in enumerate(kept):
        work.step(done + share * number / len(kept))
        yield np.ascontiguousarray(picture)


def _keep_series(
    work: Work, volume: Volume, pictures: Iterator[np.ndarray], count: int, sight: Sight,
    rate: float,
) -> None:  # fmt: skip
    mode = sight.look.mode
    writer = derived_series(
        work,
        volume,
        image_type=("3D" if mode == COMPOSITE else mode.upper(),),
        description=f"3D {sight.preset} {count} views",
        derivation=f"Parallel rays through the volume, {mode}, {count} views",
        codes=(_CODES.get(mode, RENDERED),),
    )
    writer.add_views(pictures, count, frame_time_ms=1000 / rate)
    work.keep_series(writer.paths)


def _keep_pictures(work: Work, pictures: Iterator[np.ndarray]) -> None:
    path = work.folder / "views.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for number, picture in enumerate(pictures):
            # A time of its own would make another file of every run.
            name = zipfile.ZipInfo(f"view-{number + 1:03d}.png")
            archive.writestr(name, encode_png(picture))
    work.keep_file(path, "views.zip", "application/zip")
