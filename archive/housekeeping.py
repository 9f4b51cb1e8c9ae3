"""What is swept now and then: old news, and what dead processes left while receiving."""

from __future__ import annotations

import logging

from archive import events, storage

logger = logging.getLogger("noctis.housekeeping")


def tidy() -> None:
    """Remove what nobody can need any more; safe to run at any time, by anyone."""
    forgotten = events.forget_old()
    swept = storage.sweep_incoming()
    if forgotten or swept:
        logger.info("forgot %d events, swept %d left-over folders", forgotten, swept)
