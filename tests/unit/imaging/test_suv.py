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


def test_an_injection_some_minutes_after_the_scan_is_not_of_the_day_before() -> None:
    """Clocks that differ: 23 h 55 min of F-18 would make every value 8,600 times as high."""
    verdict = examine_suv(replace(READY, injection_time=time(10, 5)))
    assert (verdict.verdict, verdict.codes) == ("not_ready", ("bad_times",))
    # Zr-89, 78.4 h, is imaged after days.
    days = replace(READY, injected_at=SCAN - timedelta(days=6), half_life_s=78.4 * 3600)
    assert examine_suv(days).verdict == "ready"


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


def test_the_vendor_s_factor_is_no_way_round_corrections_that_were_not_made() -> None:
    counts = replace(READY, units="CNTS", philips_suv=0.0005, corrected_image=("DECY",))
    assert examine_suv(counts).codes == ("not_attenuation_corrected",)


# Worked out by hand for 75 kg and 1.80 m, so a body mass index of 23.14815. Janmahasatian:
# 9270 * 75 / (6680 + 216 * 23.14815) = 59.52483 kg, of women 9270 * 75 / (8780 + 244 *
# 23.14815) = 48.18706 kg. James: 82.5 - 128 / 5.76 = 60.27778 kg, of women 80.25 - 148 / 5.76
# = 54.55556 kg. Du Bois: 0.007184 * 75 ** 0.425 * 180 ** 0.725 = 1.942406 m2.
@pytest.mark.parametrize(
    ("sex", "lean_kg", "james_kg"), [("M", 59.52483, 60.27778), ("F", 48.18706, 54.55556)]
)
def test_other_kinds_follow_from_what_the_patient_measures(
    sex: str, lean_kg: float, james_kg: float
) -> None:
    factors = examine_suv(replace(READY, size_m=1.80, sex=sex)).factors
    left_bq = 370e6 * 2 ** (-3600 / 6586.2)
    assert factors["lbm"] == pytest.approx(lean_kg * 1000 / left_bq, rel=1e-6)
    assert factors["lbm_james"] == pytest.approx(james_kg * 1000 / left_bq, rel=1e-6)
    assert factors["bsa"] == pytest.approx(19424.06 / left_bq, rel=1e-6)


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        ({"size_m": None}, {"lbm": "no_size", "lbm_james": "no_size", "bsa": "no_size"}),
        ({"size_m": 180.0}, dict.fromkeys(("lbm", "lbm_james", "bsa"), "implausible_size")),
        ({"size_m": 1.8, "sex": "O"}, {"lbm": "no_sex", "lbm_james": "no_sex"}),
        # 1.07 * 250 - 148 * (250 / 150) ** 2 is below 0.
        ({"size_m": 1.5, "sex": "F", "weight_kg": 250.0}, {"lbm_james": "no_lean_mass"}),
    ],
)
def test_each_kind_says_what_it_lacks(change: dict[str, Any], faults: dict[str, str]) -> None:
    verdict = examine_suv(replace(READY, **{"sex": "M", "size_m": 1.8, **change}))
    assert (verdict.verdict, dict(verdict.faults)) == ("ready", faults)


def test_values_that_are_suv_of_another_kind_are_turned_back() -> None:
    facts = replace(READY, units="GML", suv_type="LBMJANMA", size_m=1.80, sex="M")
    verdict = examine_suv(facts)
    assert verdict.factors["lbm"] == 1.0
    assert verdict.suvbw_factor == pytest.approx(75 / 59.52483, rel=1e-6)
    surface = examine_suv(replace(facts, units="CM2ML", suv_type=""))
    assert surface.suvbw_factor == pytest.approx(75000 / 19424.06, rel=1e-6)
    # 82.5 - 120 / 5.76 kg: the older formula is read for what it is.
    older = examine_suv(replace(facts, suv_type="LBM"))
    assert older.suvbw_factor == pytest.approx(75 / (82.5 - 120 / 5.76), rel=1e-6)
    without = examine_suv(replace(facts, size_m=None))
    assert (without.verdict, without.suvbw_factor, without.factors["lbm"]) == ("ready", None, 1.0)
    wrongs: list[dict[str, Any]] = [{"suv_type": "IBW"}, {"suv_type": "BSA"}, {"units": "CM2ML"}]
    for wrong in wrongs:
        assert examine_suv(replace(facts, **wrong)).codes == ("other_suv_type",)


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
        ({"decay_correction": "ADMIN", "corrected_image": ("ATTN",)}, "not_decay_corrected"),
        ({"corrected_image": ("DECY",)}, "not_attenuation_corrected"),
        ({"corrected_image": ()}, "attenuation_unknown"),
        ({"weight_kg": 75_000.0}, "implausible_weight"),
        ({"dose_bq": 370.0}, "implausible_dose"),
        ({"units": "PROPCNTS"}, "unknown_units"),
        ({"injected_at": SCAN + timedelta(minutes=1)}, "bad_times"),
        ({"tracers": 2}, "several_tracers"),
    ],
)
def test_what_is_missing_is_said_and_no_factor_given(change: dict[str, Any], code: str) -> None:
    verdict = examine_suv(replace(READY, **change))
    assert (verdict.verdict, verdict.codes) == ("not_ready", (code,))
    assert verdict.suvbw_factor is None


def make_pet(**changes: Any) -> Dataset:
    """Return the header of READY; `tracer_` begins names within the tracer's item."""
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
    for name, value in changes.items():
        setattr(tracer if name.startswith("Radio") else dataset, name, value)
    return dataset


def read_facts(dataset: Dataset) -> PetFacts:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    buffer.seek(0)
    return PetFacts.from_header(read_header(buffer, size=len(buffer.getvalue())))


def test_the_facts_are_read_from_a_file() -> None:
    assert read_facts(make_pet()) == READY


@pytest.mark.parametrize(
    ("written", "zone", "hour"),
    [
        ("20240305083000", None, 8.5),
        ("202403050830", None, 8.5),
        # Without the scanner's zone the clock is the scanner's own.
        ("20240305083000.00+0100", None, 8.5),
        ("20240305083000+0000", "+0100", 9.5),
        ("20240305", None, None),
        ("2024030508", None, None),
    ],
)
def test_moments_of_injection_are_read_as_exactly_as_they_are_written(
    written: str, zone: str | None, hour: float | None
) -> None:
    also = {} if zone is None else {"TimezoneOffsetFromUTC": zone}
    facts = read_facts(make_pet(RadiopharmaceuticalStartDateTime=written, **also))
    wanted = None if hour is None else SCAN + timedelta(hours=hour - 10)
    assert facts.injected_at == wanted


def test_private_numbers_count_only_in_their_vendor_s_block() -> None:
    pet = make_pet(Units="CNTS")
    pet.private_block(0x7053, "Philips PET Private Group", create=True).add_new(0, "DS", "0.0005")
    assert examine_suv(read_facts(pet)).suvbw_factor == 0.0005
    other = make_pet(Units="CNTS")
    other.private_block(0x7053, "SOMEBODY ELSE", create=True).add_new(0, "DS", "0.0005")
    assert examine_suv(read_facts(other)).codes == ("no_philips_factor",)
    # A copy made in the evening: the scanner's own moment of the scan is that of READY.
    copy = make_pet(SeriesTime="200000")
    copy.private_block(0x0009, "GEMS_PETD_01", create=True).add_new(0x0D, "DT", "20240305100000")
    assert examine_suv(read_facts(copy)).suvbw_factor == pytest.approx(FACTOR, rel=1e-4)
