"""Management commands of a house, one after another in one process: Django is loaded once.

Reads a JSON list of words a line; answers with a JSON object of `code` and `words`.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import traceback


def main() -> None:
    """Obey until there is nothing more to read."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "noctis.settings")
    answers = sys.stdout
    for line in sys.stdin:
        words = io.StringIO()
        with contextlib.redirect_stdout(words), contextlib.redirect_stderr(words):
            code = _obey(json.loads(line))
        answers.write(json.dumps({"code": code, "words": words.getvalue()}) + "\n")
        answers.flush()


def _obey(arguments: list[str]) -> int:
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(["manage.py", *arguments])
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except Exception:  # noqa: BLE001  (whoever asked is told all of it)
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    main()
