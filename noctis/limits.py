"""Every limit that Noctis keeps, read from where it is kept."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.conf import settings

from accounts import api_tokens, jwts
from archive import storage, unpack
from archive.query import narrowing, search
from dicom_receiver import diary, identifiers
from dicom_receiver import limits as port
from dicom_receiver.commitment import asking as commitments
from dicom_receiver.outgoing import asking as transfers
from dicom_receiver.outgoing.models import ASSOCIATIONS_LIMIT
from dicom_receiver.outgoing.old import KEEP
from dicom_receiver.remote import (
    answers,
    asking,
    driving,
    exchange_turns,
    exchanges,
    multipart,
    web_session,
)
from dicomweb import parameters as dicomweb_parameters
from imaging import (
    frame_facts,
    pdf_page,
    presentation,
    rendering,
    segmentation,
    source,
    sr_tree,
    structure_set,
    waveform,
)
from noctis import handler, parts
from reconstruction import curved, plane_form, plane_stack, results, turns, view_form, work
from reconstruction import jobs as reconstruction_jobs
from viewer import (
    annotations_form,
    export_form,
    export_stream,
    exports,
    hanging,
    launches,
    mark_fields,
    mark_rows,
    measurements,
    parameters,
    pdf_pages,
    priors,
    stored_marks,
)
from worklist import order_fields, orders, performing, uploads


def list_limits() -> dict[str, dict[str, Any]]:
    """Return limits by subject; sizes in bytes, times in seconds."""
    return {
        "header": asdict(source.DEFAULT_LIMITS),
        "frames": {"frames_an_instance": frame_facts.MAX_FRAMES},
        "zip": asdict(unpack.DEFAULT_LIMITS),
        "dicom_port": _of_dicom_port(),
        **_of_transfers(),
        "http": {
            "body_in_memory_bytes": settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
            "form_fields": settings.DATA_UPLOAD_MAX_NUMBER_FIELDS,
            "silence_seconds": handler.SILENCE_SECONDS,
        },
        "pictures": {
            "images_a_request": parameters.IMAGES_LIMIT,
            "rendered_width_px": parameters.WIDTH_LIMIT_PX,
        },
        "planes": _of_planes(),
        "views": _of_views(),
        "measurements": {
            "points": mark_fields.POINTS_LIMIT,
            "coordinate": mark_fields.COORDINATE_LIMIT,
            "label_characters": mark_fields.LABEL_LENGTH,
            "layer_characters": mark_fields.LAYER_LENGTH,
            "pixels_with_statistics": measurements.PIXELS_LIMIT,
            "text_characters": mark_fields.TEXT_LENGTH,
            "note_characters": annotations_form.NOTE_LENGTH,
            "marks_an_object": mark_rows.MARKS_LIMIT,
        },
        "orders": {"steps_an_order": orders.MOST_STEPS, "codes_a_list": order_fields.MOST_CODES},
        "hanging": {
            "protocols": hanging.PROTOCOLS_LIMIT,
            "priors_listed": priors.PRIORS_LIMIT,
            "views_a_series": hanging.VIEWS_LIMIT,
        },
        "objects": _of_objects(),
        "exports": {
            "images": export_form.PICTURES_LIMIT,
            "objects": export_form.OBJECTS_LIMIT,
            "kept_hours": exports.KEPT.total_seconds() / 3600,
            "exports_a_person": exports.OPEN_LIMIT,
            "at_once": export_stream.STREAM_LIMIT,
        },
        "reconstructions": _of_reconstructions(),
        "other_archives": _of_other_archives(),
        "queries": {
            "identifier_bytes": identifiers.IDENTIFIER_BYTES,
            "uids": narrowing.MOST_UIDS,
            "seconds": search.SECONDS,
            "web_answers": dicomweb_parameters.MOST_ANSWERS,
        },
        "diary": {
            "calls": diary.KEPT_CALLS,
            "days": diary.KEPT_FOR.days,
            "alike_seconds": diary.ALIKE_SECONDS,
        },
        "storage": {"reserve_bytes": _reserve_bytes()},
        "uploads": _of_uploads(),
        "requests_a_minute": dict(settings.NOCTIS_RATES),
        **_of_credentials(),
    }


def _of_uploads() -> dict[str, Any]:
    """Return what keeps uploads from filling the disk."""
    return {
        "bytes": uploads.SIZE_LIMIT_BYTES,
        "under_way_a_person": uploads.OPEN_LIMIT,
        "silence_hours": uploads.SILENCE.total_seconds() / 3600,
        "verdicts_kept_days": uploads.KEPT.days,
        "file_interface_bytes": settings.DICOM_MAX_FILE_SIZE,
    }


def _of_credentials() -> dict[str, dict[str, Any]]:
    """Return how long each way of being known here lasts."""
    return {
        "session": {"hours": settings.SESSION_COOKIE_AGE // 3600},
        "tokens": {
            "access_seconds": jwts.ACCESS_SECONDS,
            "refresh_seconds": jwts.REFRESH_SECONDS,
            "log_in_days": jwts.FAMILY_DAYS,
            "tokens_a_person": api_tokens.MOST_TOKENS,
            "days": api_tokens.MOST_DAYS,
            "ticket_redeem_seconds": launches.REDEEM_SECONDS,
            "ticket_seconds": launches.SESSION_SECONDS,
        },
    }


def _of_dicom_port() -> dict[str, Any]:
    """Return what keeps the DICOM port from being flooded."""
    return {
        "associations": settings.NOCTIS_MAX_ASSOCIATIONS,
        "associations_an_address": port.associations_per_address(),
        "pdu_bytes": port.max_pdu_bytes(),
        "request_bytes": port.REQUEST_BYTES,
        "request_seconds": port.REQUEST_SECONDS,
        "presentation_contexts": port.PRESENTATION_CONTEXTS,
        "command_bytes": port.COMMAND_BYTES,
        "idle_seconds": port.IDLE_SECONDS,
        "pdu_seconds": port.PDU_SECONDS,
        "slowest_bytes": port.RATE_WINDOW_BYTES,
        "slowest_seconds": port.RATE_WINDOW_SECONDS,
        "request_items": port.REQUEST_ITEMS,
        "smallest_peer_pdu_bytes": port.SMALLEST_PEER_PDU_BYTES,
        "worklist_steps": settings.NOCTIS_WORKLIST_LIMIT,
        "performed_step_message_bytes": performing.MESSAGE_BYTES,
        "performed_step_bytes": performing.SAID_BYTES,
        "waiting_connections": port.WAITING_CONNECTIONS,
        "waiting_bytes": port.WAITING_BYTES,
        "tls_handshakes": port.HANDSHAKES,
        "tls_handshakes_an_address": port.HANDSHAKES_AN_ADDRESS,
        "silent_seconds": port.SILENT_SECONDS,
        "connect_seconds": port.CONNECT_SECONDS,
        "answer_seconds": port.ANSWER_SECONDS,
        "answer_bytes": port.RESPONSE_BYTES,
        "stop_seconds": port.STOP_SECONDS,
    }


def _of_transfers() -> dict[str, Any]:
    """Return what bounds what goes to other archives, and promises to keep what came."""
    return {
        "storage_commitment": {
            "instances_a_transaction": commitments.INSTANCES_LIMIT,
            "data_set_bytes": commitments.DATA_SET_BYTES,
            "reported_for_hours": settings.NOCTIS_COMMITMENT_HOURS,
        },
        "transfers": {
            "at_once": settings.NOCTIS_TRANSFERS,
            "associations_a_peer": ASSOCIATIONS_LIMIT,
            "attempts": settings.NOCTIS_TRANSFER_ATTEMPTS,
            "given_up_after_hours": settings.NOCTIS_TRANSFER_HOURS,
            "instances_a_request": transfers.INSTANCES_LIMIT,
            "open_a_person": transfers.OPEN_LIMIT,
            "kept_days": KEEP.days,
        },
    }


def _of_objects() -> dict[str, Any]:
    """Return how much of reports, states, contours and the like is shown."""
    return {
        "report_items": sr_tree.NODES_LIMIT,
        "report_levels": sr_tree.DEPTH_LIMIT,
        "state_graphics": presentation.GRAPHICS_LIMIT,
        "contours": structure_set.CONTOURS_LIMIT,
        "contour_points": structure_set.POINTS_LIMIT,
        "segmentation_frames": segmentation.FRAMES_LIMIT,
        "waveform_samples": waveform.SAMPLES_LIMIT,
        "pdf_bytes": pdf_pages.SIZE_LIMIT,
        "pdf_memory_bytes": pdf_page.MEMORY_BYTES,
        "objects_with_marks": stored_marks.OBJECTS_LIMIT,
    }


def _of_other_archives() -> dict[str, Any]:
    """Return what bounds questions to other archives, and what they answer."""
    return {
        "studies": answers.ANSWERS_LIMIT,
        "series": answers.SERIES_LIMIT,
        "text_characters": answers.TEXT_LIMIT,
        "answer_bytes": web_session.ANSWER_BYTES,
        "redirects": web_session.REDIRECTS_LIMIT,
        "parts": multipart.PARTS_LIMIT,
        "questions_at_once": asking.AT_ONCE,
        "exchanges_a_person": exchanges.OPEN_LIMIT,
        "attempts": exchange_turns.ATTEMPTS_LIMIT,
        "imports_a_worker": driving.LANES,
    }


def _of_planes() -> dict[str, Any]:
    """Return how large and how thick a plane through a volume may be."""
    return {
        "side_px": plane_form.SIDE_LIMIT_PX,
        "size_mm": plane_form.SIZE_LIMIT_MM,
        "thickness_mm": plane_form.THICKNESS_LIMIT_MM,
        "pixels_times_layers": plane_form.SAMPLES_LIMIT,
        "curve_points": curved.POINTS_LIMIT,
        "curve_side_px": curved.SIDE_LIMIT_PX,
        "curve_width_mm": curved.WIDTH_LIMIT_MM,
        "planes_a_job": plane_stack.PLANES_LIMIT,
    }


def _of_views() -> dict[str, Any]:
    """Return how large a view of a volume may be, and how much may be said about it."""
    return {
        "side_px": view_form.SIDE_LIMIT_PX,
        "size_mm": plane_form.SIZE_LIMIT_MM,
        "points": rendering.POINTS_LIMIT,
        "cuts": view_form.CUTS_LIMIT,
    }


def _of_reconstructions() -> dict[str, Any]:
    """Return what bounds reconstruction jobs."""
    return {
        "jobs_a_person": reconstruction_jobs.jobs_limit(),
        "attempts": turns.ATTEMPTS_LIMIT,
        "files_a_job": work.FILES_LIMIT,
        "files_bytes": results.limit_bytes(),
        "files_bytes_a_job": results.job_limit_bytes(),
        "kept_days": results.kept_for().days,
        "values_in_parameters": reconstruction_jobs.VALUES_LIMIT,
    }


def _reserve_bytes() -> int:
    """Return the space that stays free on the storage's file system."""
    return storage.reserve_bytes(parts.free_disk_bytes()[1])
