"""One file brings facilities, peers and users to what it says, or changes nothing."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from accounts.models import AuditRow, Facility, Role, User
from dicom_receiver.models import Line, Peer
from dicom_receiver.remote.models import WebPeer
from dicom_receiver.remote.secrets import unseal
from noctis.provision import KEYS, ProvisionError, apply_plan, read_plan

pytestmark = pytest.mark.django_db

WHOLE = """
[[facility]]
code = "north"
name = "North Hospital"

[[peer]]
ae_title = "CT1"
host = "10.0.0.5"
port = 104
facility = "north"
may = ["store", "commit"]

[[user]]
username = "rada"
password = "a long pass phrase"
role = "radiologist"
facilities = ["north"]

[[user]]
username = "boss"
password = "another pass phrase"
role = "admin"
"""


def provision(folder: Path, text: str) -> list[str]:
    """Apply a file and return what became of each entry."""
    path = folder / "site.toml"
    path.write_text(text)
    return [result.outcome for result in apply_plan(read_plan(path))]


def test_makes_everything_that_the_file_names(tmp_path: Path) -> None:
    assert provision(tmp_path, WHOLE) == ["created"] * 4

    peer, rada = Peer.objects.get(), User.objects.get(username="rada")
    assert (peer.ae_title, peer.host, peer.port, peer.facility.code) == (
        "CT1",
        "10.0.0.5",
        104,
        "north",
    )
    assert (peer.may_store, peer.may_commit, peer.may_find, peer.may_move) == (
        True,
        True,
        False,
        False,
    )
    assert rada.role == Role.RADIOLOGIST
    assert rada.check_password("a long pass phrase")
    assert [facility.code for facility in rada.facilities.all()] == ["north"]
    boss = User.objects.get(username="boss")
    assert (boss.is_superuser, boss.is_staff, boss.is_archive_admin) == (True, True, True)


def test_second_time_changes_nothing(tmp_path: Path) -> None:
    provision(tmp_path, WHOLE)
    before = User.objects.get(username="rada").password
    audited = AuditRow.objects.count()

    assert provision(tmp_path, WHOLE) == ["unchanged"] * 4

    assert User.objects.get(username="rada").password == before
    assert AuditRow.objects.count() == audited


def test_changes_what_differs_and_leaves_what_is_not_named(tmp_path: Path) -> None:
    provision(tmp_path, WHOLE)
    changed = WHOLE.replace('"store", "commit"', '"find"').replace("North Hospital", "North")
    changed = changed.replace("radiologist", "technologist").replace(
        "a long pass phrase", "a newer phrase"
    )

    assert provision(tmp_path, changed) == ["changed", "changed", "changed", "unchanged"]

    peer, rada = Peer.objects.get(), User.objects.get(username="rada")
    assert (peer.may_store, peer.may_find) == (False, True)
    assert Facility.objects.get().name == "North"
    assert (rada.role, rada.check_password("a newer phrase")) == (Role.TECHNOLOGIST, True)

    provision(tmp_path, '[[facility]]\ncode = "south"\nname = "South"')
    assert Peer.objects.count() == 1
    assert User.objects.count() == 2


def test_peer_is_bound_to_its_certificate_and_stays_so(tmp_path: Path) -> None:
    bound = WHOLE.replace("port = 104", 'port = 104\ntls = true\ncertificate = "CN=ct1"')
    provision(tmp_path, bound)
    provision(tmp_path, WHOLE)
    peer = Peer.objects.get()
    assert (peer.use_tls, peer.certificate, peer.check_address) == (True, "CN=ct1", False)

    with pytest.raises(ProvisionError, match="fingerprint"):
        provision(tmp_path, bound.replace("CN=ct1", "whoever"))


def test_known_user_keeps_the_password_when_none_is_given(tmp_path: Path) -> None:
    provision(tmp_path, WHOLE)

    provision(tmp_path, WHOLE.replace('password = "a long pass phrase"\n', ""))

    assert User.objects.get(username="rada").check_password("a long pass phrase")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('name = "North Hospital"', 'nmae = "North"', "facility north: 'nmae' is not known"),
        ('name = "North Hospital"', "", "facility north: 'name' is missing"),
        ('code = "north"', 'code = "no rth"', "facility no rth: 'code'"),
        ("port = 104", 'port = "104"', "peer CT1: 'port' must be a whole number"),
        ("port = 104", "port = 70000", "peer CT1: 'port'"),
        ('"store"', '"shop"', "peer CT1: may 'shop' is none of store, find"),
        ("CT1", "A_TITLE_THAT_IS_TOO_LONG", "peer A_TITLE_THAT_IS_TOO_LONG: 'ae_title'"),
        ('"radiologist"', '"wizard"', "user rada: role 'wizard' is none of radiologist"),
        ('facilities = ["north"]', 'facilities = ["mars"]', "user rada: facility 'mars'"),
        ('password = "a long pass phrase"', "", "user rada: 'password' is missing"),
        ('username = "boss"', 'username = "rada"', "user rada: named twice"),
        ("[[peer]]", "[[pear]]", "[pear] is not known"),
        ("port = 104", "port = ", "is not valid TOML"),
    ],
)
def test_names_the_wrong_entry_and_writes_nothing(
    tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    with pytest.raises(ProvisionError) as caught:
        provision(tmp_path, WHOLE.replace(old, new))

    assert any(sentence in one for one in caught.value.sentences), caught.value.sentences
    assert not Facility.objects.exists()
    assert not Peer.objects.exists()
    assert not User.objects.exists()


def test_command_tells_each_entry_and_refuses_with_every_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "site.toml"
    path.write_text(WHOLE)
    call_command("provision", str(path))
    assert "created    peer CT1" in capsys.readouterr().out

    path.write_text(WHOLE.replace("port = 104", "port = 0.5").replace("admin", "emperor"))
    with pytest.raises(CommandError) as caught:
        call_command("provision", str(path))
    assert "Nothing was changed" in str(caught.value)
    assert "peer CT1" in str(caught.value)
    assert "user boss" in str(caught.value)


def test_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ProvisionError, match="cannot be read"):
        read_plan(tmp_path / "none.toml")


WAYS_OUT = """
[[facility]]
code = "north"
name = "North"

[[peer]]
ae_title = "ARCHIVE"
host = "10.0.0.6"
port = 104
facility = "north"
description = "The old archive"
queried = true
destination = false
import_by = "get"
import_as = "uncompressed"
timeout_seconds = 12
ask_commitment = true

[[web_peer]]
name = "Cloud"
url = "https://pacs.example.org/dicom-web"
facility = "north"
log_in = "bearer"
secret = "open sesame"
destination = false
timeout_seconds = 9
"""


def test_other_archives_are_made_with_all_that_they_need(tmp_path: Path) -> None:
    assert provision(tmp_path, WAYS_OUT) == ["created"] * 3

    peer, web = Peer.objects.get(), WebPeer.objects.get()
    assert (peer.description, peer.is_queried, peer.is_destination) == (
        "The old archive",
        True,
        False,
    )
    assert (peer.retrieve_method, peer.retrieve_syntaxes) == ("get", "uncompressed")
    assert (peer.timeout_seconds, peer.line.asks_commitment) == (12, True)
    assert (web.base_url, web.facility.code) == ("https://pacs.example.org/dicom-web", "north")
    assert (web.authentication, web.is_destination, web.timeout_seconds) == ("bearer", False, 9)
    assert "sesame" not in web.sealed_secret
    assert unseal(web.sealed_secret) == "open sesame"
    assert not AuditRow.objects.filter(detail__icontains="sesame").exists()

    # Again: nothing changes; with another secret, or no commitment, that alone does.
    assert provision(tmp_path, WAYS_OUT) == ["unchanged"] * 3
    changed = WAYS_OUT.replace("open sesame", "close sesame").replace("ent = true", "ent = false")
    assert provision(tmp_path, changed) == ["unchanged", "changed", "changed"]
    assert unseal(WebPeer.objects.get().sealed_secret) == "close sesame"
    assert not Line.objects.get().asks_commitment


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('"get"', '"ftp"', "peer ARCHIVE: import_by 'ftp' is none of move, get."),
        ('"bearer"', '"magic"', "web_peer Cloud: log_in 'magic' is none of none, basic, bearer."),
        ('"bearer"', '"basic"', "web_peer Cloud: 'username' is missing."),
        ('secret = "open sesame"', "", "'secret' is missing"),
        ("https://", "gopher://", "web_peer Cloud: 'base_url'"),
        ("seconds = 9", "seconds = 100000", "web_peer Cloud: 'timeout_seconds'"),
    ],
)
def test_an_archive_that_cannot_be_changes_nothing(
    tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    with pytest.raises(ProvisionError) as caught:
        provision(tmp_path, WAYS_OUT.replace(old, new))
    assert any(sentence in one for one in caught.value.sentences), caught.value.sentences
    assert not Facility.objects.exists()


def test_a_new_address_does_not_get_the_old_secret(tmp_path: Path) -> None:
    provision(tmp_path, WAYS_OUT)
    without = WAYS_OUT.replace('secret = "open sesame"', "")
    assert provision(tmp_path, without) == ["unchanged"] * 3
    with pytest.raises(ProvisionError) as caught:
        provision(tmp_path, without.replace("pacs.example.org", "other.example.org"))
    assert "'secret' is missing" in str(caught.value)


def test_the_example_is_sound_and_shows_every_key(tmp_path: Path) -> None:
    example = Path(__file__).parents[3] / "deploy" / "site.example.toml"
    assert set(provision(tmp_path, example.read_text())) == {"created"}
    assert set(provision(tmp_path, example.read_text())) == {"unchanged"}
    document = tomllib.loads(example.read_text())
    for kind, keys in KEYS.items():
        assert set().union(*document[kind]) == set(keys), kind
