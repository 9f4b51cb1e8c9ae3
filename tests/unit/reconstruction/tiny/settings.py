"""The settings of the house with the tiny kind, for processes that a test starts."""

from tests.settings import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "tests.unit.reconstruction.tiny.apps.TinyConfig"]  # noqa: F405
