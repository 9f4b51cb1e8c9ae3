"""The forms of log-in."""

from __future__ import annotations

from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.utils.translation import ngettext

from accounts import throttle
from accounts.address import read_address


class LogInForm(AuthenticationForm):
    """Django's form, which says so when one has to wait."""

    wait_seconds = 0

    def get_invalid_login_error(self) -> ValidationError:
        """Return the words for a failure, the same whether the name exists or not."""
        username = str(self.cleaned_data.get("username") or "")
        self.wait_seconds = throttle.read_wait(username, read_address(self.request))
        if not self.wait_seconds:
            return super().get_invalid_login_error()
        text = ngettext(
            "Name and password did not match, too often. Try again in %(wait)d second.",
            "Name and password did not match, too often. Try again in %(wait)d seconds.",
            self.wait_seconds,
        )
        return ValidationError(text % {"wait": self.wait_seconds}, code="wait")
