"""What is swept now and then: old news, leftovers of dead processes, pictures beyond the bound."""

from __future__ import annotations

import logging

from archive import caches, events, storage, upkeep

logger = logging.getLogger("noctis.housekeeping")


def tidy() -> None:
    """Remove what nobody can need any more; safe to run at any time, by anyone."""
    forgotten = events.forget_old()
    swept = storage.sweep_incoming()
    upkeep.start()
    dropped = caches.tidy()
    if forgotten or swept or dropped:
        logger.info(
            "forgot %d events, swept %d left-over folders, dropped %d kept pictures",
            forgotten,
            swept,
            dropped,
        )
