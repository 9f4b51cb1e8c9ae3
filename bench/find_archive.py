"""The studies that both servers are asked for: each made of its number alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

UID_ROOT = "1.2.826.0.1.3680043.10.1714.8"
FIRST_DAY = date(2019, 1, 1)
DAYS = 1826
FAMILIES = 4000
MODALITIES = ("CT", "MR", "US", "CR", "DX", "MG")


@dataclass(frozen=True)
class Entry:
    """One study of the archive that both servers hold."""

    number: int

    @property
    def patient_id(self) -> str:
        return f"PAT{self.number // 2:06d}"

    @property
    def name(self) -> str:
        patient = self.number // 2
        return f"FAMILY{patient % FAMILIES:04d}^GIVEN{patient // FAMILIES:03d}"

    @property
    def birth(self) -> date:
        return date(1940, 1, 1) + timedelta(days=self.number // 2 % 25_000)

    @property
    def day(self) -> date:
        return FIRST_DAY + timedelta(days=self.number * 7919 % DAYS)

    @property
    def modality(self) -> str:
        return MODALITIES[self.number % len(MODALITIES)]

    @property
    def accession(self) -> str:
        return f"ACC{self.number:07d}"

    def uid(self, level: int) -> str:
        return f"{UID_ROOT}.{level}.{self.number}"
