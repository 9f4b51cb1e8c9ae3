"""A cache that is missed, not mourned, when Redis is down."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable
from typing import Any

from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 5.0


def _forgive(answer: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that gives `answer` while Redis can't be asked."""

    def decorate(method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def ask(self: ForgivingRedisCache, *args: Any, **kwargs: Any) -> Any:
            if time.monotonic() < self.silent_until:
                return _pick(answer, args, kwargs)
            try:
                return method(self, *args, **kwargs)
            except (RedisError, OSError) as error:
                self.silent_until = time.monotonic() + PAUSE_SECONDS
                logger.warning(
                    "Cache is not reachable (%s); going on without.", type(error).__name__
                )
                return _pick(answer, args, kwargs)

        return ask

    return decorate


def _pick(answer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return the answer, worked out from the call where it depends on it."""
    return answer(args, kwargs) if callable(answer) else answer


def _default(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return what the caller of `get(key, default)` expects for a missing key."""
    return args[1] if len(args) > 1 else kwargs.get("default")


class ForgivingRedisCache(RedisCache):
    """Django's Redis cache; while Redis is down every key is missing.

    After a failure Redis is left alone for some seconds, so that a page
    doesn't wait for a time-out at every key.
    """

    silent_until = 0.0

    get = _forgive(_default)(RedisCache.get)
    get_many = _forgive(lambda *_: {})(RedisCache.get_many)
    set = _forgive(None)(RedisCache.set)
    set_many = _forgive(lambda *_: [])(RedisCache.set_many)
    add = _forgive(True)(RedisCache.add)
    touch = _forgive(False)(RedisCache.touch)
    delete = _forgive(False)(RedisCache.delete)
    delete_many = _forgive(None)(RedisCache.delete_many)
    has_key = _forgive(False)(RedisCache.has_key)
    clear = _forgive(None)(RedisCache.clear)

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        """Add to a number; a missing key is an error, as Django says."""
        try:
            return int(super().incr(key, delta, version))
        except (RedisError, OSError):
            raise ValueError(f"Key {key!r} not found") from None
