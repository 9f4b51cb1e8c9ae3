"""Launches: a study on its way into a program on somebody's desk."""

from __future__ import annotations

from django.db import models

from accounts.keys import new_key
from accounts.models import User
from archive.models import Study


class Launch(models.Model):
    """One ticket. Only its hash is kept; `viewer.launches` makes and reads it."""

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    study = models.ForeignKey(Study, models.CASCADE, related_name="+")
    program = models.CharField(max_length=16)
    ticket_hash = models.CharField(max_length=64, unique=True)
    password_stamp = models.CharField(max_length=128)
    created_at = models.DateTimeField()
    redeem_until = models.DateTimeField()
    redeemed_at = models.DateTimeField(null=True)
    address = models.CharField(max_length=64, blank=True)
    ends_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.program} {self.pk}"
