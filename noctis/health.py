"""Pages for machines that watch: alive, ready, numbers, limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils.decorators import sync_and_async_middleware
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from noctis import env, limits, metrics, parts

NOT_FOUND = {"detail": "There is nothing at this address."}


@require_safe
def say_alive(request: HttpRequest) -> HttpResponse:
    """Answer that this process serves; asks nothing of any other part."""
    return _plain({"status": "alive"})


@require_safe
def say_ready(request: HttpRequest) -> HttpResponse:
    """Answer 200 when every part is well, else 503; the body names each."""
    states = parts.look_at_all()
    is_ready = all(state.is_well for state in states.values())
    body: dict[str, object] = {
        "status": "ready" if is_ready else "not ready",
        "parts": {
            name: {"ok": state.is_well, "state": state.word} for name, state in states.items()
        },
    }
    return _plain(body, 200 if is_ready else 503)


@require_safe
@never_cache
def show_metrics(request: HttpRequest) -> HttpResponse:
    """Numbers for Prometheus: for this machine, administrators, or all if so configured."""
    if not _may_see_metrics(request):
        return JsonResponse(NOT_FOUND, status=404)
    return HttpResponse(metrics.write_metrics(), content_type=metrics.CONTENT_TYPE)


@require_safe
def show_limits(request: HttpRequest) -> HttpResponse:
    """Every limit that Noctis keeps, by subject."""
    return JsonResponse(limits.list_limits())


def _may_see_metrics(request: HttpRequest) -> bool:
    if settings.NOCTIS_METRICS_PUBLIC or getattr(request.user, "is_archive_admin", False):
        return True
    # Behind a proxy on this machine every visitor would look local.
    return env.is_loopback(request.META.get("REMOTE_ADDR", "")) and not (
        settings.NOCTIS_TRUST_PROXY or "HTTP_X_FORWARDED_FOR" in request.META
    )


def _plain(body: dict[str, object], status: int = 200) -> JsonResponse:
    response = JsonResponse(body, status=status)
    response["Cache-Control"] = "no-store"
    # A probe that finds something missing says so itself; the log needs no line a second.
    response._has_been_logged = True  # type: ignore[attr-defined]
    response["Content-Length"] = str(len(response.content))
    return response


PROBES = {"/healthz": say_alive, "/readyz": say_ready}


@sync_and_async_middleware
def answer_probes(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Middleware: answer probes before anything else; they know no host name and no session."""
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            probe = PROBES.get(request.path_info)
            if probe:
                return await sync_to_async(probe)(request)
            return cast(HttpResponseBase, await get_response(request))

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        probe = PROBES.get(request.path_info)
        return probe(request) if probe else cast(HttpResponseBase, get_response(request))

    return answer
