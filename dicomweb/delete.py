"""DELETE of studies, series and instances: for those who may, with the archive's own rules.

The standard knows no such transaction; paths and answers are those that other archives have.
"""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.utils.translation import gettext as _
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from accounts.address import read_address
from accounts.models import User
from archive.deleting import delete_instances, may_delete
from archive.models import Instance, Series, Study
from dicomweb.statuses import Refusal
from imaging.errors import ConflictError, NoctisError


class Deleting:
    """Beside a view on a study, series or instance: DELETE takes it out of the archive."""

    def delete(self, request: Request, **uids: str) -> HttpResponse:
        """Delete what the path names: 204, or 409 when something holds it."""
        user = request.user
        if not isinstance(user, User) or not may_delete(user):
            raise PermissionDenied
        try:
            _delete(user, uids, read_address(request._request))
        except NoctisError as error:
            raise Refusal(error) from error
        return HttpResponse(status=204)


def _delete(user: User, uids: dict[str, str], address: str) -> None:
    study = _find_study(user, uids["StudyInstanceUID"])
    series = instance = None
    if "SeriesInstanceUID" in uids:
        rows = Series.objects.visible_to(user).filter(study=study)
        series = rows.filter(series_instance_uid=uids["SeriesInstanceUID"]).first()
        if series is None:
            raise NotFound(_("Not found."), "not_found")
    if series is not None and "SOPInstanceUID" in uids:
        found = Instance.objects.visible_to(user).filter(series=series)
        instance = found.filter(sop_instance_uid=uids["SOPInstanceUID"]).first()
        if instance is None:
            raise NotFound(_("Not found."), "not_found")
    delete_instances(
        study.pk,
        user,
        series_id=series.pk if series else None,
        instance_id=instance.pk if instance else None,
        address=address,
    )


def _find_study(user: User, uid: str) -> Study:
    """Return the one study; of two facilities' nobody could say which is meant."""
    found = list(Study.objects.visible_to(user).filter(study_instance_uid=uid)[:2])
    if not found:
        raise NotFound(_("Not found."), "not_found")
    if len(found) > 1:
        raise ConflictError(_("Several facilities have this study: delete it from one of them."))
    return found[0]
