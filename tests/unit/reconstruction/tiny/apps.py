"""Registers the kind as any other."""

from django.apps import AppConfig

KIND, MODULE = "tiny", "tests.unit.reconstruction.tiny.kind"


class TinyConfig(AppConfig):
    name = "tests.unit.reconstruction.tiny"
    label = "tiny"

    def ready(self) -> None:
        from reconstruction.kinds import KINDS

        KINDS[KIND] = MODULE
