"""Marks, letters, scale and words over a picture, found again in its pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from imaging import lettering
from imaging.drawn import Drawn, ImageRef
from imaging.lettering import AMBER, draw_text, fit_text, line_picture
from imaging.mark_style import MarkStyle, line_of
from imaging.picture_marks import Dressing, Labelled, dress

REF = ImageRef("1.2", "1.3")
BLACK = np.zeros((600, 800), np.uint8)
GREEN = "#00ff00"


def places(image: Image.Image, colour: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.nonzero((np.asarray(image) == colour).all(axis=2))
    return rows, columns


def mark(kind: str, points: list[list[float]]) -> Labelled:
    return Labelled(Drawn(kind=kind, points_px=points, image=REF, colour=GREEN))


def test_nothing_to_draw_leaves_the_picture_as_it_is() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (30, 40)).astype(np.uint8)
    assert (np.asarray(dress(noise, Dressing())) == noise).all()


def test_a_line_lies_where_its_points_are_also_on_tall_pixels() -> None:
    drawn = dress(
        BLACK, Dressing(marks=[mark("length", [[100, 50], [300, 50]])], pixel_steps=(1, 2))
    )
    rows, columns = places(drawn, (0, 255, 0))
    assert abs(rows.mean() - 50.5 * 2) < 1
    assert abs(columns.min() - 100.5) <= 2
    assert abs(columns.max() - 300.5) <= 2


def styled(kind: str, points: list[list[float]], **style: Any) -> Labelled:
    look = MarkStyle.from_json(style)
    return Labelled(Drawn(kind=kind, points_px=points, image=REF, colour=GREEN, style=look))


@pytest.mark.parametrize(
    ("line", "period", "drawn_part"), [("dashed", 10 * 6, 7 / 10), ("dotted", 2.5 * 6, 1 / 2.5)]
)
def test_dashes_are_as_long_as_those_of_the_page(
    line: str, period: float, drawn_part: float
) -> None:
    # 600 rows, 800 columns: words are 17 px high where the page has 12, so 4 px of the page are 6. SVG with
    # round ends draws dashes of 6 widths and one more, and gaps of 4 less one.
    long = styled("length", [[20, 300], [620, 300]], line=line, line_width=4)
    picture = np.asarray(dress(BLACK, Dressing(marks=[long])))
    row = (picture[300] == (0, 255, 0)).all(axis=1)[20:620]
    starts = np.nonzero(np.diff(row.astype(int)) == 1)[0]
    assert abs(np.median(np.diff(starts)) - period) <= 1
    assert abs(row.mean() - drawn_part) < 0.06
    thick = (picture[290:310, 19:24] == (0, 255, 0)).all(axis=2).sum(axis=0).max()
    assert abs(int(thick) - 6) <= 1


def test_an_area_is_painted_as_opaque_as_it_says_and_the_picture_shows_through() -> None:
    grey = np.full((600, 800), 100, np.uint8)
    box = styled("rectangle", [[100, 100], [300, 200]], fill_opacity=0.5)
    picture = np.asarray(dress(grey, Dressing(marks=[box])))
    # Half of (0, 255, 0) and half of 100.
    assert np.abs(picture[150, 200].astype(float) - [50, 177.5, 50]).max() <= 1
    assert (picture[150, 350] == 100).all()
    bare = np.asarray(
        dress(grey, Dressing(marks=[styled("length", [[9, 9], [50, 9]], fill_opacity=1)]))
    )
    assert (bare[30:] == 100).all()


@pytest.mark.parametrize(
    ("dashing", "pattern", "line"),
    [
        ("SOLID", None, "solid"), ("DASHED", 0x00FF00FF, "dashed"), ("DASHED", 0x55555555, "dotted"),
        ("DASHED", 0x80000001, "dotted"), ("DASHED", 0xFFFFFFFF, "solid"),
        ("DASHED", None, "dashed"), ("", None, ""),
    ],
)  # fmt: skip
def test_patterns_of_others_are_the_line_that_is_most_like_them(
    dashing: str, pattern: int | None, line: str
) -> None:
    assert line_of(dashing, pattern) == line


@pytest.mark.parametrize("kind", ["ellipse", "circle"])
def test_round_marks_reach_as_far_as_their_axes(kind: str) -> None:
    points = (
        [[100.0, 100.0], [300.0, 200.0]] if kind == "ellipse" else [[200.0, 150.0], [250.0, 150.0]]
    )
    rows, columns = places(dress(BLACK, Dressing(marks=[mark(kind, points)])), (0, 255, 0))
    across = 200 if kind == "ellipse" else 100
    assert abs(columns.max() - columns.min() - across) <= 4
    assert abs(rows.max() - rows.min() - 100) <= 4


def test_the_scale_is_as_long_as_it_says() -> None:
    # 600 rows of 0.5 mm: 40 % of the height are 120 mm, so 10 cm are drawn, 200 pixels long.
    drawn = np.asarray(dress(BLACK, Dressing(row_mm=0.5)).convert("L"))
    bar = (drawn[:, 600:] > 200).sum(axis=0).max()
    assert abs(int(bar) - 200) <= 3


def test_letters_stand_at_their_edges() -> None:
    drawn = dress(BLACK, Dressing(letters={"left": "R", "right": "L", "top": "A", "bottom": "P"}))
    rows, columns = places(drawn, AMBER)
    assert columns.min() < 30
    assert columns.max() > 770
    assert rows.min() < 30
    assert rows.max() > 570


def test_small_pictures_grow_by_a_whole_factor() -> None:
    small = np.random.default_rng(1).integers(0, 256, (100, 60)).astype(np.uint8)
    drawn = dress(small, Dressing(corners={"top_left": ["x"]}))
    assert drawn.size == (360, 600)
    assert (np.asarray(drawn.convert("L"))[300:, ::6][::6] == small[50:]).all()


def test_what_no_face_has_is_written_as_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lettering, "find_faces", lambda: ())
    fit_text.cache_clear()
    try:
        assert fit_text("A山") == (("A<U+5C71>", ""),)
        assert (
            fit_text("a\x00b\u202ec\nd")[0][0] == "abc d" or "\x00" not in fit_text("a\x00b")[0][0]
        )
        assert line_picture("山", 20).width > 20
    finally:
        fit_text.cache_clear()


def test_hostile_words_are_only_drawn() -> None:
    image = Image.new("RGB", (300, 60))
    draw_text(ImageDraw.Draw(image), (2, 2), "<img src=x onerror=…> {{7*7}} =1+1", size_px=14)
    assert np.asarray(image).any()


def test_words_on_a_picture_that_keeps_its_size_never_lie_over_each_other() -> None:
    corners = {"top_left": ["DOE-SMITHERSON, JANE"], "top_right": ["CT OF THE THORAX AND"]}
    alone = {"top_left": corners["top_left"]}
    black = np.zeros((200, 200), np.uint8)
    both = np.asarray(dress(black, Dressing(corners=corners, keeps_size=True)))
    left = np.asarray(dress(black, Dressing(corners=alone, keeps_size=True)))
    assert both.shape == (200, 200, 3)
    # The name reads as if it stood alone; what has no room beside it stands below.
    assert left[:17].any()
    assert np.array_equal(both[:17], left[:17])
    assert both[20:].any()
    assert not left[20:].any()
    wide = np.asarray(dress(np.zeros((600, 600), np.uint8), Dressing(corners=corners)))
    assert wide[:20, 400:].any()
