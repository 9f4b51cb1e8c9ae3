"""The settings of the build that answers too early."""

from noctis.settings import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "tests.faults.early.apps.EarlyConfig"]  # noqa: F405
