"""What the index keeps of one SOP instance."""

from dataclasses import dataclass
from datetime import date, time
from typing import Any

from imaging.dictionary import tag_of
from imaging.errors import IdentityError
from imaging.frames import FrameIndex
from imaging.header import Header
from imaging.image_facts import image_facts
from imaging.text import clean_line, parse_age_years, parse_date, parse_integer, parse_time
from imaging.uids import checked_uid

# Raised whenever the same header would give other facts than before: what was stored by an
# earlier version is then read again (archive.refresh).
FACTS_VERSION = 2
# Longest text kept of a value, in characters: LO and everything shorter, then names
# (three groups of 64, PS3.5 6.2), then what has no such bound (UC, UT).
LO_LENGTH = 64
PN_LENGTH = 3 * 64 + 2
UC_LENGTH = 1024
# IS is a signed 32-bit integer by PS3.5 6.2, and so are the columns of the database.
IS_LIMIT = 2**31
# Rows and Columns are US.
US_LIMIT = 2**16


@dataclass(frozen=True, slots=True)
class InstanceFacts:
    """Everything the index keeps of one instance; text is decoded, cleaned and capped.

    Text is empty when the attribute is absent or empty. `image` can be written as JSON and is
    empty for instances that have no pixels. `flags` are short codes, sorted.
    """

    specific_character_set: str
    patient_id: str
    issuer_of_patient_id: str
    patient_name: str
    patient_birth_date: date | None
    patient_sex: str
    patient_age: str
    study_instance_uid: str
    study_date: date | None
    study_time: time | None
    study_id: str
    study_description: str
    accession_number: str
    referring_physician_name: str
    institution_name: str
    series_instance_uid: str
    series_number: int | None
    modality: str
    series_description: str
    body_part_examined: str
    laterality: str
    protocol_name: str
    manufacturer: str
    manufacturer_model_name: str
    station_name: str
    frame_of_reference_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    instance_number: int | None
    number_of_frames: int
    rows: int | None
    columns: int | None
    has_pixel_data: bool
    image: dict[str, Any]
    flags: tuple[str, ...]

    @classmethod
    def from_header(cls, header: Header, frame_index: FrameIndex) -> "InstanceFacts":
        """Read the facts from a header.

        Raises
        ------
        IdentityError
            Study, Series, SOP Instance or SOP Class UID is missing or no UID.
        """
        reader = _Reader(header)
        sop_instance_uid = reader.uid("SOPInstanceUID")
        sop_class_uid = reader.uid("SOPClassUID")
        reader.check_meta(sop_instance_uid, sop_class_uid)
        frames = header.integer("NumberOfFrames")
        image = image_facts(header) if header.pixel is not None else {}
        facts: dict[str, Any] = {name: reader.line(keyword) for name, keyword in LINES.items()}
        facts |= {name: reader.line(keyword, PN_LENGTH) for name, keyword in NAMES.items()}
        facts |= {name: reader.date(keyword) for name, keyword in DATES.items()}
        facts |= {name: reader.integer(keyword) for name, keyword in INTEGERS.items()}
        if not parse_age_years(facts["patient_age"])[1]:
            reader.flags.add("bad_age")
        facts |= {
            "specific_character_set": "\\".join(header.texts("SpecificCharacterSet"))[:UC_LENGTH],
            "study_instance_uid": reader.uid("StudyInstanceUID"),
            "series_instance_uid": reader.uid("SeriesInstanceUID"),
            "sop_instance_uid": sop_instance_uid,
            "sop_class_uid": sop_class_uid,
            "frame_of_reference_uid": reader.optional_uid("FrameOfReferenceUID"),
            "transfer_syntax_uid": checked_uid(header.transfer_syntax_uid, "TransferSyntaxUID")[0],
            "study_time": reader.time("StudyTime"),
            "number_of_frames": min(max(frames or 1, 1), IS_LIMIT - 1),
            "rows": reader.size("Rows"),
            "columns": reader.size("Columns"),
            "has_pixel_data": header.pixel is not None,
            "image": image,
        }
        flags = header.flags | reader.flags | frame_index.flags
        return cls(**facts, flags=tuple(sorted(flags)))


LINES = {
    "patient_id": "PatientID",
    "issuer_of_patient_id": "IssuerOfPatientID",
    "patient_sex": "PatientSex",
    "patient_age": "PatientAge",
    "study_id": "StudyID",
    "study_description": "StudyDescription",
    "accession_number": "AccessionNumber",
    "institution_name": "InstitutionName",
    "modality": "Modality",
    "series_description": "SeriesDescription",
    "body_part_examined": "BodyPartExamined",
    "laterality": "Laterality",
    "protocol_name": "ProtocolName",
    "manufacturer": "Manufacturer",
    "manufacturer_model_name": "ManufacturerModelName",
    "station_name": "StationName",
}
NAMES = {
    "patient_name": "PatientName",
    "referring_physician_name": "ReferringPhysicianName",
}
DATES = {"patient_birth_date": "PatientBirthDate", "study_date": "StudyDate"}
INTEGERS = {"series_number": "SeriesNumber", "instance_number": "InstanceNumber"}


class _Reader:
    """Reads values of a header for the index, noting in `flags` where it was lenient."""

    def __init__(self, header: Header) -> None:
        self.header = header
        self.flags: set[str] = set()

    def uid(self, keyword: str) -> str:
        values = self._raw_uids(keyword)
        if len(values) > 1:
            raise IdentityError(f"{keyword} has several values")
        value, conforming = checked_uid(values[0] if values else "", keyword)
        if not conforming:
            self.flags.add("uid_leading_zero")
        return value

    def optional_uid(self, keyword: str) -> str:
        values = self._raw_uids(keyword)
        if not values or not values[0]:
            return ""
        try:
            return checked_uid(values[0], keyword)[0]
        except IdentityError:
            self.flags.add("bad_uid")
            return ""

    def _raw_uids(self, keyword: str) -> list[str]:
        raw = self.header.raw(keyword)
        if not raw:
            return []
        # Padding is one NUL; blanks are seen, too. Anything else inside stays and is refused.
        text = raw.decode("latin-1").rstrip(" \0").lstrip(" ")
        return [part.strip(" ") for part in text.split("\\")]

    def check_meta(self, sop_instance_uid: str, sop_class_uid: str) -> None:
        """Flag a file whose meta information names another object than it holds (PS3.10 7.1).

        De-identifiers often forget the file meta information; the data set decides.
        """
        meta = self.header.meta
        named = meta.media_storage_sop_instance_uid
        if named and named != sop_instance_uid:
            self.flags.add("meta_instance_differs")
        named = meta.media_storage_sop_class_uid
        if named and named != sop_class_uid:
            self.flags.add("meta_class_differs")

    def line(self, keyword: str, cap: int = LO_LENGTH) -> str:
        header = self.header
        tag = tag_of(keyword)
        if tag not in header:
            return ""
        values = header.texts(tag)
        if not values:
            return ""
        # One value by the dictionary: a backslash is part of a sloppy text.
        text = clean_line("\\".join(values))
        if len(text) > cap:
            self.flags.add("text_cut")
            text = text[:cap]
        return text

    def date(self, keyword: str) -> date | None:
        value, conforming = parse_date(self.header.text(keyword))
        if not conforming:
            self.flags.add("bad_date")
        return value

    def time(self, keyword: str) -> time | None:
        value, conforming = parse_time(self.header.text(keyword))
        if not conforming:
            self.flags.add("bad_time")
        return value

    def integer(self, keyword: str) -> int | None:
        value, conforming = parse_integer(self.header.text(keyword))
        if value is not None and not -IS_LIMIT <= value < IS_LIMIT:
            value, conforming = None, False
        if not conforming:
            self.flags.add("bad_number")
        return value

    def size(self, keyword: str) -> int | None:
        value = self.header.integer(keyword)
        if value is None:
            return None
        if not 0 < value < US_LIMIT:
            self.flags.add("bad_size")
            return None
        return value
