#!/usr/bin/env python
"""Run a Django management command for Noctis."""

import os
import sys


def main() -> None:
    """Hand the command line to Django with Noctis' settings."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "noctis.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
