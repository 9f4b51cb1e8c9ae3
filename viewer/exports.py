"""Exports: asked for, made, fetched, forgotten. Every step starts from what the person may see."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.audit import record_for_user
from accounts.models import User
from archive import jobs, storage
from archive.models import Instance, Series, Study
from archive.stack import read_stack
from archive.video_shown import as_shown
from imaging.deidentify import Deidentifier, Options
from imaging.errors import ConflictError, MissingError, UnsupportedError
from viewer.export_form import BY_JOB, DICOM, JPEG, OBJECTS_LIMIT, PICTURES_LIMIT, PNG, TIFF
from viewer.export_fusion import check_fusion
from viewer.export_models import Export
from viewer.export_names import Image, leave_names, left_out_of
from viewer.marks import Author
from viewer.models import KeyImage

KEPT = timedelta(hours=24)
OPEN_LIMIT = 20
WHOLE = -1
KEY_BYTES = 32
ENDINGS = {"png": "png", "jpeg": "jpg", "tiff": "tif", "mp4": "mp4", "gif": "gif", "pdf": "pdf"}
TYPES = {
    "png": "image/png", "jpg": "image/jpeg", "tif": "image/tiff", "mp4": "video/mp4",
    "gif": "image/gif", "pdf": "application/pdf", "zip": "application/zip",
}  # fmt: skip


def create_export(author: Author, wish: dict[str, Any]) -> Export:
    """Store what is wanted of a study; a worker makes what cannot be made while it is sent.

    Raises
    ------
    MissingError
        Something is not there, or belongs to others.
    UnsupportedError
        There is nothing to export, or too much.
    NotAllowedError
        Pixels may show a name, and nobody has said what to do about it.
    ConflictError
        The person has too many exports already.
    BusyError
        The volume of the series that is to lie over the pictures is being built.
    """
    study, chosen = _choose(author.user, wish)
    images, left_out = leave_names(wish, author.user, chosen)
    _check_count(wish, images)
    form = wish["format"]
    if form != DICOM and wish.get("fusion"):
        first = Instance.objects.visible_to(author.user).filter(pk=images[0][0])
        check_fusion(wish, study, as_shown(first.select_related("study").get()), images[0][1])
    with transaction.atomic():
        mine = Export.objects.filter(created_by=author.user, expires_at__gt=timezone.now())
        if mine.count() >= OPEN_LIMIT:
            raise ConflictError(_("You have many exports already: delete one first."))
        export = Export.objects.create(
            facility_id=study.facility_id,
            study=study,
            created_by=author.user,
            expires_at=timezone.now() + KEPT,
            form=form,
            wish={**_plain(wish), "left_out": left_out},
            images=[[str(instance_id), frame] for instance_id, frame in images],
            state=Export.State.WAITING if form in BY_JOB else Export.State.READY,
            key=secrets.token_bytes(KEY_BYTES),
        )
        if form in BY_JOB:
            jobs.queue("export", [export.pk])
        jobs.queue("export_end", [export.pk], delay=KEPT)
        record(author, export, "export_requested")
    return export


def record(author: Author, export: Export, action: str) -> None:
    """Write into the trail what leaves, or is asked to."""
    wish = export.wish
    record_for_user(
        author.user,
        action,
        address=author.address,
        facility_id=export.facility_id,
        patient_id=export.study.patient.patient_id,
        study_instance_uid=export.study.study_instance_uid,
        detail={
            "export": str(export.pk),
            "form": export.form,
            "images": len(export.images),
            "left_out": sum(left_out_of(wish).values()),
            "deidentified": bool(wish.get("deidentify")),
            "burned_in": (wish.get("deidentify") or {}).get("burned_in", ""),
            "demographics": bool(wish.get("demographics")),
            "marks": bool(wish.get("marks")),
        },
    )


def find_exports(user: User) -> list[Export]:
    """Return a person's exports, newest first."""
    visible = Export.objects.visible_to(user).filter(created_by=user, expires_at__gt=timezone.now())
    return list(visible.select_related("study__patient").order_by("-created_at"))


def find_export(user: User, key: uuid.UUID) -> Export:
    """Return one of a person's exports. Raises MissingError."""
    visible = Export.objects.visible_to(user).filter(created_by=user, expires_at__gt=timezone.now())
    export = visible.select_related("study__patient", "created_by").filter(pk=key).first()
    if export is None:
        raise MissingError(_("There is no such export."))
    return export


def delete_export(author: Author, export: Export) -> None:
    """Stop and forget an export; its file goes with it."""
    with transaction.atomic():
        record(author, export, "export_deleted")
        Export.objects.filter(pk=export.pk).delete()
    _remove_file(export.pk)


def run_export_end_job(key: str) -> None:
    """Forget an export whose time is over; safe to repeat."""
    Export.objects.filter(pk=key).delete()
    _remove_file(uuid.UUID(key))


def load_images(export: Export) -> list[tuple[Instance, int]]:
    """Return instance and frame of all images, asked for again as who exports. One query.

    What is sent later needs no database. Raises MissingError when an image is not visible any
    more: half an export is none.
    """
    visible = Instance.objects.visible_to(export.created_by).filter(study=export.study)
    if export.form == DICOM:
        visible = visible.only("storage_key", "size_bytes", "transfer_syntax_uid", "series_id")
    else:
        visible = visible.select_related("series", "study__patient")
    found = {row.pk: row for row in visible.iterator(2000)}
    images = [(found.get(uuid.UUID(key)), frame) for key, frame in export.images]
    if any(instance is None for instance, _frame in images):
        raise MissingError(_("An image of this export is not there any more."))
    return [(instance, frame) for instance, frame in images if instance is not None]


def deidentifier_of(export: Export) -> Deidentifier | None:
    """Return what replaces names in this export, None where they stay."""
    wanted = export.wish.get("deidentify")
    if not wanted:
        return None
    options = Options(
        dates=wanted["dates"],
        descriptions=wanted["descriptions"],
        characteristics=wanted["characteristics"],
    )
    return Deidentifier(bytes(export.key), options)


# --- files ----------------------------------------------------------------------------
def path_of(key: uuid.UUID) -> Path:
    """Return where the file of an export lies, which a worker makes."""
    return storage.root() / "exports" / str(key)


def ending_of(export: Export) -> str:
    """Return the ending of an export's file."""
    if export.form == DICOM or (export.form in (PNG, JPEG, TIFF) and len(export.images) != 1):
        return "zip"
    return ENDINGS[export.form]


def name_of(export: Export) -> str:
    """Return a file's name: date and counter, nothing that a sender wrote."""
    kind = "pictures" if ending_of(export) == "zip" and export.form != DICOM else export.form
    made = timezone.localtime(export.created_at)
    return f"noctis-{kind}-{made:%Y%m%d-%H%M%S}.{ending_of(export)}"


def _remove_file(key: uuid.UUID) -> None:
    with suppress(FileNotFoundError):
        path_of(key).unlink()


# --- choosing ---------------------------------------------------------------------------
def _choose(user: User, wish: dict[str, Any]) -> tuple[Study, list[Image]]:
    """Return the study and the images in the order of the screen."""
    if "images" in wish:
        study, images = _choose_images(user, wish)
    else:
        study, images = _choose_series(user, wish)
    if wish.get("key_images"):
        keys = KeyImage.objects.present().filter(study=study)
        marked = set(keys.values_list("instance_id", "frame"))
        images = [one for one in images if one in marked or (one[1] == WHOLE and
                  any(one[0] == instance_id for instance_id, _frame in marked))]  # fmt: skip
    return study, list(dict.fromkeys(images))


def _choose_series(user: User, wish: dict[str, Any]) -> tuple[Study, list[Image]]:
    series = Series.objects.visible_to(user).select_related("study__patient")
    if "study" in wish:
        study = Study.objects.visible_to(user).select_related("patient").filter(pk=wish["study"])
        first = study.first()
        if first is None:
            raise MissingError(_("There is no such study."))
        found = list(series.filter(study=first).order_by("series_number", "id"))
    else:
        by_key = series.in_bulk(wish["series"])
        if len(by_key) != len(set(wish["series"])):
            raise MissingError(_("There is no such series."))
        found = [by_key[key] for key in dict.fromkeys(wish["series"])]
        first = found[0].study
        if any(one.study_id != first.pk for one in found):
            raise UnsupportedError(_("An export holds images of one study."))
    if wish["format"] == DICOM:
        rows = Instance.objects.visible_to(user).filter(series__in=found)
        numbered = rows.order_by("series__series_number", "series_id", "instance_number", "id")
        return first, [(key, WHOLE) for key in numbered.values_list("pk", flat=True)]
    return first, [image for one in found for image in _shown(one)]


def _shown(series: Series) -> list[Image]:
    stack = read_stack(series)
    return [stack.image(index) for index in range(len(stack))]


def _choose_images(user: User, wish: dict[str, Any]) -> tuple[Study, list[Image]]:
    keys = [one["instance"] for one in wish["images"]]
    visible = Instance.objects.visible_to(user).select_related("study__patient")
    found = visible.defer("frame_table").in_bulk(keys)
    if len(found) != len(set(keys)):
        raise MissingError(_("There is no such image."))
    first = found[keys[0]].study
    images: list[Image] = []
    for one in wish["images"]:
        instance = found[one["instance"]]
        if instance.study_id != first.pk:
            raise UnsupportedError(_("An export holds images of one study."))
        if wish["format"] == DICOM:
            images.append((instance.pk, WHOLE))
            continue
        count = as_shown(instance).number_of_frames
        frames = one.get("frames") or range(count)
        if any(frame >= count for frame in frames):
            raise MissingError(_("There is no such frame."))
        images += [(instance.pk, frame) for frame in frames]
    return first, images


def _check_count(wish: dict[str, Any], images: Sequence[Image]) -> None:
    if not images:
        raise UnsupportedError(_("There is nothing to export."))
    limit = PICTURES_LIMIT.get(wish["format"], OBJECTS_LIMIT)
    if len(images) > limit:
        raise UnsupportedError(
            _("%(count)d images are too many for this format: at most %(limit)d.")
            % {"count": len(images), "limit": limit}
        )


def _plain(wish: dict[str, Any]) -> dict[str, Any]:
    """Return the wish without what `images` of the row says better."""
    return {
        name: value for name, value in wish.items() if name not in ("study", "series", "images")
    }
