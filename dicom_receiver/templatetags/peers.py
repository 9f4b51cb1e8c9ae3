"""What pages ask about calling other archives."""

from __future__ import annotations

from django import template

from dicom_receiver.remote.access import may_call_out

register = template.Library()

register.filter("may_call_out", may_call_out)
