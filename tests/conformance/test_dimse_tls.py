"""DICOM over TLS: DCMTK and OpenSSL as the other side, and sides that misbehave (PS3.15 B)."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pytest_django import Settings

from accounts.models import Facility
from archive.models import Instance
from dicom_receiver.certificates import read_expiry
from dicom_receiver.models import Peer
from dicom_receiver.requestor import Offer, Requestor
from dicom_receiver.targets import _calling, target_of
from imaging.errors import PeerUnavailableError
from noctis.checkup.finding import Level
from noctis.checkup.tls import check_expiry, check_tls
from tests.conformance.conftest import StartPort
from tests.conformance.dimse import (
    CT_IMAGE_STORAGE,
    EXPLICIT_LITTLE,
    STATUS,
    VERIFICATION,
    AbortedError,
    Client,
    ClosedError,
    RefusedError,
    associate_rq,
    context,
    encode,
)
from tests.conformance.port import Port, wait_for
from tests.conformance.test_dimse_store import make_ct, read_data_set, stored_path
from tests.services import find_free_port

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl command")

ECHO = context(1, VERIFICATION, EXPLICIT_LITTLE)
CT = context(1, CT_IMAGE_STORAGE, EXPLICIT_LITTLE)


class Authority:
    """A certificate authority in a folder; what it signs is called by its common name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._openssl("req", "-x509", "-days", "30", "-subj", "/CN=Test CA", key="ca", out="ca")

    def path(self, name: str) -> str:
        return str(self.folder / f"{name}.pem")

    def key(self, name: str) -> str:
        return str(self.folder / f"{name}.key")

    def issue(self, name: str, *, days: int = 20, host: str = "localhost") -> None:
        """Make key and certificate."""
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName=DNS:{host},IP:127.0.0.1\n")
        request = str(self.folder / f"{name}.csr")
        self._openssl("req", "-subj", f"/O=Hospital/CN={name}", "-out", request, key=name)
        self._run(
            *("x509", "-req", "-in", request, "-CA", self.path("ca"), "-CAkey", self.key("ca")),
            *("-CAcreateserial", "-days", str(days), "-extfile", str(extensions)),
            *("-out", self.path(name)),
        )

    def fingerprint(self, name: str) -> str:
        der = ssl.PEM_cert_to_DER_cert(Path(self.path(name)).read_text())
        return hashlib.sha256(der).hexdigest()

    def _openssl(self, *arguments: str, key: str, out: str = "") -> None:
        self._run(
            *arguments,
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-keyout", self.key(key)),
            *(("-out", self.path(out)) if out else ()),
        )

    def _run(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=30)


class TlsPort:
    """A receiver with a TLS port, and how to reach that."""

    def __init__(self, port: Port, number: int, authority: Authority) -> None:
        self.port = port
        self.number = number
        self.authority = authority

    def client(self, name: str = "", **versions: ssl.TLSVersion) -> Client:
        """Return a client over TLS; with a name, it shows that certificate."""
        context = ssl.create_default_context(cafile=self.authority.path("ca"))
        for which, version in versions.items():
            setattr(context, f"{which}_version", version)
        if name:
            context.load_cert_chain(self.authority.path(name), self.authority.key(name))
        client = Client(self.number)
        client.sock = context.wrap_socket(client.sock, server_hostname="localhost")
        return client

    def echoes(self) -> bool:
        with suppress(OSError, ClosedError, AbortedError, RefusedError), self.client() as client:
            status = client.associate(ECHO).echo()
            client.release()
            return status == 0
        return False


def tls_variables(authority: Authority, number: int, **also: str) -> dict[str, str]:
    return {
        "NOCTIS_DICOM_TLS": f"127.0.0.1:{number}",
        "NOCTIS_DICOM_TLS_CERTIFICATE": authority.path("server"),
        "NOCTIS_DICOM_TLS_KEY": authority.key("server"),
        "NOCTIS_DICOM_TLS_CA": authority.path("ca"),
        **also,
    }


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    authority = Authority(tmp_path_factory.mktemp("authority"))
    for name in ("server", "ct1", "mr1"):
        authority.issue(name)
    return authority


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[TlsPort]:
    """Return one receiver, with a database of its own, for tests that look at no rows."""
    number = find_free_port()
    home = tmp_path_factory.mktemp("tls")
    port = Port(
        home,
        **tls_variables(
            authority,
            number,
            DATABASE_URL="",
            NOCTIS_MAX_HANDSHAKES="4",
            NOCTIS_REQUEST_SECONDS="3",
        ),
    )
    try:
        port.migrate()
        yield TlsPort(port.start(), number, authority)
    finally:
        port.stop()


@pytest.mark.dcmtk
@pytest.mark.parametrize("profile", ["--profile-bcp195-nd", "--profile-bcp195-ex"])
def test_echoscu_is_answered_by_tls(shared: TlsPort, profile: str) -> None:
    authority = shared.authority
    subprocess.run(
        [
            *("echoscu", "-to", "10", "-aec", "NOCTIS_SCP", profile),
            *("+tls", authority.key("ct1"), authority.path("ct1"), "+cf", authority.path("ca")),
            *("localhost", str(shared.number)),
        ],
        check=True,
        timeout=20,
    )


@pytest.mark.parametrize(
    ("version", "cipher"),
    [("-tls1_3", "TLS_AES_256_GCM_SHA384"), ("-tls1_2", "ECDHE-ECDSA-AES256-GCM-SHA384")],
)
def test_openssl_agrees_on_authenticated_encryption(
    shared: TlsPort, version: str, cipher: str
) -> None:
    said = connect_with_openssl(shared, version)
    assert cipher in said
    assert "Verify return code: 0 (ok)" in said


@pytest.mark.parametrize(
    "options",
    [
        ("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"),
        ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES128-SHA256"),
        ("-tls1_2", "-cipher", "ECDHE-ECDSA-NULL-SHA:AECDH-AES128-SHA:@SECLEVEL=0"),
    ],
)
def test_what_is_older_or_weaker_than_the_profile_is_refused(
    shared: TlsPort, options: tuple[str, ...]
) -> None:
    assert "Cipher is (NONE)" in connect_with_openssl(shared, *options)
    assert shared.echoes()


def connect_with_openssl(shared: TlsPort, *options: str) -> str:
    """Return what `openssl s_client` says of a connection."""
    done = subprocess.run(
        [
            *("openssl", "s_client", "-connect", f"127.0.0.1:{shared.number}"),
            *("-CAfile", shared.authority.path("ca"), *options),
        ],
        input=b"",
        capture_output=True,
        timeout=20,
        check=False,
    )
    return done.stdout.decode("utf-8", "replace")


def test_who_does_not_speak_tls_gets_no_answer_and_holds_nobody_up(shared: TlsPort) -> None:
    with ExitStack() as held:
        for noise in (associate_rq([ECHO]), b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff"):
            client = held.enter_context(Client(shared.number))
            client.send(noise)
            with pytest.raises(ClosedError):
                client.read(1)
        assert shared.echoes()
    with Client(shared.port.number) as client:
        client.send(b"\x16\x03\x01\x00\x05hello")
        with pytest.raises(ClosedError):
            client.read(1)
    assert "an association request without TLS" in shared.port.said()
    assert "a TLS handshake on the port without TLS" in shared.port.said()


def test_handshakes_that_do_not_end_are_bounded_and_hold_nobody_up(shared: TlsPort) -> None:
    """More than may shake hands say hello and then nothing; others come through in time."""
    hello = client_hello()
    with ExitStack() as held:
        began = time.monotonic()
        for _ in range(40):
            held.enter_context(Client(shared.number)).send(hello)
        half = held.enter_context(Client(shared.number))
        half.send(hello[:-10])
        assert shared.port.echoes()
        assert time.monotonic() - began < 3
        wait_for(shared.echoes, 30)
    wait_for(lambda: "handshake and association request came too slowly" in shared.port.said())
    assert "Traceback" not in shared.port.said()


def client_hello() -> bytes:
    """Return the first flight of an honest client."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    side = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with suppress(ssl.SSLWantReadError):
        side.do_handshake()
    return outgoing.read()


def test_hello_in_single_bytes_is_heard(shared: TlsPort) -> None:
    """The front door is not kept busy by a hello that comes in pieces."""
    with Client(shared.number) as client:
        for byte in client_hello():
            client.send(bytes([byte]))
        assert client.read(1) == b"\x16"


def test_places_that_are_taken_are_said_so_by_tls_too(
    start_port: StartPort, authority: Authority
) -> None:
    number = find_free_port()
    port = start_port(
        **tls_variables(authority, number, NOCTIS_MAX_ASSOCIATIONS="2"),
        NOCTIS_MAX_ASSOCIATIONS_PER_ADDRESS="2",
    )
    tls = TlsPort(port, number, authority)
    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(tls.client()).associate(ECHO)
        with tls.client() as client, pytest.raises(RefusedError) as refusal:
            client.associate(ECHO)
        with port.client() as client, pytest.raises(RefusedError):
            client.associate(ECHO)
    assert refusal.value.args == (2, 3, 2)
    wait_for(tls.echoes)


def test_peer_is_who_shows_its_certificate(start_port: StartPort, authority: Authority) -> None:
    facility = Facility.objects.create(code="A", name="A")
    Peer.objects.create(ae_title="CT1", facility=facility, certificate="CN=ct1, O=Hospital")
    fingerprint = authority.fingerprint("mr1").upper()
    Peer.objects.create(ae_title="MR1", facility=facility, certificate=fingerprint)
    Peer.objects.create(ae_title="STARTER", facility=facility)
    number = find_free_port()
    port = start_port(**tls_variables(authority, number, NOCTIS_UNKNOWN_AE="reject"))
    tls = TlsPort(port, number, authority)
    for shown, title, is_taken in (
        ("ct1", b"CT1", True),
        ("mr1", b"CT1", False),
        ("", b"CT1", False),
        ("mr1", b"MR1", True),
        ("ct1", b"MR1", False),
    ):
        with tls.client(shown) as client:
            if is_taken:
                assert client.associate(ECHO, calling=title).echo() == 0
            else:
                with pytest.raises(RefusedError) as refusal:
                    client.associate(ECHO, calling=title)
                assert refusal.value.args == (1, 1, 3)
    with port.client() as client, pytest.raises(RefusedError):
        client.associate(ECHO, calling=b"CT1")


def test_stored_by_tls_is_stored_whole_and_new_certificates_are_used(
    start_port: StartPort, authority: Authority, tmp_path: Path
) -> None:
    number = find_free_port()
    own, key = tmp_path / "own.pem", tmp_path / "own.key"
    shutil.copy(authority.path("server"), own)
    shutil.copy(authority.key("server"), key)
    port = start_port(
        **tls_variables(
            authority,
            number,
            NOCTIS_DICOM_TLS_CLIENTS="required",
            NOCTIS_DICOM_TLS_PROFILE="extended",
        )
        | {"NOCTIS_DICOM_TLS_CERTIFICATE": str(own), "NOCTIS_DICOM_TLS_KEY": str(key)}
    )
    tls = TlsPort(port, number, authority)
    dataset = make_ct(PixelData=os.urandom(400_000))
    with tls.client("ct1") as client:
        client.associate(CT)
        answer = client.store(CT_IMAGE_STORAGE, str(dataset.SOPInstanceUID), encode(dataset))
        client.release()
        # It says goodbye as TLS asks: an end that nobody on the way can feign.
        assert isinstance(client.sock, ssl.SSLSocket)
        client.sock.suppress_ragged_eofs = False  # type: ignore[attr-defined]
        assert client.sock.recv(1) == b""
    assert answer[STATUS] == 0
    assert read_data_set(stored_path(port, Instance.objects.get())) == encode(dataset)
    with pytest.raises((ssl.SSLError, ClosedError, ConnectionError)), tls.client() as client:
        client.associate(ECHO)
    wait_for(lambda: "it shows no certificate, which we require" in port.said())

    shutil.copy(authority.path("mr1"), own)
    wait_for(lambda: "new TLS files are not used" in said_after_call(tls))
    assert shown_serial(tls) == serial(authority.path("server"))
    shutil.copy(authority.key("mr1"), key)
    wait_for(lambda: shown_serial(tls) == serial(authority.path("mr1")))


def said_after_call(tls: TlsPort) -> str:
    shown_serial(tls)
    return tls.port.said()


def shown_serial(tls: TlsPort) -> str:
    """Return the serial number of the certificate that the receiver shows."""
    with tls.client("ct1") as client:
        assert isinstance(client.sock, ssl.SSLSocket)
        told = client.sock.getpeercert()
        client.associate(ECHO)
        client.release()
    assert told is not None
    return str(told["serialNumber"])


def serial(path: str) -> str:
    done = subprocess.run(
        ["openssl", "x509", "-noout", "-serial", "-in", path], capture_output=True, check=True
    )
    return done.stdout.decode().strip().partition("=")[2]


def test_expiry_is_read_as_openssl_reads_it(authority: Authority) -> None:
    authority.issue("long", days=20_000)  # behind 2049 the time is written in another form
    for name in ("server", "long"):
        done = subprocess.run(
            ["openssl", "x509", "-noout", "-enddate", "-in", authority.path(name)],
            capture_output=True,
            check=True,
        )
        expected = ssl.cert_time_to_seconds(done.stdout.decode().strip().partition("=")[2])
        assert read_expiry(Path(authority.path(name))).timestamp() == expected


def test_check_up_tells_of_certificates_that_expire_and_of_bindings_that_nobody_asks_for(
    db: None, authority: Authority, settings: Settings
) -> None:
    path = Path(authority.path("server"))  # valid for 20 days
    now = datetime.now(UTC)
    levels = [
        check_expiry("certificate", path, now + timedelta(days=days)).level for days in (-15, 0, 21)
    ]
    assert levels == [Level.OK, Level.WARN, Level.FAIL]
    assert check_expiry("key", Path(authority.key("server")), now).level == Level.FAIL

    assert list(check_tls()) == []
    settings.NOCTIS_DICOM_TLS = ("127.0.0.1", 2762)
    settings.NOCTIS_DICOM_TLS_CERTIFICATE = authority.path("server")
    settings.NOCTIS_DICOM_TLS_KEY = authority.key("server")
    assert [finding.level for finding in check_tls()] == [Level.WARN]
    facility = Facility.objects.create(code="A", name="A")
    Peer.objects.create(ae_title="CT1", facility=facility, certificate="CN=ct1")
    assert [finding.subject for finding in check_tls() if finding.level == Level.FAIL] == [
        "DICOM TLS peers"
    ]
    settings.NOCTIS_DICOM_TLS_KEY = authority.key("ct1")
    assert [finding.level for finding in check_tls()] == [Level.FAIL]


def test_unusable_key_is_one_sentence(start_port: StartPort, authority: Authority) -> None:
    number = find_free_port()
    port = Port(
        authority.folder,
        **tls_variables(authority, number, NOCTIS_DICOM_TLS_KEY=authority.key("ct1")),
        DATABASE_URL="",
    )
    assert port.launch().wait(30) == 1
    assert port.said().startswith("DICOM over TLS cannot start: ")
    assert "are no pair" in port.said()
    assert port.said().count("\n") == 1
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", number))


@pytest.mark.dcmtk
def test_we_call_by_tls_only_who_proves_to_be_the_peer(
    authority: Authority, settings: Settings, tmp_path: Path
) -> None:
    settings.NOCTIS_DICOM_TLS_CERTIFICATE = authority.path("server")
    settings.NOCTIS_DICOM_TLS_KEY = authority.key("server")
    settings.NOCTIS_DICOM_TLS_CA = authority.path("ca")
    number = find_free_port()
    peer = Peer(ae_title="STORESCP", host="localhost", port=number, use_tls=True)
    command = ["storescp", "-od", str(tmp_path), "+cf", authority.path("ca"), "--require-peer-cert"]
    command += ["+tls", authority.key("ct1"), authority.path("ct1"), str(number)]
    with subprocess.Popen(command) as process:
        try:
            wait_for(lambda: echo_by_tls(peer) == "")
            assert echo_by_tls(peer, host="127.0.0.1") == ""
            assert echo_by_tls(peer, certificate="CN=ct1") == ""
            assert "another certificate" in echo_by_tls(peer, certificate="CN=mr1")
            host = socket.gethostname()
            if host != "localhost":
                assert "certificate verify failed" in echo_by_tls(peer, host=host)
                assert echo_by_tls(peer, host=host, certificate=authority.fingerprint("ct1")) == ""
            settings.NOCTIS_DICOM_TLS_CA = authority.path("mr1")
            _calling.cache_clear()
            assert "certificate verify failed" in echo_by_tls(peer)
        finally:
            process.terminate()
            _calling.cache_clear()


def echo_by_tls(peer: Peer, **also: str) -> str:
    """Return what keeps us from an echo; nothing when it is answered."""
    for name in ("host", "certificate"):
        setattr(peer, name, also.get(name, "localhost" if name == "host" else ""))
    try:
        with Requestor(target_of(peer), [Offer(VERIFICATION)]) as called:
            assert called.echo() == 0
    except PeerUnavailableError as error:
        return str(error)
    return ""
