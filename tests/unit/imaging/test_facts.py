from __future__ import annotations

import json
from datetime import date
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from imaging.errors import IdentityError
from imaging.facts import LO_LENGTH, InstanceFacts
from tests.unit.imaging.build import dataset, element, image, part10, read_image, written

UIDS = ((0x0008, 0x0016), (0x0008, 0x0018), (0x0020, 0x000D), (0x0020, 0x000E))


def facts_of(content: bytes) -> InstanceFacts:
    return InstanceFacts.from_header(*read_image(content))


def with_uids(**replaced: bytes) -> bytes:
    """Return a file whose four UIDs are as given (`study=…`), conforming where not."""
    names = ("sop_class", "sop", "study", "series")
    return part10(
        b"".join(
            element(*tag, b"UI", replaced.get(name, b"1.2.3.%d" % number))
            for number, (name, tag) in enumerate(zip(names, UIDS, strict=True))
        )
    )


@pytest.mark.parametrize("name", ["sop", "sop_class", "study", "series"])
@pytest.mark.parametrize(
    "bad",
    [b"", b"../../etc/passwd", b"1.2\x003", b"1.2\n3.4", b"1." + b"2" * 64, b"1.2..3", b".1.2",
     b"1.2.", b"1.2.a", b"1.2\\1.3", "1.٢.3".encode(), b"1/2", b"-1.2"],
)  # fmt: skip
def test_a_bad_uid_is_refused(name: str, bad: bytes) -> None:
    with pytest.raises(IdentityError) as caught:
        facts_of(with_uids(**{name: bad}))
    assert "passwd" not in str(caught.value)


def test_leading_zeros_and_padding_are_tolerated() -> None:
    facts = facts_of(with_uids(study=b"1.02.3\0"))
    assert facts.study_instance_uid == "1.02.3"
    assert "uid_leading_zero" in facts.flags
    assert facts_of(with_uids(study=b"1.2." + b"3" * 60)).flags == ()


def test_a_frame_of_reference_is_kept_when_it_is_a_uid_and_else_flagged() -> None:
    facts = facts_of(with_uids() + element(0x0020, 0x0052, b"UI", b"1.2.840.9\0"))
    assert facts.frame_of_reference_uid == "1.2.840.9"
    facts = facts_of(with_uids() + element(0x0020, 0x0052, b"UI", b"../1"))
    assert facts.frame_of_reference_uid == ""
    assert "bad_uid" in facts.flags


def test_text_is_decoded_cleaned_capped_and_flagged() -> None:
    facts = facts_of(
        with_uids()
        + element(0x0008, 0x1030, b"LO", b"x" * 200)
        + element(0x0010, 0x0010, b"PN", b"M\xfcller^Jane\x1b[31m")
        + element(0x0010, 0x0030, b"DA", b"20241399")
    )
    assert facts.study_description == "x" * LO_LENGTH
    assert facts.patient_birth_date is None
    assert "\x1b" not in facts.patient_name
    assert {"text_replaced", "bad_date", "text_cut"} <= set(facts.flags)


def test_the_data_set_decides_when_the_meta_information_names_another_instance() -> None:
    made = dataset(PatientBirthDate="19700101")
    content = written(made).replace(b"1.2.3.4.5", b"1.2.3.4.9", 1)
    facts = facts_of(content)
    assert facts.sop_instance_uid == "1.2.3.4.5"
    assert facts.patient_birth_date == date(1970, 1, 1)
    assert "meta_instance_differs" in facts.flags


def image_facts(**values: Any) -> dict[str, Any]:
    return facts_of(written(image(np.zeros((4, 4), np.int16), **values))).image


def test_spacing_names_its_source() -> None:
    both = image_facts(PixelSpacing=["0.5", "0.4"], ImagerPixelSpacing=["1", "1"])
    assert (both["pixel_spacing"], both["pixel_spacing_source"]) == ([0.5, 0.4], "pixel_spacing")
    imager = image_facts(
        ImagerPixelSpacing=["0.2", "0.1"], EstimatedRadiographicMagnificationFactor="2"
    )
    assert (imager["pixel_spacing"], imager["pixel_spacing_source"]) == ([0.1, 0.05], "imager")
    assert imager["magnification_corrected"] is True
    assert image_facts()["pixel_spacing_source"] == "none"
    for bad in (["0", "1"], ["-1", "1"], ["1"]):
        assert image_facts(PixelSpacing=bad)["pixel_spacing_source"] == "none"


def region(delta: float, units: int = 3) -> Dataset:
    made = Dataset()
    for keyword in ("MinX0", "MinY0", "MaxX1", "MaxY1"):
        setattr(made, f"RegionLocation{keyword}", 1)
    made.RegionSpatialFormat = 1
    made.PhysicalUnitsXDirection = made.PhysicalUnitsYDirection = units
    made.PhysicalDeltaX, made.PhysicalDeltaY = delta, -2 * delta
    return made


def test_ultrasound_is_calibrated_by_one_region_or_by_agreeing_ones() -> None:
    one = image_facts(SequenceOfUltrasoundRegions=Sequence([region(0.01)]))
    assert one["pixel_spacing"] == pytest.approx([0.2, 0.1])
    assert one["pixel_spacing_source"] == "ultrasound_region"
    two = image_facts(SequenceOfUltrasoundRegions=Sequence([region(0.01), region(0.02)]))
    assert two["pixel_spacing_source"] == "none"
    assert len(two["ultrasound_regions"]) == 2
    seconds = image_facts(SequenceOfUltrasoundRegions=Sequence([region(0.01, units=4)]))
    assert seconds["pixel_spacing_source"] == "none"


def test_padding_value_takes_the_sign_of_the_pixels() -> None:
    made = image(np.zeros((4, 4), np.int16))
    made.add_new(0x00280120, "US", 63536)
    assert facts_of(written(made)).image["pixel_padding_value"] == -2000


def test_windows_are_paired_and_absurd_ones_left_out() -> None:
    facts = image_facts(WindowCenter=["40", "300", "1"], WindowWidth=["400", "-5"])
    assert (facts["window_center"], facts["window_width"]) == ([40.0], [400.0])


def frame_group(z: float, slope: float) -> Dataset:
    group, position, transform = Dataset(), Dataset(), Dataset()
    position.ImagePositionPatient = ["0", "0", str(z)]
    transform.RescaleSlope, transform.RescaleIntercept = str(slope), "5"
    group.PlanePositionSequence = Sequence([position])
    group.PixelValueTransformationSequence = Sequence([transform])
    return group


def test_frames_of_enhanced_objects_share_what_is_alike() -> None:
    shared, orientation = Dataset(), Dataset()
    orientation.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    shared.PlaneOrientationSequence = Sequence([orientation])
    made = image(np.zeros((3, 4, 4), np.uint16))
    made.SharedFunctionalGroupsSequence = Sequence([shared])
    made.PerFrameFunctionalGroupsSequence = Sequence([frame_group(n, 2) for n in range(3)])
    facts = facts_of(written(made))
    frames = facts.image["frames"]
    assert frames["shared"]["rescale_slope"] == 2
    assert frames["per_frame"][2] == {"image_position_patient": [0, 0, 2]}
    assert facts.image["image_orientation_patient"] == [1, 0, 0, 0, 1, 0]
    assert facts.image["rescale_intercept"] == 5
    assert json.loads(json.dumps(facts.image, allow_nan=False)) == facts.image
