"""Which attributes can be asked for at which level, and where their values are (PS3.4 C.6).

Most are columns of the index. A few are counted or collected for the rows that are answered.
The rest of what describes a study, a series or an instance is read from a stored file.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from imaging.dictionary import TAG_OF_KEYWORD, vr_of
from imaging.encoding import PIXEL_TAGS


class Level(enum.IntEnum):
    """The levels of the information model, from the top."""

    PATIENT = 0
    STUDY = 1
    SERIES = 2
    IMAGE = 3


class Kind(enum.Enum):
    """How a column is compared."""

    TEXT = "text"
    UID = "uid"
    NAME = "name"
    MOMENT = "moment"
    NUMBER = "number"
    LIST = "list"
    FRAMES = "frames"


@dataclass(frozen=True)
class Column:
    """A column of the index: of which level's table, and what it holds."""

    level: Level
    field: str
    kind: Kind = Kind.TEXT


# The way from a row of one level to that of a level above.
_WAYS = {
    (Level.PATIENT, Level.PATIENT): "",
    (Level.STUDY, Level.STUDY): "",
    (Level.STUDY, Level.PATIENT): "patient__",
    (Level.SERIES, Level.SERIES): "",
    (Level.SERIES, Level.STUDY): "study__",
    (Level.SERIES, Level.PATIENT): "study__patient__",
    (Level.IMAGE, Level.IMAGE): "",
    (Level.IMAGE, Level.SERIES): "series__",
    (Level.IMAGE, Level.STUDY): "study__",
    (Level.IMAGE, Level.PATIENT): "study__patient__",
}


def path_of(level: Level, column: Column) -> str:
    """Return the way from a row of a level to a column, as a queryset names it."""
    return _WAYS[level, column.level] + column.field


def way_up(level: Level, above: Level) -> str:
    """Return the way from a row of a level to the row above, with its underscores."""
    return _WAYS[level, above]


_PATIENT = {
    "PatientID": Column(Level.PATIENT, "patient_id"),
    "IssuerOfPatientID": Column(Level.PATIENT, "issuer_of_patient_id"),
}
# Name, birth date and sex are the patient's when patients are asked for, else as the study's
# own files say.
_PERSON = {
    "PatientName": ("patient_name", Kind.NAME),
    "PatientBirthDate": ("patient_birth_date", Kind.MOMENT),
    "PatientSex": ("patient_sex", Kind.TEXT),
}
_STUDY = {
    "StudyInstanceUID": Column(Level.STUDY, "study_instance_uid", Kind.UID),
    "StudyDate": Column(Level.STUDY, "study_date", Kind.MOMENT),
    "StudyTime": Column(Level.STUDY, "study_time", Kind.MOMENT),
    "StudyID": Column(Level.STUDY, "study_id"),
    "StudyDescription": Column(Level.STUDY, "study_description"),
    "AccessionNumber": Column(Level.STUDY, "accession_number"),
    "ReferringPhysicianName": Column(Level.STUDY, "referring_physician_name", Kind.NAME),
    "PatientAge": Column(Level.STUDY, "patient_age"),
    "InstitutionName": Column(Level.STUDY, "institution_name"),
    "ModalitiesInStudy": Column(Level.STUDY, "modalities", Kind.LIST),
    "NumberOfStudyRelatedSeries": Column(Level.STUDY, "series_count", Kind.NUMBER),
    "NumberOfStudyRelatedInstances": Column(Level.STUDY, "instance_count", Kind.NUMBER),
}
_SERIES = {
    "SeriesInstanceUID": Column(Level.SERIES, "series_instance_uid", Kind.UID),
    "SeriesNumber": Column(Level.SERIES, "series_number", Kind.NUMBER),
    "Modality": Column(Level.SERIES, "modality"),
    "SeriesDescription": Column(Level.SERIES, "series_description"),
    "BodyPartExamined": Column(Level.SERIES, "body_part_examined"),
    "Laterality": Column(Level.SERIES, "laterality"),
    "ProtocolName": Column(Level.SERIES, "protocol_name"),
    "Manufacturer": Column(Level.SERIES, "manufacturer"),
    "ManufacturerModelName": Column(Level.SERIES, "manufacturer_model_name"),
    "StationName": Column(Level.SERIES, "station_name"),
    "FrameOfReferenceUID": Column(Level.SERIES, "frame_of_reference_uid", Kind.UID),
    "NumberOfSeriesRelatedInstances": Column(Level.SERIES, "instance_count", Kind.NUMBER),
}
_IMAGE = {
    "SOPInstanceUID": Column(Level.IMAGE, "sop_instance_uid", Kind.UID),
    "SOPClassUID": Column(Level.IMAGE, "sop_class_uid", Kind.UID),
    "InstanceNumber": Column(Level.IMAGE, "instance_number", Kind.NUMBER),
    "AvailableTransferSyntaxUID": Column(Level.IMAGE, "transfer_syntax_uid", Kind.UID),
    "Rows": Column(Level.IMAGE, "rows", Kind.NUMBER),
    "Columns": Column(Level.IMAGE, "columns", Kind.NUMBER),
    "BitsAllocated": Column(Level.IMAGE, "image__bits_allocated", Kind.NUMBER),
    "NumberOfFrames": Column(Level.IMAGE, "number_of_frames", Kind.FRAMES),
}

UNIQUE_KEYS = {
    Level.PATIENT: TAG_OF_KEYWORD["PatientID"],
    Level.STUDY: TAG_OF_KEYWORD["StudyInstanceUID"],
    Level.SERIES: TAG_OF_KEYWORD["SeriesInstanceUID"],
    Level.IMAGE: TAG_OF_KEYWORD["SOPInstanceUID"],
}

# Collected for each page of answers: the lowest level at which they make sense.
PATIENT_COUNTS = {
    TAG_OF_KEYWORD["NumberOfPatientRelatedStudies"]: "studies",
    TAG_OF_KEYWORD["NumberOfPatientRelatedSeries"]: "series",
    TAG_OF_KEYWORD["NumberOfPatientRelatedInstances"]: "instances",
}
SOP_CLASSES_IN_STUDY = TAG_OF_KEYWORD["SOPClassesInStudy"]

# Read from one file of the study or series; the same in all of them (PS3.3 A.1.2).
_STUDY_FILE_KEYWORDS = """
    AdmissionID AdmittingDiagnosesDescription AdmittingDiagnosesCodeSequence
    AdditionalPatientHistory Allergies ConsultingPhysicianName EthnicGroup
    IssuerOfAccessionNumberSequence IssuerOfPatientIDQualifiersSequence LastMenstrualDate
    MedicalAlerts NameOfPhysiciansReadingStudy Occupation OtherPatientIDs OtherPatientIDsSequence
    OtherPatientNames PatientBirthTime PatientComments PatientSize PatientSpeciesDescription
    PatientState PatientWeight PhysiciansOfRecord PregnancyStatus ProcedureCodeSequence
    ReasonForPerformedProcedureCodeSequence ReferencedStudySequence
    ReferringPhysicianIdentificationSequence RequestingService ResponsiblePerson SmokingStatus
    SpecialNeeds TimezoneOffsetFromUTC
"""
_SERIES_FILE_KEYWORDS = """
    AnatomicRegionSequence CommentsOnThePerformedProcedureStep DeviceSerialNumber
    InstitutionAddress InstitutionalDepartmentName OperatorsName PatientPosition
    PerformedProcedureStepDescription PerformedProcedureStepEndDate PerformedProcedureStepEndTime
    PerformedProcedureStepID PerformedProcedureStepStartDate PerformedProcedureStepStartTime
    PerformedProtocolCodeSequence PerformingPhysicianName PositionReferenceIndicator
    ReferencedPerformedProcedureStepSequence RequestAttributesSequence SeriesDate
    SeriesDescriptionCodeSequence SeriesTime SoftwareVersions
"""
_STUDY_FILE = frozenset(TAG_OF_KEYWORD[name] for name in _STUDY_FILE_KEYWORDS.split())
_SERIES_FILE = frozenset(TAG_OF_KEYWORD[name] for name in _SERIES_FILE_KEYWORDS.split())
_BULK_VRS = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"UN"})


def _columns(level: Level) -> dict[int, Column]:
    person_of = Level.PATIENT if level is Level.PATIENT else Level.STUDY
    tables = [_PATIENT, {name: Column(person_of, *how) for name, how in _PERSON.items()}]
    tables += [_STUDY, _SERIES, _IMAGE][:level]
    return {TAG_OF_KEYWORD[name]: column for table in tables for name, column in table.items()}


COLUMNS = {level: _columns(level) for level in Level}


def is_collected(level: Level, tag: int) -> bool:
    """Whether an attribute is counted or collected for the answers of a level."""
    return tag in PATIENT_COUNTS or (tag == SOP_CLASSES_IN_STUDY and level >= Level.STUDY)


def is_in_file(level: Level, tag: int) -> bool:
    """Whether an attribute of this level is read from a stored file."""
    if level is Level.PATIENT or tag in COLUMNS[Level.IMAGE]:
        return False
    if level is Level.IMAGE:
        is_public = tag >> 16 > 0x0008 or tag >> 16 == 0x0008
        return (
            is_public
            and not tag >> 16 & 1
            and tag not in PIXEL_TAGS
            and vr_of(tag)[:2] not in _BULK_VRS
        )
    return tag in _STUDY_FILE or (level is Level.SERIES and tag in _SERIES_FILE)


def is_supported(level: Level, tag: int) -> bool:
    """Whether an attribute can be asked for at a level."""
    return tag in COLUMNS[level] or is_collected(level, tag) or is_in_file(level, tag)
