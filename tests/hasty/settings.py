"""The settings of a receiver in haste."""

from noctis.settings import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "tests.hasty.apps.HastyConfig"]  # noqa: F405
if "timeout" in DATABASES["default"]["OPTIONS"]:  # noqa: F405
    DATABASES["default"]["OPTIONS"]["timeout"] = 2  # noqa: F405
