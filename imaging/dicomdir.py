"""A DICOMDIR for objects that are written one after the other (PS3.3 F, PS3.10 8.6)."""

import struct
from dataclasses import dataclass, field
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.uid import UID

from imaging.deidentify import READER_ERRORS
from imaging.errors import UnreadableError
from imaging.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"
EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
_STORAGE = "1.2.840.10008.5.1.4.1.1."
# By the longest beginning of what follows in the SOP Class UID (PS3.3 F.4); others are images.
_TYPES = {
    "481.2": "RT DOSE", "481.3": "RT STRUCTURE SET", "481.5": "RT PLAN", "481.8": "RT PLAN",
    "481.4": "RT TREAT RECORD", "481.6": "RT TREAT RECORD", "481.7": "RT TREAT RECORD",
    "481.9": "RT TREAT RECORD", "11": "PRESENTATION", "9": "WAVEFORM", "88": "SR DOCUMENT",
    "88.59": "KEY OBJECT DOC", "4.2": "SPECTROSCOPY", "66": "RAW DATA", "66.1": "REGISTRATION",
    "66.3": "REGISTRATION", "66.2": "FIDUCIAL", "66.4": "IMAGE", "66.5": "SURFACE",
    "66.6": "TRACT", "66.7": "IMAGE", "67": "VALUE MAP", "104": "ENCAP DOC",
    "77.1.5.3": "STEREOMETRIC", "68": "SURFACE SCAN", "78": "MEASUREMENT", "90": "ASSESSMENT",
    "77.1.5.4": "IMAGE",
}  # fmt: skip
_CONTENT = ("InstanceNumber", "ContentDate", "ContentTime")
_LABELLED = (*_CONTENT, "ContentLabel", "ContentDescription", "ContentCreatorName")
_KEYS: dict[str, tuple[str, ...]] = {
    "PATIENT": ("PatientName", "PatientID"),
    "STUDY": (
        "StudyDate", "StudyTime", "StudyDescription", "StudyInstanceUID", "StudyID",
        "AccessionNumber",
    ),
    "SERIES": ("Modality", "SeriesInstanceUID", "SeriesNumber"),
    "IMAGE": ("InstanceNumber",),
    "RT DOSE": ("InstanceNumber", "DoseSummationType"),
    "RT STRUCTURE SET": (
        "InstanceNumber", "StructureSetLabel", "StructureSetDate", "StructureSetTime",
    ),
    "RT PLAN": ("InstanceNumber", "RTPlanLabel", "RTPlanDate", "RTPlanTime"),
    "RT TREAT RECORD": ("InstanceNumber", "TreatmentDate", "TreatmentTime"),
    "PRESENTATION": (
        "InstanceNumber", "PresentationCreationDate", "PresentationCreationTime", "ContentLabel",
        "ContentDescription", "ContentCreatorName", "ReferencedSeriesSequence",
    ),
    "WAVEFORM": _CONTENT,
    "SR DOCUMENT": (
        *_CONTENT, "CompletionFlag", "VerificationFlag", "VerificationDateTime",
        "ConceptNameCodeSequence",
    ),
    "KEY OBJECT DOC": (*_CONTENT, "ConceptNameCodeSequence"),
    "SPECTROSCOPY": (
        *_CONTENT, "ImageType", "NumberOfFrames", "Rows", "Columns", "DataPointRows",
        "DataPointColumns",
    ),
    "RAW DATA": _CONTENT,
    "ENCAP DOC": (
        *_CONTENT, "DocumentTitle", "HL7InstanceIdentifier", "ConceptNameCodeSequence",
        "MIMETypeOfEncapsulatedDocument",
    ),
    "STEREOMETRIC": (),
    "MEASUREMENT": _CONTENT,
}  # fmt: skip
# Keys that must have a value, and what stands for one that the object lacks.
_REQUIRED: dict[str, str] = {
    "PatientID": "UNKNOWN", "StudyDate": "19000101", "StudyTime": "000000", "StudyID": "1",
    "Modality": "OT", "SeriesNumber": "0", "InstanceNumber": "0", "ContentDate": "19000101",
    "ContentTime": "000000", "ContentLabel": "NONE", "CompletionFlag": "PARTIAL",
    "VerificationFlag": "UNVERIFIED", "PresentationCreationDate": "19000101",
    "PresentationCreationTime": "000000", "DoseSummationType": "PLAN", "RTPlanLabel": "NONE",
    "StructureSetLabel": "NONE",
}  # fmt: skip
# Empty is allowed, absent is not.
_PRESENT = frozenset(
    {"PatientName", "StudyDescription", "AccessionNumber", "ContentDescription", "DocumentTitle"}
)
_HEAD = struct.Struct("<HH2sHL HH2sHH HH2sHL")


@dataclass(slots=True)
class _Record:
    kind: str
    body: bytes
    below: "dict[str, _Record]" = field(default_factory=dict)
    next_offset: int = 0
    lower_offset: int = 0

    def size(self) -> int:
        """Return the bytes of the item, its head included."""
        return 8 + _HEAD.size + len(self.body)

    def to_bytes(self) -> bytes:
        head = _HEAD.pack(
            4, 0x1400, b"UL", 4, self.next_offset, 4, 0x1410, b"US", 2, 0xFFFF,
            4, 0x1420, b"UL", 4, self.lower_offset,
        )  # fmt: skip
        length = struct.pack("<L", len(head) + len(self.body))
        return b"\xfe\xff\x00\xe0" + length + head + self.body


class Directory:
    """Collects a record for each object; about half a kilobyte each is held."""

    def __init__(self, file_set_uid: str) -> None:
        self._uid = file_set_uid
        self._patients: dict[str, _Record] = {}
        self.count = 0

    def add(self, ds: Dataset, file_id: tuple[str, ...], transfer_syntax_uid: str) -> None:
        """Add an object by its header; `file_id` are the parts of its path, as PS3.10 8.2 allows.

        Objects of one patient are those with the same Patient ID and issuer. Raises
        UnreadableError for a header whose values cannot be read.
        """
        try:
            self._add(ds, file_id, transfer_syntax_uid)
        except READER_ERRORS as error:
            raise UnreadableError("the header has no place in a directory") from error

    def _add(self, ds: Dataset, file_id: tuple[str, ...], transfer_syntax_uid: str) -> None:
        kind = record_type(_text(ds, "SOPClassUID"))
        leaf = _Record(kind, _body(kind, ds, file_id, transfer_syntax_uid))
        who = f"{_text(ds, 'PatientID')}\0{_text(ds, 'IssuerOfPatientID')}"
        patient = self._level(self._patients, who, "PATIENT", ds)
        study = self._level(patient.below, _text(ds, "StudyInstanceUID"), "STUDY", ds)
        series = self._level(study.below, _text(ds, "SeriesInstanceUID"), "SERIES", ds)
        series.below["/".join(file_id)] = leaf
        self.count += 1

    def to_bytes(self) -> bytes:
        """Return the DICOMDIR file."""
        meta = FileMetaDataset()
        meta.FileMetaInformationVersion = b"\0\1"
        meta.MediaStorageSOPClassUID = UID(MEDIA_STORAGE_DIRECTORY)
        meta.MediaStorageSOPInstanceUID = UID(self._uid)
        meta.TransferSyntaxUID = UID(EXPLICIT_VR_LITTLE_ENDIAN)
        meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
        meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
        start = DicomBytesIO()
        start.write(b"\0" * 128 + b"DICM")
        write_file_meta_info(start, meta, enforce_standard=True)
        head_size = 8 + 16 + 12 + 12 + 10 + 12
        first = start.tell() + head_size
        end = _place(self._patients, first)
        last = first
        for patient in self._patients.values():
            last = patient.next_offset or last
        roots = (first, last) if self._patients else (0, 0)
        start.write(struct.pack("<HH2sH", 4, 0x1130, b"CS", 16) + b"NOCTIS".ljust(16))
        start.write(struct.pack("<HH2sHL", 4, 0x1200, b"UL", 4, roots[0]))
        start.write(struct.pack("<HH2sHL", 4, 0x1202, b"UL", 4, roots[1]))
        start.write(struct.pack("<HH2sHH", 4, 0x1212, b"US", 2, 0))
        start.write(struct.pack("<HH2sHL", 4, 0x1220, b"SQ", 0, end - first))
        _write(self._patients, start)
        return bytes(start.getvalue())

    def _level(self, level: dict[str, _Record], key: str, kind: str, ds: Dataset) -> _Record:
        found = level.get(key)
        if found is None:
            found = level[key] = _Record(kind, _body(kind, ds))
        return found


def record_type(sop_class_uid: str) -> str:
    """Return the type of the record below SERIES for objects of a class."""
    if not sop_class_uid.startswith(_STORAGE):
        return "IMAGE"
    rest = sop_class_uid.removeprefix(_STORAGE) + "."
    fitting = [start for start in _TYPES if rest.startswith(f"{start}.")]
    return _TYPES[max(fitting, key=len)] if fitting else "IMAGE"


def _place(level: dict[str, _Record], offset: int) -> int:
    """Give each record of a level, and all below it, its place; return the offset after them."""
    before: _Record | None = None
    for record in level.values():
        if before is not None:
            before.next_offset = offset
        before = record
        offset += record.size()
        if record.below:
            record.lower_offset = offset
            offset = _place(record.below, offset)
    return offset


def _write(level: dict[str, _Record], out: DicomBytesIO) -> None:
    for record in level.values():
        out.write(record.to_bytes())
        _write(record.below, out)


def _body(
    kind: str, ds: Dataset, file_id: tuple[str, ...] = (), transfer_syntax_uid: str = ""
) -> bytes:
    """Return what follows the offsets in a record: type, file, character set, keys."""
    record = Dataset()
    record.DirectoryRecordType = kind
    if file_id:
        record.ReferencedFileID = list(file_id)
        record.ReferencedSOPClassUIDInFile = UID(_text(ds, "SOPClassUID"))
        record.ReferencedSOPInstanceUIDInFile = UID(_text(ds, "SOPInstanceUID"))
        record.ReferencedTransferSyntaxUIDInFile = UID(transfer_syntax_uid)
    charset = ds.get("SpecificCharacterSet")
    if charset:
        record.SpecificCharacterSet = charset
    for keyword in _KEYS.get(kind, _LABELLED):
        value = _value(ds, keyword)
        if value is not None:
            setattr(record, keyword, value)
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, False
    write_dataset(out, record)
    return bytes(out.getvalue())


def _value(ds: Dataset, keyword: str) -> Any:
    """Return a key's value, what stands for it, or None for one that may be absent."""
    try:
        value = ds.get(keyword)
    except READER_ERRORS:
        value = None
    if value is None or str(value).strip() == "":
        return _REQUIRED.get(keyword, "" if keyword in _PRESENT else None)
    return value


def _text(ds: Dataset, keyword: str) -> str:
    return str(_value(ds, keyword) or "").strip(" \0")
