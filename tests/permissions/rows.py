"""The permission table: a section for each room, a row for each route and method.

A new route needs a row here, in its room's section; `test_table.py` fails
without. What the columns mean is said in `table.py`.
"""

from __future__ import annotations

from typing import Any

from tests.permissions.dicomweb_rows import DICOMWEB
from tests.permissions.export_rows import EXPORTS
from tests.permissions.files_rows import FILES
from tests.permissions.hanging_rows import HANGING
from tests.permissions.mark_rows import MARKS, OBJECTS
from tests.permissions.order_rows import ORDERS
from tests.permissions.peer_rows import PEERS
from tests.permissions.reconstruction_rows import JOBS
from tests.permissions.rest_rows import REST
from tests.permissions.table import Maker, Row, Target, upload
from tests.permissions.token_rows import LAUNCHES, TOKENS
from tests.permissions.transfer_rows import TRANSFERS

# --- arguments ------------------------------------------------------------------


def key(name: str, of: str) -> Maker:
    """Return the maker of one argument from one of the target's keys."""

    def make(target: Target) -> dict[str, Any]:
        return {name: target[of]}

    return make


def fixed(**values: Any) -> Maker:
    """Return the maker of arguments that no target changes."""

    def make(_: Target) -> dict[str, Any]:
        return dict(values)

    return make


def first_frame(target: Target) -> dict[str, Any]:
    """Return the way to an instance's first frame."""
    return {"instance_id": target["instance"], "frame": 0}


def first_slice(target: Target) -> dict[str, Any]:
    """Return the way to a series' first image."""
    return {"series_id": target["series"], "index": 0}


NOT_STAFF = {"radiologist": 302, "technologist": 302, "referrer": 302}

# --- the house --------------------------------------------------------------------
HOUSE = [
    Row(route="home", own=302),
    Row(route="favicon", own=302, anonymous=302),
    Row(route="healthz", anonymous=200),
    # No receiver, no worker: not ready, which everybody may know.
    Row(route="readyz", own=503, anonymous=503),
    # From this machine; from elsewhere it is the administrators' (tests/unit/noctis).
    Row(route="metrics", anonymous=200),
    Row(route="limits", anonymous=200),
    Row(route="api-schema", anonymous=401),
    Row(route="api-docs", anonymous=401),
]

# --- accounts ---------------------------------------------------------------------
ACCOUNTS = [
    Row(route="accounts:login", own=302, anonymous=200),
    Row(
        route="accounts:login",
        method="POST",
        data=fixed(username="nobody", password="wrong"),
        own=302,
        anonymous=200,
    ),
    Row(route="accounts:logout", own=405, anonymous=405),
    Row(route="accounts:logout", method="POST", own=302),
    Row(route="accounts:password_change"),
    Row(route="accounts:password_change", method="POST"),
    Row(route="api:me", anonymous=401),
    Row(route="api:me", method="POST", own=405, anonymous=401),
]

# --- archive ----------------------------------------------------------------------
ARCHIVE = [
    Row(route="api:events", anonymous=401, streams=True),
    Row(route="api:series-list", anonymous=401),
    Row(route="api:series-detail", path=key("series_id", "series"), anonymous=401),
    Row(route="api:series-passport", path=key("series_id", "series"), anonymous=401),
]

# --- reconstruction ---------------------------------------------------------------
# The stage holds pictures: to those who may see them, they are no volume.
AXIAL = {"center": "0,0,0", "normal": "0,0,1", "up": "0,-1,0", "width_mm": 9, "height_mm": 9}
RECONSTRUCTION = [
    Row(route="api:series-volume", path=key("series_id", "series"), anonymous=401),
    Row(
        route="api:series-plane",
        path=key("series_id", "series"),
        query=fixed(**AXIAL),
        own=422,
        anonymous=401,
    ),
    Row(
        route="api:series-curved",
        method="POST",
        path=key("series_id", "series"),
        data=fixed(points=[[0, 0, 0], [0, 0, 9]]),
        json=True,
        own=422,
        anonymous=401,
    ),
    Row(route="api:series-peak", path=key("series_id", "series"), own=422, anonymous=401),
    Row(route="api:series-views-png", path=key("series_id", "series"), own=422, anonymous=401),
    Row(route="api:series-views-json", path=key("series_id", "series"), own=422, anonymous=401),
    Row(route="api:series-view3d", path=key("series_id", "series"), own=422, anonymous=401),
    Row(
        route="api:series-view3d",
        method="POST",
        path=key("series_id", "series"),
        data=fixed(mode="mip"),
        json=True,
        own=422,
        anonymous=401,
    ),
    Row(route="api:series-renderings", path=key("series_id", "series"), own=422, anonymous=401),
    *JOBS,
]

# --- viewer -----------------------------------------------------------------------
VIEWER = [
    Row(route="viewer:study", path=key("study_id", "study")),
    Row(route="viewer:series", path=key("study_id", "study")),
    Row(route="viewer:passport", path=key("series_id", "series")),
    Row(route="viewer:find", query=key("study", "study_uid"), names_object=True, own=302),
    Row(route="api:series-stack", path=key("series_id", "series"), anonymous=401),
    Row(
        route="api:series-frames",
        path=key("series_id", "series"),
        query=lambda target: {"version": target["version"], "images": "0"},
        anonymous=401,
    ),
    Row(route="api:series-thumbnail", path=key("series_id", "series"), anonymous=401),
    Row(route="api:series-slice", path=first_slice, anonymous=401),
    Row(route="api:instance-frame", path=first_frame, anonymous=401),
    Row(route="api:instance-overlays", path=first_frame, anonymous=401),
    Row(route="api:instance-tags", path=key("instance_id", "instance"), anonymous=401),
    Row(route="api:instance-rendered-jpg", path=first_frame, anonymous=401),
    Row(route="api:instance-rendered-png", path=first_frame, anonymous=401),
    # The stage holds pictures: to those who may see them, they are no video.
    Row(
        route="api:instance-video",
        path=key("instance_id", "instance"),
        own=422,
        anonymous=401,
    ),
    Row(route="api:preferences", anonymous=401),
    Row(
        route="api:preferences",
        method="PUT",
        data=fixed(version=0, document={"smooth": True}),
        json=True,
        anonymous=401,
    ),
    *HANGING,
    *EXPORTS,
    *MARKS,
    *OBJECTS,
]

# --- worklist ---------------------------------------------------------------------
WORKLIST = [
    Row(route="worklist:list"),
    # Asked for by key, several at once: what is not visible is simply not among the rows.
    Row(route="worklist:rows", query=key("study", "study"), names_object=True, missing=200),
    Row(route="worklist:preview", path=key("entry_id", "entry")),
    Row(route="worklist:theme", method="POST", data=fixed(theme="light"), own=302),
    Row(route="worklist:upload", by_role={"referrer": 403}),
    Row(
        route="worklist:upload-files",
        method="POST",
        data=lambda _: {"files": upload("x.dcm", b"not DICOM")},
        own=200,
        admin=400,
        by_role={"referrer": 403},
    ),
    *ORDERS,
]


# --- administration -----------------------------------------------------------------
def _model(
    name: str,
    *,
    argument: str,
    add: dict[str, int] | None = None,
    may_change: bool = False,
) -> list[Row]:
    """Return the rows of a model's pages, whose rows belong to facilities."""
    room, _, model = name.partition("_")
    page = f"admin:{room}_{model}"
    named: dict[str, Any] = {"path": key("object_id", argument), "missing": 302}
    refused = {**NOT_STAFF, "facility_admin": 403}
    add = add or {}
    return [
        Row(route=f"{page}_changelist", by_role=NOT_STAFF),
        Row(
            route=f"{page}_add",
            by_role={**NOT_STAFF, "facility_admin": add.get("facility_admin", 403)},
            own=200,
            admin=add.get("admin", 403),
        ),
        Row(route=f"{page}_change", by_role=NOT_STAFF, **named),
        Row(route=f"{page}_history", by_role=NOT_STAFF, **named),
        Row(
            route=f"{page}_delete",
            by_role=refused,
            admin=403,
            **{**named, "missing": 403},
        ),
        *(
            []
            if may_change
            else [
                Row(
                    route=f"{page}_change",
                    method="POST",
                    by_role=refused,
                    admin=403,
                    **{**named, "missing": 403},
                )
            ]
        ),
    ]


def _machinery(name: str, *, add: int = 403, change: int = 200, delete: int = 403) -> list[Row]:
    """Return the rows of pages that are the administrators' alone."""
    page = f"admin:{name}"
    refused = {**NOT_STAFF, "facility_admin": 403}
    also: dict[str, Any] = {"by_role": refused, "names_object": False}
    with_key: dict[str, Any] = {**also, "path": key("object_id", name.rpartition("_")[2])}
    return [
        Row(route=f"{page}_changelist", **also),
        Row(route=f"{page}_add", admin=add, **also),
        Row(route=f"{page}_change", admin=change, **with_key),
        Row(route=f"{page}_history", **with_key),
        Row(route=f"{page}_delete", admin=delete, **with_key),
    ]


# --- the modality doctor ----------------------------------------------------------
NOT_THEIRS = {"radiologist": 403, "technologist": 403, "referrer": 403}
DOCTOR = [
    Row(route="doctor:calls", by_role=NOT_THEIRS),
    Row(route="doctor:call", path=key("call_id", "call"), by_role=NOT_THEIRS),
]

ADMIN = [
    Row(route="admin:index", by_role=NOT_STAFF),
    Row(
        route="admin:app_list",
        path=fixed(app_label="archive"),
        by_role=NOT_STAFF,
        names_object=False,
    ),
    Row(route="admin:login", own=403),
    Row(route="admin:logout", method="POST", by_role=NOT_STAFF),
    Row(route="admin:password_change", own=302),
    Row(route="admin:password_change_done", by_role=NOT_STAFF),
    Row(route="admin:jsi18n", by_role=NOT_STAFF),
    Row(
        route="admin:autocomplete",
        query=fixed(app_label="accounts", model_name="user", field_name="facilities"),
        by_role=NOT_STAFF,
    ),
    Row(
        route="admin:view_on_site",
        path=lambda target: {"content_type_id": 1, "object_id": target["study"]},
        by_role=NOT_STAFF,
        own=404,
    ),
    *_model(
        "accounts_user",
        argument="person",
        add={"facility_admin": 200, "admin": 200},
        may_change=True,
    ),
    Row(
        route="admin:auth_user_password_change",
        path=key("id", "person"),
        by_role=NOT_STAFF,
    ),
    *_model("accounts_facility", argument="facility", add={"admin": 200}, may_change=True),
    *_model("accounts_auditrow", argument="auditrow"),
    *_model("accounts_apitoken", argument="apitoken"),
    *_model("archive_patient", argument="patient"),
    *_model("archive_study", argument="study"),
    *_model("archive_series", argument="series"),
    *_model("archive_instance", argument="instance"),
    *_model("archive_discrepancy", argument="discrepancy"),
    *_model("reconstruction_reconstructionjob", argument="reconstruction"),
    *_model("viewer_measurement", argument="measurement"),
    *_model("viewer_annotation", argument="annotation"),
    *_model("viewer_marklayer", argument="marklayer"),
    *_model("viewer_centreline", argument="centreline"),
    *_model("viewer_keyimage", argument="keyimage"),
    *_model("worklist_worklistentry", argument="entry", may_change=True),
    *_model(
        "worklist_order",
        argument="order",
        add={"facility_admin": 200, "admin": 200},
        may_change=True,
    ),
    *_model("worklist_performedstep", argument="performed"),
    *_machinery("archive_event"),
    *_machinery("archive_job"),
    *_machinery("archive_heartbeat"),
    *_machinery("dicom_receiver_peer", add=200, delete=200),
    *_machinery("dicom_receiver_senderstatistics"),
    *_machinery("dicom_receiver_commitment"),
    *_machinery("dicom_receiver_routingrule", add=200, delete=200),
    Row(
        route="admin:dicom_receiver_routingrule_trial",
        by_role={**NOT_STAFF, "facility_admin": 403},
    ),
    *_model("dicom_receiver_transfer", argument="transfer"),
    *_machinery("dicom_receiver_webpeer", add=200, delete=200),
    *(
        Row(
            route=f"admin:dicom_receiver_{name}_test",
            method="POST",
            path=key("object_id", name),
            names_object=False,
            by_role={**NOT_STAFF, "facility_admin": 404},
            admin=302,
        )
        for name in ("peer", "webpeer")
    ),
    *_model("dicom_receiver_exchange", argument="exchange"),
]

TABLE: list[Row] = [
    *HOUSE,
    *ACCOUNTS,
    *TOKENS,
    *LAUNCHES,
    *ARCHIVE,
    *RECONSTRUCTION,
    *VIEWER,
    *WORKLIST,
    *DOCTOR,
    *TRANSFERS,
    *PEERS,
    *DICOMWEB,
    *FILES,
    *REST,
    *ADMIN,
]

# Routes without a name of their own; `test_table.py` plays them by hand.
NAMELESS = {"admin:nameless (?P<url>.*)$", "admin:nameless <path:object_id>/"}
