"""Open a series as a volume: found in memory, on the disk, or built once by whoever comes first."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYetError
from dataclasses import dataclass
from typing import Any

from django.db.models import Count

from archive.caches import VOLUMES, cache_root, caches, make_key
from archive.memory_cache import MemoryCache
from archive.models import Instance, Series
from archive.passport import read_passport
from archive.per_process import PerProcess
from imaging.errors import BusyError, NotAVolumeError
from imaging.shape import Reason
from reconstruction.assembly import Plan, plan_volume
from reconstruction.volume_files import (
    Volume,
    is_written,
    map_volume,
    read_progress,
    write_volume,
)

# Changes whenever the same frames give other files.
_VERSION = 1
# So many volumes stay mapped in a process, and so many are built at one time.
OPEN_LIMIT = 6
BUILDING_LIMIT = 2
ABSENT, BUILDING, READY, REFUSED = "absent", "building", "ready", "refused"


@dataclass(frozen=True, slots=True)
class State:
    """How it stands with the volume of a series; `volume` is there when it is ready."""

    name: str
    progress: float = 0.0
    reasons: tuple[Reason, ...] = ()
    volume: Volume | None = None


def open_volume(
    series: Series, *, time_point: int = 0, wait_seconds: float | None = None
) -> Volume:
    """Return the volume of one time point (from 0) of a series, built if need be.

    Costs a query when it is kept, two when it is not. Blocks while it is built, at most
    `wait_seconds`.

    Raises
    ------
    NotAVolumeError
        The passport forbids it (with its reasons), or it is in colour, or there is no such time
        point.
    BusyError
        It takes longer than `wait_seconds`; the building goes on (with `progress`).
    NoctisError
        As `reconstruction.volume_files.write_volume` and `archive.passport.read_passport`.
    """
    passport = read_passport(series)
    _refuse(passport)
    key = volume_key(series, passport, time_point)
    kept = _find(key)
    if kept is not None:
        return kept
    builds = _builds.get()
    building = builds.find(key)
    if building is None:
        caches().counts.add(f"{VOLUMES} disk misses")
        building = builds.start(key, plan_volume(series, passport, time_point))
    try:
        building.result(wait_seconds)
    except NotYetError:
        words = "The volume is being built; ask again in a moment."
        raise BusyError(words, progress=read_progress(key)) from None
    volume = _find(key)
    if volume is None:
        raise BusyError("The volume had to make room for others; try again.")
    return volume


def find_plan(series: Series, *, time_point: int = 0) -> Plan:
    """Return which frames a volume is made of, and where they lie; nothing is read or built.

    Costs two queries. Raises `NotAVolumeError`, `BusyError` and as `read_passport`.
    """
    passport = read_passport(series)
    _refuse(passport)
    return plan_volume(series, passport, time_point)


def is_building() -> bool:
    """Whether a thread of this process builds a volume now."""
    return _builds.get().is_busy()


def find_state(series: Series, *, time_point: int = 0) -> State:
    """Return how it stands with a volume, without building it. Raises as `read_passport`."""
    passport = read_passport(series)
    reasons = tuple(Reason.of(code) for code in passport["reason_codes"])
    if not passport["is_volume"]:
        return State(REFUSED, reasons=reasons)
    key = volume_key(series, passport, time_point)
    volume = _find(key)
    if volume is not None:
        return State(READY, 1.0, reasons, volume)
    progress = read_progress(key)
    is_begun = progress > 0 or _builds.get().find(key) is not None
    return State(BUILDING if is_begun else ABSENT, progress, reasons)


def refuse_unless_volume(series: Series) -> None:
    """Raise NotAVolumeError when the passport forbids a volume, and as `read_passport`."""
    _refuse(read_passport(series))


def _refuse(passport: dict[str, Any]) -> None:
    if passport["is_volume"]:
        return
    reasons = [Reason.of(code) for code in passport["reason_codes"]]
    reasons = [reason for reason in reasons if reason.prevents_volume] or reasons
    raise NotAVolumeError(
        " ".join(reason.words for reason in reasons),
        reasons=tuple((reason.code, reason.words) for reason in reasons),
    )


def volume_key(series: Series, passport: dict[str, Any], time_point: int) -> bytes:
    """Return what changes with everything that changes a voxel. Costs a query.

    A late slice makes another passport; a header that was read anew has another version.
    """
    rows = Instance.objects.filter(series=series).order_by("facts_version")
    read_by = list(rows.values_list("facts_version").annotate(Count("pk")))
    return make_key(
        VOLUMES, _VERSION, str(series.pk), sorted(passport["made_from"].items()),
        passport["rules"], passport["lps_from_ijk"], read_by, time_point,
    )  # fmt: skip


# --- what this process has open, and builds ---------------------------------------------
def _find(key: bytes) -> Volume | None:
    opened = _open.get()
    kept = opened.get(key)
    if kept is not None and is_written(key):
        caches().counts.add(f"{VOLUMES} memory hits")
        caches().volumes.touch(caches().volumes.path_of(key))
        return kept
    volume = map_volume(key)
    if volume is not None:
        caches().counts.add(f"{VOLUMES} memory misses", f"{VOLUMES} disk hits")
        opened.put(key, volume)
    return volume


class _Builds:
    """The volumes that threads of this process build now."""

    def __init__(self) -> None:
        self.root = cache_root()
        self._lock = threading.Lock()
        self._under_way: dict[bytes, Future[None]] = {}
        self._places = threading.Semaphore(BUILDING_LIMIT)

    def find(self, key: bytes) -> Future[None] | None:
        """Return the building of a key that is under way."""
        with self._lock:
            return self._under_way.get(key)

    def is_busy(self) -> bool:
        """Whether anything is under way."""
        with self._lock:
            return bool(self._under_way)

    def start(self, key: bytes, plan: Plan) -> Future[None]:
        """Begin to build, unless somebody did a moment ago."""
        with self._lock:
            if key in self._under_way:
                return self._under_way[key]
            future = self._under_way[key] = Future()
        # A daemon: the process may end; what is half written is swept or taken up.
        name = f"volume {uuid.UUID(bytes=key[:16])}"
        arguments = (key, plan, future)
        threading.Thread(target=self._build, args=arguments, name=name, daemon=True).start()
        return future

    def _build(self, key: bytes, plan: Plan, future: Future[None]) -> None:
        try:
            with self._places:
                write_volume(key, plan)
        except BaseException as error:  # noqa: BLE001  (whoever waits gets it)
            self._forget(key)
            future.set_exception(error)
        else:
            self._forget(key)
            future.set_result(None)

    def _forget(self, key: bytes) -> None:
        with self._lock:
            self._under_way.pop(key, None)


_builds: PerProcess[_Builds] = PerProcess(_Builds, lambda made: made.root == cache_root())
_open: PerProcess[MemoryCache[Volume]] = PerProcess(
    lambda: MemoryCache(OPEN_LIMIT, lambda _volume: 1), lambda _made: True
)
