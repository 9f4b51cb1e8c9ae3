"""A page of a PDF as a picture: a program of its own, for PDFs are written by strangers.

`python -m imaging.pdf_page PAGE` reads a PDF from standard input and writes a line of JSON
({"pages": n}), then the page, counted from 0, as PNG; with PAGE -1 the line alone. It takes
bounded memory and time, opens no file and runs nothing that the PDF holds.
"""

import io
import json
import resource
import sys

MEMORY_BYTES = 1 << 30
CPU_SECONDS = 15
# Enough to read on paper's width; a page of any size stays below these.
WIDTH_PX = 1400
PIXELS_LIMIT = 12_000_000
PAGES_LIMIT = 2_000


def main() -> int:
    """Draw the page that the arguments name; returns the exit status."""
    import pypdfium2  # noqa: PLC0415 - the limits come first

    document = pypdfium2.PdfDocument(sys.stdin.buffer.read())
    count = min(len(document), PAGES_LIMIT)
    number = int(sys.argv[1])
    sys.stdout.buffer.write(json.dumps({"pages": count}).encode() + b"\n")
    if 0 <= number < count:
        sys.stdout.buffer.write(_draw(document[number]))
    return 0 if number < count else 2


def _draw(page: "object") -> bytes:
    width, height = page.get_size()  # type: ignore[attr-defined]
    if not (0 < width < 1e6 and 0 < height < 1e6):
        raise SystemExit(2)
    scale = min(WIDTH_PX / width, (PIXELS_LIMIT / (width * height)) ** 0.5)
    picture = page.render(scale=scale, may_draw_forms=False).to_pil()  # type: ignore[attr-defined]
    content = io.BytesIO()
    picture.convert("RGB").save(content, "PNG")
    return content.getvalue()


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    raise SystemExit(main())
