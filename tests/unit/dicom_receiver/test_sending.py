"""Which contexts a job proposes, and in which an instance goes out (PS3.8 9.3.2, PS3.4 B)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dicom_receiver.requestor import Agreed
from dicom_receiver.sending import (
    Sendable,
    choose_context,
    offers_for,
    reading_ahead,
    split_kinds,
)

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
JPEG_LS, JPEG_2000 = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90"


def item(syntax: str) -> Sendable:
    return Sendable(CT, "1.2.3", syntax, Path("file"), 300, 1000)


def test_each_kind_has_a_context_and_each_class_a_plain_one_to_fall_back_on() -> None:
    offers = offers_for([(CT, JPEG_LS), (CT, JPEG_2000), (MR, EXPLICIT), (CT, JPEG_LS)])
    assert [(offer.abstract_syntax, offer.transfer_syntaxes) for offer in offers] == [
        (CT, (JPEG_LS,)),
        (CT, (JPEG_2000,)),
        (CT, (EXPLICIT, IMPLICIT)),
        (MR, (EXPLICIT,)),
        (MR, (IMPLICIT,)),
    ]


def test_what_needs_more_than_128_contexts_is_split_and_nothing_is_lost() -> None:
    kinds = {(f"1.2.{number}", syntax) for number in range(170) for syntax in (JPEG_LS, EXPLICIT)}
    groups = split_kinds(kinds)
    assert all(len(offers_for(group)) <= 128 for group in groups)
    assert sum(len(group) for group in groups) == len(kinds) == len(frozenset().union(*groups))
    assert len(groups) == 5  # three contexts a class: 42 classes an association


def test_an_instance_goes_out_as_it_is_stored_where_the_peer_takes_that() -> None:
    stored, plain = Agreed(1, CT, JPEG_LS), Agreed(3, CT, IMPLICIT)
    other_class = Agreed(5, MR, EXPLICIT)
    assert choose_context([plain, stored], item(JPEG_LS)) == stored
    assert choose_context([other_class, plain, stored], item(JPEG_2000)) == plain
    explicit = Agreed(7, CT, EXPLICIT)
    assert choose_context([plain, explicit], item(JPEG_2000)) == explicit
    assert choose_context([other_class, stored], item(EXPLICIT)) is None


def test_reading_ahead_changes_neither_order_nor_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "large.dcm"
    path.write_bytes(bytes(200_000))
    large = Sendable(CT, "1.2.1", EXPLICIT, path, 300, 200_000)
    lost = Sendable(CT, "1.2.2", EXPLICIT, tmp_path / "lost.dcm", 300, 200_000)
    given = [large, None, lost, item(EXPLICIT), large, None]
    looked_at: list[Sendable | None] = []

    def give() -> Iterator[Sendable | None]:
        for one in given:
            looked_at.append(one)
            yield one

    # Each comes when the next one, and no more, was looked at.
    assert [(len(looked_at), one) for one in reading_ahead(give())] == [
        (min(number + 2, len(given)), one) for number, one in enumerate(given)
    ]
    assert list(reading_ahead([])) == []
