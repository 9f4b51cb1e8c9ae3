"""Many processes write one log, and nobody forges a line or sees patient data in it."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

from noctis.logs import LineFormatter, SharedRotatingFileHandler

WRITER = """
import logging, sys
from noctis.logs import LineFormatter, SharedRotatingFileHandler
handler = SharedRotatingFileHandler(sys.argv[1], max_bytes=20_000, keep=50)
handler.setFormatter(LineFormatter())
logger = logging.getLogger("writer")
logger.addHandler(handler)
for number in range(500):
    logger.warning("%s wrote line %04d of its own", sys.argv[2], number)
"""


def format_record(message: str, *, error: BaseException | None = None) -> str:
    exc_info = (type(error), error, None) if error else None
    record = logging.LogRecord("noctis", logging.INFO, "", 0, message, (), exc_info)
    return LineFormatter().format(record)


def test_no_line_of_several_processes_is_lost_or_torn_while_files_rotate(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "noctis.log"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(log), name], cwd=Path(__file__).parents[3]
        )
        for name in ("anna", "bert", "cleo")
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]

    files = sorted(log.parent.glob("noctis.log*"))
    lines = [
        line for file in files if file.suffix != ".lock" for line in file.read_text().splitlines()
    ]
    told = sorted(line.partition("] ")[2] for line in lines)
    assert len(files) > 4
    assert told == sorted(
        f"{name} wrote line {number:04d} of its own"
        for name in ("anna", "bert", "cleo")
        for number in range(500)
    )


def test_oldest_files_are_let_go(tmp_path: Path) -> None:
    handler = SharedRotatingFileHandler(str(tmp_path / "x.log"), max_bytes=100, keep=2)
    for number in range(50):
        handler.handle(logging.LogRecord("n", logging.INFO, "", 0, f"line {number} " * 5, (), None))
    handler.close()

    names = {path.name for path in tmp_path.glob("x.log*")}
    assert names <= {"x.log", "x.log.1", "x.log.2", "x.log.lock"}


def test_log_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where a folder should be")
    handler = SharedRotatingFileHandler(str(tmp_path / "logs" / "x.log"), max_bytes=100, keep=2)

    handler.handle(logging.LogRecord("n", logging.INFO, "", 0, "line", (), None))


def test_foreign_text_cannot_begin_a_line_of_its_own() -> None:
    line = format_record("AE title X\r\n2026-01-01 ERROR forged\x1b[2J")

    assert "\n" not in line
    assert "\x1b" not in line
    assert "\\r\\n2026" in line


def test_values_that_postgresql_quotes_are_left_out() -> None:
    error = ValueError("duplicate key\nDETAIL:  Key (patient_id)=(MUSTERMANN 42) already exists.")

    text = format_record("failed", error=error)

    assert "duplicate key" in text
    assert "MUSTERMANN" not in text
