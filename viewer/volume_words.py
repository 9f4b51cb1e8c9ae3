"""The words of the viewer's code for volumes, their planes and fusion; see `viewer.words`."""

from __future__ import annotations

from django.utils.translation import gettext_noop as _

VOLUME_WORDS = ()
