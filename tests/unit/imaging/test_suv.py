"""The factor to SUV against numbers worked out by hand from the QIBA formula."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from imaging.header import read_header
from imaging.suv import PetFacts, examine_suv

# 75 kg, 370 MBq of F-18 (6586.2 s), scan an hour after the injection.
SCAN = datetime.fromisoformat("2024-03-05T10:00")
READY = PetFacts(
    units="BQML",
    decay_correction="START",
    corrected_image=("ATTN", "DECY", "SCAT"),
    weight_kg=75.0,
    dose_bq=370e6,
    half_life_s=6586.2,
    injected_at=None,
    injection_time=time(9, 0),
    series_at=SCAN,
    acquired_at=SCAN,
)
# 370e6 * 2 ** (-3600 / 6586.2) = 253.3142e6 Bq are left; 75000 g / 253.3142e6 Bq.
FACTOR = 2.960750e-4


def test_the_factor_is_weight_over_the_dose_that_is_left() -> None:
    verdict = examine_suv(READY)
    assert (verdict.verdict, verdict.codes) == ("ready", ("factor_ready",))
    assert verdict.suvbw_factor == pytest.approx(FACTOR, rel=1e-4)


def test_values_corrected_to_the_injection_need_the_whole_dose() -> None:
    verdict = examine_suv(replace(READY, decay_correction="ADMIN"))
    assert verdict.suvbw_factor == pytest.approx(75000 / 370e6, rel=1e-9)


def test_an_injection_before_midnight_is_of_the_day_before() -> None:
    scan = datetime.fromisoformat("2024-03-06T00:30")
    facts = replace(READY, injection_time=time(23, 30), series_at=scan, acquired_at=scan)
    assert examine_suv(facts).suvbw_factor == pytest.approx(FACTOR, rel=1e-4)


def test_a_full_date_and_time_of_injection_wins() -> None:
    facts = replace(READY, injected_at=SCAN - timedelta(hours=1), injection_time=time(1, 0))
    assert examine_suv(facts).suvbw_factor == pytest.approx(FACTOR, rel=1e-4)


def test_a_series_time_after_the_acquisition_is_a_copy_s_and_the_frame_tells_the_scan() -> None:
    # The mean activity of 600 s is that of 298.42 s: 300 s less (ln 2 / 6586.2) * 600**2 / 24.
    facts = replace(
        READY,
        series_at=SCAN + timedelta(hours=5),
        acquired_at=SCAN,
        frame_reference_ms=290_000.0,
        frame_duration_ms=600_000.0,
    )
    assert examine_suv(facts).suvbw_factor == pytest.approx(
        75000 / (370e6 * 2 ** (-(3600 + 298.4214 - 290.0) / 6586.2)), rel=1e-5
    )


def test_counts_need_the_vendor_s_factor() -> None:
    counts = replace(READY, units="CNTS")
    assert examine_suv(counts).codes == ("no_philips_factor",)
    assert examine_suv(replace(counts, philips_suv=0.0005)).suvbw_factor == 0.0005
    by_activity = examine_suv(replace(counts, philips_activity=2.0)).suvbw_factor
    assert by_activity == pytest.approx(2 * FACTOR, rel=1e-4)


def test_suv_already_needs_nothing() -> None:
    assert examine_suv(replace(READY, units="GML", weight_kg=None)).suvbw_factor == 1.0


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"weight_kg": None}, "no_weight"),
        ({"weight_kg": 0.0}, "no_weight"),
        ({"dose_bq": None}, "no_dose"),
        ({"half_life_s": None}, "no_half_life"),
        ({"injection_time": None}, "no_injection_time"),
        ({"series_at": None, "acquired_at": None}, "no_scan_time"),
        ({"decay_correction": "NONE"}, "not_decay_corrected"),
        ({"corrected_image": ("DECY",)}, "not_attenuation_corrected"),
        ({"units": "PROPCNTS"}, "unknown_units"),
        ({"injected_at": SCAN + timedelta(minutes=1)}, "bad_times"),
        ({"tracers": 2}, "several_tracers"),
    ],
)
def test_what_is_missing_is_said_and_no_factor_given(change: dict[str, Any], code: str) -> None:
    verdict = examine_suv(replace(READY, **change))
    assert (verdict.verdict, verdict.codes) == ("not_ready", (code,))
    assert verdict.suvbw_factor is None


def test_the_facts_are_read_from_a_file() -> None:
    tracer = Dataset()
    tracer.RadiopharmaceuticalStartTime = "090000"
    tracer.RadionuclideTotalDose = "370000000"
    tracer.RadionuclideHalfLife = "6586.2"
    dataset = Dataset()
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.128"
    dataset.SOPInstanceUID = "1.2.3"
    dataset.SeriesDate = dataset.AcquisitionDate = "20240305"
    dataset.SeriesTime = dataset.AcquisitionTime = "100000.00"
    dataset.CorrectedImage = ["ATTN", "DECY", "SCAT"]
    dataset.Units, dataset.DecayCorrection, dataset.PatientWeight = "BQML", "START", "75"
    dataset.RadiopharmaceuticalInformationSequence = [tracer]
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    buffer.seek(0)
    facts = PetFacts.from_header(read_header(buffer, size=len(buffer.getvalue())))
    assert facts == READY
