"""The secret key is made once, kept, and hidden from other users."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from noctis.secret import read_secret_key


@pytest.fixture(autouse=True)
def no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOCTIS_SECRET_KEY", raising=False)


def test_key_is_made_once_and_stays(tmp_path: Path) -> None:
    first = read_secret_key(tmp_path, required=False)

    assert len(first) >= 50
    assert read_secret_key(tmp_path, required=False) == first


def test_other_users_cannot_read_the_key(tmp_path: Path) -> None:
    read_secret_key(tmp_path, required=False)

    assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600


def test_processes_that_start_together_agree_on_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: read_secret_key(tmp_path, required=False), range(8)))

    assert len(keys) == 1
    assert [path.name for path in tmp_path.glob("secret*")] == ["secret.key"]
