"""A browser driven by hand over its debugging pipe.

Only what a measurement needs is switched on. With the network domain, as drivers of browsers
switch it on, Chromium keeps a copy of every answer for them, and that would be measured.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bench.servers import cpu_seconds, process_tree

NAMES = ("chromium", "chromium-browser", "google-chrome")
# As in the browser tests. OHIF's pages may read from Orthanc's port.
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-web-security",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--window-size=1366,768",
    "--remote-debugging-pipe",
]

# A browser that has just started is still busy with itself, and emulated graphics are compiled
# when something is first drawn: people come from another page.
WARM_SECONDS = 2.0
_SOMETHING = """<body style="background: #123; color: #eee"><p>Words</p><canvas></canvas><script>
const context = document.querySelector('canvas').getContext('2d');
const draw = (now) => {
  context.fillStyle = `hsl(${now % 360} 50% 50%)`;
  context.fillRect(9, 9, 99, 99);
  context.drawImage(context.canvas, 50, 50);
  if (now < 1500) requestAnimationFrame(draw);
};
requestAnimationFrame(draw);
</script>"""


class Chromium:
    """One browser with one page; everything is asked and answered in turn."""

    def __init__(self, profile: Path) -> None:
        path = next((path for name in NAMES if (path := shutil.which(name))), None)
        if path is None:
            raise RuntimeError("There is no Chromium on this machine.")
        to_browser, self._out = _pipe()
        self._in, from_browser = _pipe()
        self._process_id = os.posix_spawn(
            path,
            [path, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, to_browser, 3),
                (os.POSIX_SPAWN_DUP2, from_browser, 4),
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            ],
        )
        os.close(to_browser)
        os.close(from_browser)
        self._rest = b""
        self._number = 0
        targets = self.tell("Target.getTargets")["targetInfos"]
        page = next(one for one in targets if one["type"] == "page")
        told = self.tell("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self._session = told["sessionId"]
        self.ask("Page.enable")

    def tell(self, method: str, **words: Any) -> dict[str, Any]:
        """Say something to the browser; return its answer."""
        return self._exchange({"method": method, "params": words})

    def ask(self, method: str, **words: Any) -> dict[str, Any]:
        """Say something to the page; return its answer."""
        return self._exchange({"method": method, "params": words, "sessionId": self._session})

    def prepare(self, script: str) -> None:
        """Let a script run before those of every page that is opened from now on."""
        self.ask("Page.addScriptToEvaluateOnNewDocument", source=script)

    def open(self, address: str) -> None:
        """Go to an address; return when its first bytes are there."""
        told = self.ask("Page.navigate", url=address)
        if "errorText" in told:
            raise RuntimeError(f"{address}: {told['errorText']}")

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression in the page, awaited if it is promised."""
        told = self.ask(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in told:
            raise RuntimeError(told["exceptionDetails"]["exception"].get("description", "failed"))
        return told["result"].get("value")

    def memory_mb(self) -> float:
        """Return the proportional set size of the browser's process tree."""
        total = 0
        for pid in process_tree(self._process_id):
            try:
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            except OSError:
                continue
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        return total / 1024

    def cpu_seconds(self) -> float:
        """Return user and system time of the browser's process tree so far."""
        return sum(cpu_seconds(pid) for pid in process_tree(self._process_id))

    def close(self) -> None:
        """End the browser."""
        try:
            self.tell("Browser.close")
        except (OSError, RuntimeError):
            os.kill(self._process_id, signal.SIGKILL)
        os.waitpid(self._process_id, 0)
        os.close(self._out)
        os.close(self._in)

    def _exchange(self, message: dict[str, Any]) -> dict[str, Any]:
        self._number += 1
        os.write(self._out, json.dumps({**message, "id": self._number}).encode() + b"\0")
        while True:
            said = self._read()
            if said.get("id") != self._number:
                continue  # events, which nobody waits for
            if "error" in said:
                raise RuntimeError(f"{message['method']}: {said['error']['message']}")
            result: dict[str, Any] = said["result"]
            return result

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            data = os.read(self._in, 1 << 16)
            if not data:
                raise ConnectionError("The browser has ended.")
            self._rest += data
        text, _, self._rest = self._rest.partition(b"\0")
        said: dict[str, Any] = json.loads(text)
        return said


def _pipe() -> tuple[int, int]:
    """Return a pipe's two ends, above the numbers by which the browser knows them."""
    ends = os.pipe()
    high = fcntl.fcntl(ends[0], fcntl.F_DUPFD, 20), fcntl.fcntl(ends[1], fcntl.F_DUPFD, 20)
    os.close(ends[0])
    os.close(ends[1])
    return high


@contextmanager
def fresh_browser(cookies: dict[str, str], address: str) -> Iterator[Chromium]:
    """Yield a browser that has seen nothing; `cookies` are for the host of the address."""
    with tempfile.TemporaryDirectory(prefix="bench-profile-", ignore_cleanup_errors=True) as name:
        browser = Chromium(Path(name))
        try:
            kept = [{"name": key, "value": cookies[key], "url": address} for key in cookies]
            browser.tell("Storage.setCookies", cookies=kept)
            browser.open(f"data:text/html,{quote(_SOMETHING)}")
            time.sleep(WARM_SECONDS)
            yield browser
        finally:
            browser.close()
