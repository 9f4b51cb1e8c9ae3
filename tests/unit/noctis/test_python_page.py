"""The examples of docs/python.md run as they stand there, against a real server."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from accounts.api_tokens import Wish, make_token
from accounts.models import Facility, User
from archive.models import Instance
from tests.factories import PASSWORD
from tests.stored import store_files

PAGE = Path(__file__).parents[3] / "docs" / "python.md"
EXAMPLE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.django_db(transaction=True)
def test_the_examples_of_the_page_run(
    live_server: Any,
    tess: User,
    north: Facility,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    store_files(north, 2)
    _token, word = make_token(tess, Wish(name="docs", scope="write", days=1))
    monkeypatch.setenv("NOCTIS_URL", live_server.url)
    monkeypatch.setenv("NOCTIS_TOKEN", word)
    monkeypatch.setenv("NOCTIS_NAME", tess.username)
    monkeypatch.setenv("NOCTIS_PASSWORD", PASSWORD)
    examples = EXAMPLE.findall(PAGE.read_text())
    assert len(examples) >= 7

    program: dict[str, Any] = {}
    for example in examples:
        exec(compile(example, str(PAGE), "exec"), program)

    said = capsys.readouterr().out.splitlines()
    # CT_small.dcm, as pydicom itself reads it: 128 by 128, from 128 to 2191.
    assert said == [
        "tess of ['north']",
        "2 dots in an access token",
        "1 study, 1 series",
        "(128, 128) 128 2191",
        "P1 CT Image Storage",
        "1 stored",
        said[6],
        "not_authenticated",
        said[8],
    ]
    assert re.fullmatch(r"\d{4,} bytes of PNG, image 1 of 2", said[6])
    assert Instance.objects.count() == 3
