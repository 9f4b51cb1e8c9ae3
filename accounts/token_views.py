"""The page on which one makes and ends tokens for programs."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from accounts import api_tokens
from accounts.address import read_address
from accounts.models import ApiToken, User
from accounts.token_form import TokenForm
from imaging.errors import ConflictError


@login_required
@never_cache
@sensitive_variables("word")
@require_http_methods(["GET", "HEAD", "POST"])
def show_tokens(request: HttpRequest) -> HttpResponse:
    """List one's own tokens; make one, whose word this answer alone shows."""
    person = _person(request)
    form = TokenForm(person, request.POST if request.method == "POST" else None)
    word = ""
    if request.method == "POST" and form.is_valid():
        try:
            address = read_address(request)
            _token, word = api_tokens.make_token(person, form.read(), address=address)
            form = TokenForm(person)
        except ConflictError:
            form.add_error(None, _("You have too many tokens: revoke one that is not needed."))
    context = {"form": form, "word": word, "rows": _describe_all(person)}
    return render(request, "accounts/tokens.html", context)


@login_required
@require_POST
def revoke(request: HttpRequest, token_id: uuid.UUID) -> HttpResponse:
    """End one of one's own tokens."""
    person = _person(request)
    token = api_tokens.find_tokens(person).filter(pk=token_id).first()
    if token is None:
        raise Http404
    api_tokens.revoke_token(person, token, address=read_address(request))
    messages.success(request, _("The token “%(name)s” is revoked.") % {"name": token.name})
    return redirect("accounts:tokens")


def _describe_all(person: User) -> list[dict[str, Any]]:
    """Return the tokens as the page shows them: those that still open something first."""
    rows = [_describe(person, token) for token in api_tokens.find_tokens(person)]
    return sorted(rows, key=lambda row: row["state"] != "")


def _describe(person: User, token: ApiToken) -> dict[str, Any]:
    state = ""
    if token.revoked_at is not None:
        state = _("Revoked")
    elif token.expires_at <= timezone.now():
        state = _("Expired")
    elif not api_tokens.is_still_good(person, token.password_stamp):
        state = _("Ended by a new password")
    return {"token": token, "state": state}


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user
