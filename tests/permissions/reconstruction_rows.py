"""The permission table's rows on reconstruction jobs: the stage's are the administrator's own."""

from __future__ import annotations

from typing import Any

from tests.permissions.table import Row, Target

# Others' jobs are seen by who looks after the facility, and by nobody else.
_LOOKED_AFTER: dict[str, Any] = {"own": 404, "anonymous": 401}


def _job(target: Target) -> dict[str, Any]:
    return {"job_id": target["reconstruction"]}


def _file(target: Target) -> dict[str, Any]:
    return {"job_id": target["reconstruction"], "name": "made.txt"}


def _new(target: Target) -> dict[str, Any]:
    return {"series": str(target["series"]), "kind": "mpr", "parameters": {"plane": "axial"}}


JOBS = [
    Row(route="api:reconstructions", anonymous=401),
    Row(route="api:reconstruction-kinds", anonymous=401),
    # The stage holds single pictures: no volumes.
    Row(
        route="api:reconstructions",
        method="POST",
        data=_new,
        json=True,
        names_object=True,
        own=422,
        by_role={"referrer": 403},
        anonymous=401,
    ),
    Row(
        route="api:reconstruction",
        path=_job,
        by_role={"facility_admin": 200},
        admin=200,
        **_LOOKED_AFTER,
    ),
    Row(
        route="api:reconstruction",
        method="DELETE",
        path=_job,
        by_role={"facility_admin": 204},
        admin=204,
        **_LOOKED_AFTER,
    ),
    # It waits already: there is nothing to try again.
    Row(
        route="api:reconstruction-retry",
        method="POST",
        path=_job,
        by_role={"facility_admin": 409},
        admin=409,
        **_LOOKED_AFTER,
    ),
    # It has no files yet: missing even to who may see it.
    Row(route="api:reconstruction-file", path=_file, admin=404, **_LOOKED_AFTER),
    Row(route="reconstruction:jobs"),
    # Asked for by key, several at once: what is not visible is simply not among the rows.
    Row(route="reconstruction:rows"),
]
