#!/usr/bin/env python
"""Run a Django management command for Noctis."""

import os
import sys


def main() -> None:
    """Hand the command line to Django with Noctis' settings; a wrong setting is one sentence."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "noctis.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"Noctis cannot start: {error}")


if __name__ == "__main__":
    main()
