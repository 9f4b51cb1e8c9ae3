"""A receiver with something in it, for tests of C-MOVE and C-GET; what is there is known here."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import generate_uid

from archive.part10 import file_meta
from tests.conformance.dimse import CT_IMAGE_STORAGE, EXPLICIT_LITTLE, encode
from tests.conformance.port import Port
from tests.conformance.test_dimse_store import make_ct

MR_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.4"
PATIENTS = ("ANNA", "BERT")


@dataclass
class Stock:
    """What lies in the archive: the sent files by SOP Instance UID, and who belongs where."""

    port: Port
    folder: Path
    files: dict[str, Path] = field(default_factory=dict)
    headers: dict[str, Dataset] = field(default_factory=dict)

    def uids(self, **keys: str) -> set[str]:
        """Return the SOP Instance UIDs whose headers say this."""
        return {
            uid
            for uid, header in self.headers.items()
            if all(str(header.get(name)) == value for name, value in keys.items())
        }

    def value(self, keyword: str, **keys: str) -> list[str]:
        """Return the different values of a keyword among those headers, in order."""
        found = {str(self.headers[uid].get(keyword)) for uid in self.uids(**keys)}
        return sorted(found)

    def add(self, dataset: Dataset, transfer_syntax: str = EXPLICIT_LITTLE) -> None:
        """Write a file that is to be stored."""
        uid = str(dataset.SOPInstanceUID)
        meta = file_meta(
            sop_class_uid=dataset.SOPClassUID,
            sop_instance_uid=uid,
            transfer_syntax_uid=transfer_syntax,
        )
        path = self.folder / f"{len(self.files):03}.dcm"
        path.write_bytes(meta + encode(dataset, transfer_syntax))
        self.files[uid], self.headers[uid] = path, dataset

    def add_file(self, source: Path, patient_id: str) -> str:
        """Copy a file of another transfer syntax, under UIDs of its own."""
        dataset = dcmread(source)
        dataset.SOPInstanceUID = generate_uid()
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
        dataset.PatientID, dataset.PatientName = patient_id, "Any^One"
        assert isinstance(dataset.file_meta, FileMetaDataset)
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        uid = str(dataset.SOPInstanceUID)
        path = self.folder / f"{len(self.files):03}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        self.files[uid], self.headers[uid] = path, dataset
        return uid

    def store(self, calling: str) -> None:
        """Send everything that was written, as this peer."""
        subprocess.run(
            [
                *("dcmsend", "-aet", calling, "-aec", "NOCTIS_SCP", "--decompress-never"),
                *("localhost", str(self.port.number), *map(str, self.files.values())),
            ],
            check=True,
            timeout=60,
            capture_output=True,
        )


def provision(port: Port, text: str) -> None:
    """Provision the receiver's database; may be called again."""
    path = port.home / "provision.toml"
    path.write_text(text)
    port.manage("provision", str(path))


def fill(stock: Stock) -> None:
    """Write two patients with two studies each; a study has two series of three and two."""
    for patient_id in PATIENTS:
        for _ in range(2):
            study = generate_uid()
            for count, sop_class in ((3, CT_IMAGE_STORAGE), (2, MR_IMAGE_STORAGE)):
                series = generate_uid()
                for number in range(count):
                    stock.add(
                        make_ct(
                            SOPClassUID=sop_class,
                            PatientID=patient_id,
                            StudyInstanceUID=study,
                            SeriesInstanceUID=series,
                            InstanceNumber=number + 1,
                        )
                    )
