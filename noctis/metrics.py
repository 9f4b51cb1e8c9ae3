"""Numbers for Prometheus: gathered from the database, so every process tells the same.

No patient data: counts, ages, sizes, and the titles of sending machines.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, cast

from django.db.models import Count, Max, Min, Sum
from django.utils import timezone
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from archive.caches import KINDS, VOLUMES, caches, disk_limit_bytes, volume_limit_bytes
from archive.models import Discrepancy, Event, Heartbeat, Job, Study
from dicom_receiver.causes import Cause
from dicom_receiver.doctor.models import RefusalCount
from dicom_receiver.models import Commitment, SenderStatistics, Transfer
from noctis import parts

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
RECEIVER_SILENCE = timedelta(seconds=30)
_SENDER_COUNTS = {
    "associations": "Associations accepted",
    "refused": "Associations refused",
    "objects_stored": "Objects stored",
    "bytes_stored": "Bytes stored",
    "failures": "Objects that could not be stored",
}


class _House:
    """Reads the numbers when they are asked for."""

    def collect(self) -> Iterator[Metric]:
        yield from _archive()
        yield from _senders()
        yield from _port()
        yield from _work()
        yield from _transfers()
        yield from _disk()
        yield from _caches()


def write_metrics() -> bytes:
    """Return all numbers in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_House())
    return generate_latest(registry)


def _archive() -> Iterator[Metric]:
    # Kept counts: one pass over studies, none over instances.
    totals = Study.objects.aggregate(
        studies=Count("pk"),
        series=Sum("series_count"),
        instances=Sum("instance_count"),
        size=Sum("size_bytes"),
    )
    yield _gauge("noctis_studies", "Studies in the archive", totals["studies"])
    yield _gauge("noctis_series", "Series in the archive", totals["series"])
    yield _gauge("noctis_instances", "Instances in the archive", totals["instances"])
    yield _gauge("noctis_stored_bytes", "Bytes of stored instances", totals["size"])
    open_questions = Discrepancy.objects.filter(resolved_at=None).count()
    yield _gauge("noctis_discrepancies", "Discrepancies to be settled", open_questions)
    newest = Event.objects.aggregate(newest=Max("id"))["newest"]
    yield _gauge("noctis_newest_event", "Number of the newest event", newest)


def _senders() -> Iterator[Metric]:
    sums = {name: Sum(name) for name in _SENDER_COUNTS}
    by_title = SenderStatistics.objects.order_by("ae_title").values("ae_title").annotate(**sums)
    rows = cast(list[dict[str, Any]], list(by_title))
    for name, words in _SENDER_COUNTS.items():
        metric = CounterMetricFamily(f"noctis_sender_{name}", words, labels=["ae_title"])
        for row in rows:
            metric.add_metric([row["ae_title"]], row[name] or 0)
        yield metric


def _port() -> Iterator[Metric]:
    """Yield what the DICOM port does, over all receivers."""
    refused = CounterMetricFamily(
        "noctis_refused_associations", "Associations refused, by cause", labels=["cause"]
    )
    counts = dict(RefusalCount.objects.values_list("cause", "count"))
    for cause in Cause:
        refused.add_metric([cause.code], counts.get(cause.code, 0))
    yield refused
    alive = timezone.now() - RECEIVER_SILENCE
    details = Heartbeat.objects.filter(role="receiver", seen_at__gt=alive).values_list(
        "detail", flat=True
    )
    open_now = sum(int(detail.get("associations", 0)) for detail in details)
    yield _gauge("noctis_open_associations", "Associations that are open now", open_now)


def _work() -> Iterator[Metric]:
    states = dict(Job.objects.order_by().values_list("state").annotate(Count("pk")))
    jobs = GaugeMetricFamily("noctis_jobs", "Jobs by state", labels=["state"])
    for state in Job.State.values:
        jobs.add_metric([state], states.get(state, 0))
    yield jobs
    now = timezone.now()
    age = GaugeMetricFamily(
        "noctis_heartbeat_age_seconds", "Since the last sign of life", labels=["role", "host"]
    )
    beats = Heartbeat.objects.order_by().values_list("role", "host").annotate(Max("seen_at"))
    for role, host, seen_at in beats:
        age.add_metric([role, host], max(0.0, (now - seen_at).total_seconds()))
    yield age
    well = GaugeMetricFamily("noctis_part_is_well", "1 when the part is well", labels=["part"])
    for part, how in parts.look_at_all().items():
        well.add_metric([part], float(how.is_well))
    yield well


def _transfers() -> Iterator[Metric]:
    """Yield how much waits for whom."""
    depth = GaugeMetricFamily(
        "noctis_transfers", "Transfers that have not ended", labels=["peer", "status"]
    )
    images = GaugeMetricFamily(
        "noctis_transfer_instances", "Instances that have not arrived", labels=["peer", "status"]
    )
    oldest = GaugeMetricFamily(
        "noctis_transfer_oldest_seconds", "Age of the oldest open transfer", labels=["peer"]
    )
    rows = Transfer.objects.open().order_by().values_list("peer__ae_title", "status")
    counted = rows.annotate(Count("pk"), Sum("instance_count"), Sum("sent_count"))
    for peer, status, transfers, instances, sent in counted:
        depth.add_metric([peer, status], transfers)
        images.add_metric([peer, status], instances - sent)
    ages = Transfer.objects.open().order_by().values_list("peer__ae_title")
    for peer, since in ages.annotate(Min("created_at")):
        oldest.add_metric([peer], max(0.0, (timezone.now() - since).total_seconds()))
    yield from (depth, images, oldest)
    failed = Transfer.objects.filter(status=Transfer.Status.FAILED).count()
    yield _gauge("noctis_transfers_failed", "Transfers that failed and wait for somebody", failed)
    states = Commitment.objects.order_by().values_list("status").annotate(Count("pk"))
    commitments = GaugeMetricFamily(
        "noctis_commitments", "Storage commitments that peers asked for", labels=["status"]
    )
    for status, count in states:
        commitments.add_metric([status], count)
    yield commitments


def _disk() -> Iterator[Metric]:
    free, total = parts.free_disk_bytes()
    yield _gauge("noctis_disk_free_bytes", "Free space of the storage", free)
    yield _gauge("noctis_disk_bytes", "Size of the storage's file system", total)


def _caches() -> Iterator[Metric]:
    """Yield what the caches of all processes of this machine did."""
    here = caches()
    counts = here.counts.read()
    for verb in ("hits", "misses"):
        metric = CounterMetricFamily(
            f"noctis_cache_{verb}", f"Pieces with {verb} in a cache", labels=["cache", "store"]
        )
        for kind in KINDS:
            for store in ("memory", "disk"):
                metric.add_metric([kind, store], counts[f"{kind} {store} {verb}"])
        yield metric
    gone = CounterMetricFamily(
        "noctis_cache_evictions", "Pieces that had to go for newer ones", labels=["store"]
    )
    for store in ("memory", "disk", VOLUMES):
        gone.add_metric([store], counts[f"{store} evictions"])
    yield gone
    ahead = CounterMetricFamily(
        "noctis_prefetched_frames", "Frames decoded before they were asked for", labels=["fate"]
    )
    for fate in ("made", "dropped"):
        ahead.add_metric([fate], counts[f"prefetch {fate}"])
    yield ahead
    yield _gauge("noctis_disk_cache_bytes", "Bytes in the disk's cache", here.disk.used_bytes())
    yield _gauge("noctis_disk_cache_limit_bytes", "What it may take now", disk_limit_bytes())
    used = here.volumes.used_bytes()
    yield _gauge("noctis_volume_cache_bytes", "Bytes in volumes on the disk", used)
    yield _gauge("noctis_volume_cache_limit_bytes", "What they may take now", volume_limit_bytes())


def _gauge(name: str, words: str, value: float | None) -> Metric:
    return GaugeMetricFamily(name, words, value=value or 0)
