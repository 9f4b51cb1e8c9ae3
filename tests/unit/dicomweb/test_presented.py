"""Pictures as presentation states show them, over WADO-RS and WADO-URI (PS3.4 N.2)."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.test import Client
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

from accounts.models import Facility, User
from archive.models import Instance
from tests import factories
from tests.unit.viewer.conftest import store

pytestmark = pytest.mark.django_db(transaction=True)

STATE = UID("1.2.840.10008.5.1.4.1.1.11.1")


def _item(**values: Any) -> Dataset:
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def make_state(image: Dataset, **changes: Any) -> Dataset:
    """Return a grayscale presentation state (PS3.3 A.33.1) of one image."""
    reference = _item(
        ReferencedSOPClassUID=image.SOPClassUID, ReferencedSOPInstanceUID=image.SOPInstanceUID
    )
    series = _item(SeriesInstanceUID=image.SeriesInstanceUID, ReferencedImageSequence=[reference])
    state = _item(
        SOPClassUID=STATE, SOPInstanceUID=generate_uid(), StudyInstanceUID=image.StudyInstanceUID,
        SeriesInstanceUID=generate_uid(), Modality="PR", PatientID=image.PatientID,
        PatientName=image.PatientName, StudyDate=image.StudyDate, StudyTime=image.StudyTime,
        StudyID="", AccessionNumber="", InstanceNumber=1, SeriesNumber=9, ContentLabel="TURNED",
        ContentDescription="", ContentCreatorName="", PresentationCreationDate="20240101",
        PresentationCreationTime="120000", ReferencedSeriesSequence=[series],
        PresentationLUTShape="IDENTITY",
    )  # fmt: skip
    for keyword, value in changes.items():
        setattr(state, keyword, value)
    state.file_meta = FileMetaDataset()
    state.file_meta.MediaStorageSOPClassUID = STATE
    state.file_meta.MediaStorageSOPInstanceUID = state.SOPInstanceUID
    state.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return state


def _path(instance: Instance) -> str:
    series = instance.series
    return (
        f"/dicomweb/studies/{series.study.study_instance_uid}/series/{series.series_instance_uid}"
        f"/instances/{instance.sop_instance_uid}/rendered"
    )


def _pixels(answer: Any) -> np.ndarray:
    assert answer.status_code == 200, answer.content
    return np.asarray(Image.open(io.BytesIO(answer.content)))


def test_a_state_windows_turns_and_cuts_its_image(
    north: Facility, rada: User, client_of: Callable[[User], Client]
) -> None:
    image = dcmread(factories.bundled("CT_small.dcm"))
    ct = store(factories.bundled("CT_small.dcm").read_bytes(), north)
    area = _item(
        DisplayedAreaTopLeftHandCorner=[11, 21], DisplayedAreaBottomRightHandCorner=[90, 100],
        PresentationSizeMode="SCALE TO FIT",
    )  # fmt: skip
    changes: dict[str, Any] = {
        "RescaleSlope": 1,
        "RescaleIntercept": -1024,
        "SoftcopyVOILUTSequence": [_item(WindowCenter=40, WindowWidth=400)],
        "DisplayedAreaSelectionSequence": [area],
        "ImageRotation": 90,
        "ImageHorizontalFlip": "Y",
    }
    state = store(factories.as_part10(make_state(image, **changes)), north)
    client, accept = client_of(rada), {"accept": "image/png"}
    # PS3.3 C.11.2.1.2.1; then turned clockwise, then mirrored (C.10.6).
    values = image.pixel_array.astype(float) - 1024
    grey = np.floor(np.clip(((values - 39.5) / 399 + 0.5) * 255, 0, 255) + 0.5)
    seen = np.rot90(grey[20:100, 10:90], -1)[:, ::-1]
    assert np.array_equal(_pixels(client.get(_path(state), headers=accept)), seen)
    half = client.get(_path(state), {"viewport": "20,20,0,0,20,20"}, headers=accept)
    assert np.array_equal(_pixels(half), seen[:20, :20])
    uri = {
        "requestType": "WADO",
        "studyUID": ct.study.study_instance_uid,
        "seriesUID": ct.series.series_instance_uid,
        "objectUID": ct.sop_instance_uid,
        "contentType": "image/png",
        "presentationSeriesUID": state.series.series_instance_uid,
        "presentationUID": state.sop_instance_uid,
    }
    assert np.array_equal(_pixels(client.get("/dicomweb/wado", uri)), seen)
    corner = client.get("/dicomweb/wado", {**uri, "region": "0,0,0.25,0.5"})
    assert np.array_equal(_pixels(corner), seen[:40, :20])
    # Without a window all stored values are shown, here inverted.
    plain = make_state(
        image, PresentationLUTShape="INVERSE", RescaleSlope=1, RescaleIntercept=-1024
    )
    other = store(factories.as_part10(plain), north)
    every = np.floor((image.pixel_array.astype(float) + 32768) / 65535 * 255 + 0.5)
    assert np.array_equal(_pixels(client.get(_path(other), headers=accept)), 255 - every)

    assert client.get(_path(state), {"window": "1,2"}, headers=accept).status_code == 400
    wrong = {**uri, "windowCenter": "1", "windowWidth": "2"}
    assert client.get("/dicomweb/wado", wrong).status_code == 400
    assert client.get("/dicomweb/wado", {**uri, "presentationUID": "1.2"}).status_code == 404
    # A study's pictures are its images, once.
    study = f"/dicomweb/studies/{ct.study.study_instance_uid}/rendered"
    assert _pixels(client.get(study, headers=accept)).shape == (128, 128)


def test_a_state_draws_its_marks_and_refuses_what_it_cannot_apply(
    north: Facility, rada: User, client_of: Callable[[User], Client]
) -> None:
    image = dcmread(factories.bundled("CT_small.dcm"))
    store(factories.bundled("CT_small.dcm").read_bytes(), north)
    line = _item(
        GraphicAnnotationUnits="PIXEL", GraphicDimensions=2, NumberOfGraphicPoints=2,
        GraphicData=[20.0, 64.0, 100.0, 64.0], GraphicType="POLYLINE", GraphicFilled="N",
    )  # fmt: skip
    annotation = _item(GraphicLayer="MARKS", GraphicObjectSequence=[line])
    layer = _item(
        GraphicLayer="MARKS", GraphicLayerOrder=1,
        GraphicLayerRecommendedDisplayGrayscaleValue=0xFFFF,
    )  # fmt: skip
    window = {
        "RescaleSlope": 1,
        "RescaleIntercept": -1024,
        "SoftcopyVOILUTSequence": [_item(WindowCenter=40, WindowWidth=400)],
    }
    client, accept = client_of(rada), {"accept": "image/png"}
    marked = make_state(
        image, GraphicAnnotationSequence=[annotation], GraphicLayerSequence=[layer], **window
    )
    drawn = _pixels(client.get(_path(store(factories.as_part10(marked), north)), headers=accept))
    bare = make_state(image, **window)
    plain = _pixels(client.get(_path(store(factories.as_part10(bare), north)), headers=accept))
    changed = (drawn != plain[..., None]).any(axis=2)
    rows, columns = np.nonzero(changed)
    # Annotation units count from the corner of the first pixel.
    assert (drawn[63:65, 25:95] == 255).all(axis=(1, 2)).any()
    assert abs(rows.mean() - 63.5) <= 1
    assert columns.min() >= 17
    assert columns.max() <= 102

    tables = make_state(image, ModalityLUTSequence=[_item(LUTDescriptor=[1, 0, 16])])
    refused = store(factories.as_part10(tables), north)
    assert client.get(_path(refused), headers=accept).status_code == 406
    image.SOPInstanceUID = "1.2.3.4.5"
    lost = store(factories.as_part10(make_state(image, **window)), north)
    assert client.get(_path(lost), headers=accept).status_code == 404
