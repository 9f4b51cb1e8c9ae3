"""The ASGI application."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "noctis.settings")
django.setup(set_prefix=False)

from noctis.handler import NoctisHandler  # noqa: E402  (needs Django to be set up)

application = NoctisHandler()
