"""Log-in, log-out and the change of one's own password."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import views
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.db import transaction
from django.http import HttpResponse
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

from accounts.address import read_address
from accounts.audit import record_for_user
from accounts.forms import LogInForm


class LogIn(views.LoginView):
    """Ask for name and password; `next` is followed only within this server.

    Every failure reads the same, whether the name exists or not. During a
    delay the answer is 429 and says when to try again.
    """

    template_name = "registration/login.html"
    authentication_form = LogInForm
    redirect_authenticated_user = True

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        """Show the form again; 429 with the seconds to wait when a delay is on."""
        wait = form.wait_seconds if isinstance(form, LogInForm) else 0
        response = self.render_to_response(self.get_context_data(form=form, wait_seconds=wait))
        if wait:
            response.status_code = 429
            response["Retry-After"] = str(wait)
        return response


class LogOut(views.LogoutView):
    """End the session (POST only) and go back to the log-in page."""

    next_page = reverse_lazy("accounts:login")  # type: ignore[assignment]


class ChangePassword(views.PasswordChangeView):
    """Change one's own password; every other session of that person ends."""

    template_name = "registration/password_change_form.html"
    success_url = reverse_lazy("home")

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        """Save the password and its audit row together."""
        with transaction.atomic():
            response = super().form_valid(form)
            record_for_user(form.user, "password_changed", address=read_address(self.request))
        messages.success(self.request, _("Your password is changed."))
        return response
