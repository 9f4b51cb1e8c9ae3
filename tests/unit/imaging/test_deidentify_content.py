"""Reports, key objects, presentation states and waveforms: what may leave of them, and no canary."""

from __future__ import annotations

import io
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from imaging.deidentify import CLEAN, SHIFT, Deidentifier, Options
from imaging.deidentify_content import content_kind
from imaging.deidentify_file import DeidentifiedFile
from tests.unit.imaging.build import EXPLICIT, IMPLICIT, written

KEY = b"a key for tests only"
BASIC = Options()
SR, KO, PR, ECG, VOICE, PDF = (
    f"1.2.840.10008.5.1.4.1.1.{rest}" for rest in ("88.33", "88.59", "11.1", "9.1.1", "9.4.1", "104.1")
)  # fmt: skip


def code(value: str, scheme: str = "DCM", meaning: str = "words of the standard") -> Sequence:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return Sequence([item])


def item(kind: str, concept: Sequence | None = None, **values: Any) -> Dataset:
    made = Dataset()
    made.RelationshipType, made.ValueType = "CONTAINS", kind
    made.ConceptNameCodeSequence = concept or code("121071")
    for name, value in values.items():
        setattr(made, name, value)
    return made


def document(sop_class: str = SR, **values: Any) -> Dataset:
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID = sop_class, "1.2.3.71020304"
    made.StudyInstanceUID, made.SeriesInstanceUID = "1.2.3.71020304.1", "1.2.3.71020304.2"
    made.PatientName, made.PatientID, made.Modality = "CANARY^CANARY", "CANARY", "SR"
    made.PatientBirthDate = made.ContentDate = "19710203"
    for name, value in values.items():
        setattr(made, name, value)
    return made


def left_of(made: Dataset, options: Options = BASIC, syntax: str = EXPLICIT) -> Dataset:
    content = written(made, syntax)
    file = DeidentifiedFile(io.BytesIO(content), len(content), Deidentifier(KEY, options))
    assert file.may_leave
    out = b"".join(file.pieces())
    for canary in (b"CANARY", b"canary", b"19710203", b"1.2.3.71020304"):
        assert canary in content or canary == b"canary"
        assert canary not in out
    return pydicom.dcmread(io.BytesIO(out))


def report() -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    reference.ReferencedSOPInstanceUID = "1.2.3.71020304"
    size = Dataset()
    size.NumericValue, size.MeasurementUnitsCodeSequence = "12.5", code("mm", "UCUM", "mm")
    site = code("1", "99CANARY", "CANARY")
    deep = item("CONTAINER", ContentSequence=Sequence([
        item("NUM", code("410668003", "SCT"), MeasuredValueSequence=Sequence([size])),
        item("TEXT", TextValue="CANARY in the left lung 12 mm, 19710203"),
    ]))  # fmt: skip
    places = item("SCOORD", GraphicType="POINT", GraphicData=[1.0, 2.0])
    places.ContentSequence = Sequence([item("IMAGE", ReferencedSOPSequence=Sequence([reference]))])
    kept = [deep, places,
            item("CODE", ConceptCodeSequence=code("39607008", "SCT", "Lung structure")),
            item("PNAME", code("121008"), PersonName="CANARY^CANARY"),
            item("UIDREF", code("112039"), UID="1.2.3.71020304"),
            item("DATE", code("111060"), Date="19710203")]  # fmt: skip
    gone = [item("TEXT", site, TextValue="CANARY"),
            item("CODE", ConceptCodeSequence=site),
            item("CODE", code("121032"), ConceptCodeSequence=code("F")),
            item("CONTAINER", site, ContentSequence=Sequence([item("TEXT", TextValue="CANARY")])),
            item("TEXT", TextValue="CANARY", ReferencedContentItemIdentifier=[1, 2])]  # fmt: skip
    made = document(ValueType="CONTAINER", ConceptNameCodeSequence=code("126000"),
                    CompletionFlag="COMPLETE", VerificationFlag="VERIFIED",
                    ContentSequence=Sequence(kept + gone))  # fmt: skip
    observer = Dataset()
    observer.VerifyingObserverName, observer.VerifyingOrganization = "CANARY", "CANARY"
    made.VerifyingObserverSequence = Sequence([observer])
    return made


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_a_report_keeps_its_tree_of_codes_numbers_and_references(syntax: str) -> None:
    made = left_of(report(), syntax=syntax)
    assert [one.ValueType for one in made.ContentSequence] == [
        "CONTAINER", "SCOORD", "CODE", "PNAME", "UIDREF", "DATE"]  # fmt: skip
    deep, places, finding, person, uid, day = made.ContentSequence
    number, words = deep.ContentSequence
    assert number.MeasuredValueSequence[0].NumericValue == 12.5
    assert words.TextValue == "REMOVED"
    assert finding.ConceptCodeSequence[0].CodeMeaning == "Lung structure"
    assert (person.PersonName, day.Date) == ("REMOVED", "19000101")
    new = Deidentifier(KEY).new_uid("1.2.3.71020304")
    shown = places.ContentSequence[0].ReferencedSOPSequence[0]
    assert uid.UID == shown.ReferencedSOPInstanceUID == made.SOPInstanceUID == new
    assert made.VerificationFlag == "UNVERIFIED"
    codes = [one.CodeValue for one in made.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113104"]


def test_known_words_and_facts_of_the_patient_stay_on_demand() -> None:
    options = Options(dates=SHIFT, descriptions=CLEAN, characteristics=True)
    made = left_of(report(), options)
    assert made.ContentSequence[0].ContentSequence[1].TextValue == "in left lung 12 mm"
    assert [one.ValueType for one in made.ContentSequence].count("CODE") == 2


def test_key_objects_states_and_curves_leave_without_what_people_typed() -> None:
    reference = Dataset()
    reference.ReferencedSOPInstanceUID = "1.2.3.71020304"
    keys = document(KO, ConceptNameCodeSequence=code("113000"), ValueType="CONTAINER",
                    ContentSequence=Sequence([
                        item("TEXT", code("113012"), TextValue="CANARY"),
                        item("IMAGE", ReferencedSOPSequence=Sequence([reference]))]))  # fmt: skip
    made = left_of(keys)
    assert [one.ValueType for one in made.ContentSequence] == ["TEXT", "IMAGE"]
    assert "VerificationFlag" not in made

    words, layer = Dataset(), Dataset()
    words.UnformattedTextValue, layer.GraphicLayer = "CANARY", "CANARY"
    marks = Dataset()
    marks.TextObjectSequence, marks.GraphicLayer = Sequence([words]), "CANARY"
    window = Dataset()
    window.WindowCenter, window.WindowWidth = 40, 400
    state = document(PR, ContentLabel="CANARY", ContentCreatorName="CANARY",
                     GraphicLayerSequence=Sequence([layer]),
                     GraphicAnnotationSequence=Sequence([marks]),
                     SoftcopyVOILUTSequence=Sequence([window]))  # fmt: skip
    made = left_of(state)
    assert made.SoftcopyVOILUTSequence[0].WindowWidth == 400
    assert "GraphicAnnotationSequence" not in made

    channel, group, note = Dataset(), Dataset(), Dataset()
    channel.ChannelLabel, channel.ChannelSourceSequence = "CANARY", code("2:1", "MDC", "Lead I")
    note.UnformattedTextValue = "CANARY"
    group.ChannelDefinitionSequence = Sequence([channel])
    group.add_new(0x54001010, "OW", b"\1\2\3\4")
    curve = document(ECG, WaveformSequence=Sequence([group]),
                     WaveformAnnotationSequence=Sequence([note]))  # fmt: skip
    made = left_of(curve)
    assert made.WaveformSequence[0].WaveformData == b"\1\2\3\4"
    sources = made.WaveformSequence[0].ChannelDefinitionSequence[0].ChannelSourceSequence
    assert sources[0].CodeMeaning == "Lead I"


def test_voices_and_documents_of_other_formats_do_not_leave() -> None:
    assert [content_kind(uid) for uid in (VOICE, PDF, "1.2.3")] == ["", "", ""]
    sound = Dataset()
    sound.add_new(0x54001010, "OB", b"CANARY")
    content = written(document(VOICE, WaveformSequence=Sequence([sound])))
    file = DeidentifiedFile(io.BytesIO(content), len(content), Deidentifier(KEY))
    assert not file.may_leave
    assert b"CANARY" not in b"".join(file.pieces())
