"""The house's settings, in a home of their own that lasts as long as the test run."""

import atexit
import os
import shutil
import tempfile


def _make_home() -> None:
    """Give the run one environment and one home, whatever the caller's shell says."""
    for name in [name for name in os.environ if name.startswith("NOCTIS_")]:
        if not name.startswith("NOCTIS_TEST_") and name != "NOCTIS_REQUIRE_SERVICES":
            del os.environ[name]
    home = tempfile.mkdtemp(prefix="noctis-test-")
    os.environ["NOCTIS_TEST_HOME"] = os.environ["NOCTIS_HOME"] = home
    owner = os.getpid()
    atexit.register(lambda: os.getpid() == owner and shutil.rmtree(home, ignore_errors=True))


# A process that a test starts inherits this module and keeps what the test gave it.
if "NOCTIS_TEST_HOME" not in os.environ:
    _make_home()

from noctis.settings import *  # noqa: E402, F403

ALLOWED_HOSTS = [*ALLOWED_HOSTS, "testserver"]  # noqa: F405
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
