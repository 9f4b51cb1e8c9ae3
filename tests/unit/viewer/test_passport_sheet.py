"""The passport's panel speaks the reader's language; what is kept and the interface, English."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.test import Client
from django.utils import translation
from django.utils.translation import trans_real

from accounts.models import Facility, User
from archive import passport_pixels
from imaging import hounsfield, shape, suv, text_flags, text_verdict
from tests import factories
from tests.unit.viewer.conftest import store
from viewer.passport_words import WORDS


def test_every_reason_that_a_passport_can_give_is_in_the_catalogues() -> None:
    told = {
        **shape.WORDS, **hounsfield.WORDS, **suv.WORDS, **text_verdict.VALUES,
        **{code: flag.reason for code, flag in text_flags.TEXT_FLAGS.items()},
        **passport_pixels.WORDS,
    }  # fmt: skip
    named = {code: WORDS.get(code) for code in told}
    assert named == told, "add the reason to viewer/passport_words.py"
    in_own_words = {
        "not_displayable", "file_missing", "file_damaged", "unsupported", "undecodable",
        "video_differs",
    }  # fmt: skip
    assert WORDS.keys() == told.keys() | in_own_words


@pytest.fixture
def german() -> Iterator[None]:
    """A German catalogue that knows some of the reasons."""
    with translation.override("de"):
        catalogue = trans_real.catalog()._catalog  # type: ignore[attr-defined]
    words = {
        WORDS["too_few_slices"]: "Es sind weniger als drei Schichten.",
        WORDS["not_displayable"]: "Das lässt sich nicht als Bild zeigen.",
        "cannot show: %(what)s": "nicht zu zeigen: %(what)s",
    }
    for english, text in words.items():
        catalogue[english] = text
    yield
    for english in words:
        catalogue._catalogs[0].pop(english, None)


def test_the_panel_speaks_german_and_the_interface_english_whoever_asks_first(
    german: None, north: Facility, rada: User, client_of: Callable[[User], Client]
) -> None:
    picture = store(factories.as_part10(factories.read_bundled("CT_small.dcm")), north)
    client = client_of(rada)
    in_german = {"Accept-Language": "de"}
    sheet = client.get(f"/viewer/passport/{picture.series_id}/", headers=in_german)
    assert "Es sind weniger als drei Schichten." in str(sheet.json())
    passport = client.get(f"/api/v1/series/{picture.series_id}/passport/", headers=in_german).json()
    assert passport["reasons"] == ["There are fewer than three slices."]
    assert passport["reason_codes"] == ["too_few_slices"]
    # What has words of its own, such as the name of a transfer syntax, is kept in English, too.
    content = factories.as_part10(factories.read_bundled("JPEG2000.dcm"))
    jpip = content.replace(b"1.2.840.10008.1.2.4.91", b"1.2.840.10008.1.2.4.94")
    series = store(jpip, north).series
    sheet = client.get(f"/viewer/passport/{series.pk}/", headers=in_german)
    assert "Das lässt sich nicht als Bild zeigen." in str(sheet.json())
    series.refresh_from_db()
    assert series.passport is not None
    frame = series.passport["frames"][0]
    assert frame["reason_code"] == "not_displayable"
    assert frame["reason"].startswith("cannot show: ")
