"""A child of `manage.py receive`; nobody else calls it."""

from __future__ import annotations

import socket
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from dicom_receiver.child import Child


class Command(BaseCommand):
    help = "Serve the associations that `receive` hands over. Started by `receive` alone."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("descriptor", type=int, help="The socket on which the parent speaks.")

    def handle(self, *args: Any, **options: Any) -> None:
        Child(socket.socket(fileno=options["descriptor"])).run()
