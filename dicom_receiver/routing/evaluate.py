"""Rules applied to what came in: after the answer, once an instance, never back to where it was.

An instance is decided on once, by all rules together, and a peer gets it once however many
rules name it. What came from a peer is not sent to it, nor what it brought again later
(`Holder`): that is how loops between archives end.
"""

from __future__ import annotations

import logging
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts import sql
from archive import jobs
from archive.models import Instance, Series, Study
from dicom_receiver.models import Peer
from dicom_receiver.outgoing import turns
from dicom_receiver.outgoing.asking import write
from dicom_receiver.outgoing.models import Transfer
from dicom_receiver.routing.matching import Arrivals, fits
from dicom_receiver.routing.models import Holder, RoutedInstance, RoutingRule
from dicom_receiver.tasks import TRANSFERS, wake

logger = logging.getLogger("noctis.dimse")

KIND = "route"
# A study grows for a while; what comes meanwhile goes along.
DELAY = timedelta(seconds=2)
# In one transaction: others want to write, too.
INSTANCES_A_TURN = 500


# --- in the ingest transaction -----------------------------------------------
def queue_studies(sender: Any, studies: Sequence[Study], **_kwargs: Any) -> None:
    """Queue studies that grew, if there is any rule; answers `studies_indexed`."""
    if _is_any_rule():
        keys = [study.pk for study in studies if study.facility_id is not None]
        jobs.queue(KIND, keys, delay=DELAY)


def _is_any_rule() -> bool:
    return bool(sql.fetch("SELECT 1 FROM dicom_receiver_routingrule WHERE is_active LIMIT 1"))


def note_holder(instance_id: uuid.UUID | None, ae_title: str) -> None:
    """Note that a sender has brought what was here already."""
    if instance_id is not None:
        Holder.objects.bulk_create(
            [Holder(instance_id=instance_id, ae_title=ae_title[:16])], ignore_conflicts=True
        )


# --- the job -----------------------------------------------------------------
@dataclass
class _Share:
    """What one peer gets of one study: instances, and the rule that says so most urgently."""

    rule: RoutingRule
    instance_ids: list[uuid.UUID] = field(default_factory=list)


def run_routing_job(key: str) -> None:
    """Decide on what is new of a study; may run twice."""
    while True:
        with transaction.atomic():
            # One decides at a time, and an instance that comes meanwhile has a job of its own.
            study = Study.objects.select_for_update(of=("self",)).filter(pk=key).first()
            if study is None or study.facility_id is None:
                return
            rules = list(_active_rules())
            fresh = _find_fresh(study, rules)
            if not fresh:
                return
            _decide(study, rules, fresh)
        if len(fresh) < INSTANCES_A_TURN:
            return


def _active_rules() -> Any:
    active = RoutingRule.objects.filter(is_active=True).order_by("-priority", "name")
    return active.prefetch_related("peers")


def _find_fresh(study: Study, rules: list[RoutingRule]) -> list[Instance]:
    """Return instances that no decision was made on, and that came since there are rules."""
    if not rules:
        return []
    first = min(rule.since for rule in rules)
    decided = RoutedInstance.objects.filter(instance__study=study).values("instance")
    waiting = Instance.objects.filter(study=study, received_at__gte=first)
    columns = "id", "series_id", "sender", "received_at", "instance_number"
    rows = waiting.exclude(pk__in=decided).order_by("series_id", "instance_number", "id")
    return list(rows.only(*columns)[:INSTANCES_A_TURN])


def _decide(study: Study, rules: list[RoutingRule], fresh: list[Instance]) -> None:
    now = timezone.now()
    RoutedInstance.objects.bulk_create(
        [RoutedInstance(instance=instance, at=now) for instance in fresh],
        ignore_conflicts=True, batch_size=500,
    )  # fmt: skip
    made = []
    for peer, share in share_out(rules, fresh).items():
        transfer = write(
            peer, study.pk, share.instance_ids, why=Transfer.Why.ROUTED, rule=share.rule,
            priority=share.rule.priority,
        )  # fmt: skip
        if transfer is not None:
            made.append(transfer)
    for transfer in made:
        turns.publish(transfer)
    if made:
        wake(TRANSFERS)


def share_out(rules: Sequence[RoutingRule], fresh: Sequence[Instance]) -> dict[Peer, _Share]:
    """Return which peer gets which instances by which rule; the most urgent rule counts."""
    series = _series_of(fresh)
    holders = _holders_of(fresh)
    shares: dict[Peer, _Share] = {}
    given: dict[Peer, set[uuid.UUID]] = defaultdict(set)
    for instance in fresh:
        arrivals = Arrivals.of(series[instance.series_id], instance.sender, instance.received_at)
        for rule in rules:
            if not fits(rule, arrivals):
                continue
            for peer in rule.peers.all():
                if not may_go(peer, instance.sender, holders[instance.pk]):
                    continue
                if instance.pk not in given[peer]:
                    given[peer].add(instance.pk)
                    shares.setdefault(peer, _Share(rule)).instance_ids.append(instance.pk)
    return shares


def may_go(peer: Peer, sender: str, holders: set[str]) -> bool:
    """Whether an instance may go to a peer: not back to who sent it, nor to who brought it."""
    return peer.is_active and peer.ae_title != sender and peer.ae_title not in holders


def _series_of(instances: Sequence[Instance]) -> dict[uuid.UUID, Series]:
    keys = {instance.series_id for instance in instances}
    return Series.objects.select_related("study").in_bulk(list(keys))


def _holders_of(instances: Sequence[Instance]) -> dict[uuid.UUID, set[str]]:
    found: dict[uuid.UUID, set[str]] = defaultdict(set)
    keys = [instance.pk for instance in instances]
    for begin in range(0, len(keys), 500):
        page = Holder.objects.filter(instance__in=keys[begin : begin + 500])
        for instance_id, ae_title in page.values_list("instance_id", "ae_title"):
            found[instance_id].add(ae_title)
    return found
