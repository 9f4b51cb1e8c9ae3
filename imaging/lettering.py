"""Text drawn into pictures: fonts found on the machine, every script, nothing silently lost."""

import os
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from imaging.text import clean_line

# Where systems keep their fonts; the library's own face (Latin) always comes last.
FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "/Library/Fonts", "C:/Windows/Fonts")
# In this order; together they cover the scripts of DICOM's character sets.
FACES = (
    "DejaVuSans.ttf", "NotoSans-Regular.ttf", "NotoSansCJK-Regular.ttc",
    "NotoSansCJKjp-Regular.otf", "wqy-zenhei.ttc", "wqy-microhei.ttc", "ipagp.ttf",
    "NanumGothic.ttf", "DroidSansFallbackFull.ttf",
    "NotoSansArabic-Regular.ttf", "NotoSansHebrew-Regular.ttf", "NotoSansThai-Regular.ttf",
    "NotoSansDevanagari-Regular.ttf", "Arial Unicode.ttf", "msyh.ttc", "arial.ttf",
)  # fmt: skip
AMBER, WHITE, BLACK = (255, 200, 90), (255, 255, 255), (0, 0, 0)
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Colour = tuple[int, int, int]
_NO_GLYPH = "\U0010fffe"


@lru_cache
def find_faces() -> tuple[str, ...]:
    """Return the paths of the faces that this machine has, in the order of `FACES`."""
    found: dict[str, str] = {}
    for folder in FOLDERS:
        for place, _folders, files in os.walk(folder):
            for name in files:
                if name in FACES:
                    found.setdefault(name, str(Path(place) / name))
    return tuple(found[name] for name in FACES if name in found)


@lru_cache(maxsize=64)
def load_font(path: str, size_px: int) -> Font:
    """Return a face in a size; the library's own for an empty path."""
    return ImageFont.truetype(path, size_px) if path else ImageFont.load_default(size_px)


@lru_cache(maxsize=8192)
def _has_glyph(path: str, character: str) -> bool:
    if character.isspace():
        return True
    font = load_font(path, 16)
    missing = font.getmask(_NO_GLYPH)
    drawn = font.getmask(character)
    return bytes(drawn) != bytes(missing) or drawn.size != missing.size


@lru_cache(maxsize=1024)
def fit_text(text: str) -> tuple[tuple[str, str], ...]:
    """Return text as it can be drawn, in one line: parts, each with the face that draws it.

    One face for all is best: right-to-left text is then shaped as one. Else each character takes
    the first face that has it. What no face has is written as its number, `<U+5C71>`: visible,
    and the same for every reader.
    """
    text = clean_line(text)
    faces = (*find_faces(), "")
    for path in faces:
        if all(_has_glyph(path, character) for character in text):
            return ((text, path),)
    parts: list[tuple[str, str]] = []
    for character in text:
        own = next((face for face in faces if _has_glyph(face, character)), None)
        shown = character if own is not None else f"<U+{ord(character):04X}>"
        face = faces[0] if own is None else own
        if parts and parts[-1][1] == face:
            parts[-1] = (parts[-1][0] + shown, face)
        else:
            parts.append((shown, face))
    return tuple(parts)


def text_size(text: str, size_px: int) -> tuple[int, int]:
    """Return width and height in pixels of a line as `draw_text` draws it."""
    width = sum(load_font(path, size_px).getlength(part) for part, path in fit_text(text))
    return round(width), round(size_px * 1.25)


def draw_text(
    pen: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    *,
    size_px: int,
    colour: Colour = WHITE,
    anchor: str = "la",
    outline: bool = True,
) -> None:
    """Draw one line at a place; `anchor` as Pillow's, `outline` keeps it readable on white."""
    left, top = at
    left -= text_size(text, size_px)[0] * {"l": 0.0, "m": 0.5, "r": 1.0}[anchor[0]]
    for part, path in fit_text(text):
        font = load_font(path, size_px)
        stroke = max(1, size_px // 12) if outline else 0
        pen.text(
            (left, top), part, fill=colour, font=font, anchor=f"l{anchor[1]}",
            stroke_width=stroke, stroke_fill=BLACK,
        )  # fmt: skip
        left += font.getlength(part)


def line_picture(text: str, size_px: int, colour: Colour = BLACK) -> Image.Image:
    """Return a line as a picture of its own on white, for documents without fitting fonts."""
    width, height = text_size(text, size_px)
    picture = Image.new("RGB", (max(width, 1) + 2, round(height * 1.35)), WHITE)
    draw_text(ImageDraw.Draw(picture), (1, 0), text, size_px=size_px, colour=colour, outline=False)
    return picture
