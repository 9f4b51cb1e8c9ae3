"""What every page of the house uses: built assets, icons, the theme."""

from __future__ import annotations

import logging
from functools import cache

from django import template
from django.conf import settings
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django_vite.core.asset_loader import DjangoViteAssetLoader
from django_vite.core.exceptions import DjangoViteAssetNotFoundError

from archive.access import may_see_quarantine
from viewer.launch_links import PROGRAMS
from worklist.uploading import may_upload
from worklist.views import THEME_COOKIE, THEMES

logger = logging.getLogger("noctis.worklist")
register = template.Library()

register.filter("may_upload", may_upload)
register.filter("may_see_quarantine", may_see_quarantine)


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """Draw a Lucide icon of `frontend/src/icons.json`; with a label it is read aloud."""
    voice = (
        format_html('role="img" aria-label="{}"', label)
        if label
        else mark_safe('aria-hidden="true"')
    )
    return format_html(
        '<svg class="icon" {}><use href="{}#{}"></use></svg>', voice, static("icons.svg"), name
    )


@register.simple_tag
def stylesheet(path: str) -> SafeString:
    """Link a style sheet that Vite built."""
    address = _built(path)
    return format_html('<link rel="stylesheet" href="{}">', address) if address else SafeString("")


@register.simple_tag
def script(path: str) -> SafeString:
    """Load a module that Vite built."""
    address = _built(path)
    if not address:
        return SafeString("")
    return format_html('<script type="module" src="{}"></script>', address)


@register.simple_tag
def programs() -> list[tuple[str, str]]:
    """Return key and name of the programs on a desk that this house opens studies in."""
    return [(key, PROGRAMS[key][0]) for key in settings.NOCTIS_OPEN_IN]


@register.simple_tag(takes_context=True)
def theme(context: template.Context) -> str:
    """Return the theme that this browser chose, else the dark one."""
    request = context.get("request")
    chosen = request.COOKIES.get(THEME_COOKIE, "") if request else ""
    return chosen if chosen in THEMES else THEMES[0]


def _built(path: str) -> str:
    """Return the address of a built file; without a build pages stay readable, the log says why."""
    try:
        return str(DjangoViteAssetLoader.instance().generate_vite_asset_url(path))
    except DjangoViteAssetNotFoundError:
        _warn_once(path)
        return ""


@cache
def _warn_once(path: str) -> None:
    logger.warning("%s is not built: run `make build` (npm run build in frontend/)", path)
