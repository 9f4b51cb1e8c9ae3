"""What the addresses of drawn marks share: a shape of points on an image, made and changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from imaging.measure_plane import MeasureError
from viewer.mark_api import KeptDetail, KeptList, find_series, refuse_shape, take_shape
from viewer.mark_planes import OnFrame, OnPlane, PlaneError, Spot, open_plane
from viewer.models import Kept

# Told once with the shape and its image; the rest are words about the mark.
_PLACE = ("sop_instance_uid", "instance_id", "frame", "series_instance_uid", "series_id", "plane",
          "kind")  # fmt: skip


class DrawingList(KeptList):
    """The drawn marks that the person may see."""

    new_form: ClassVar[type[serializers.Serializer[Any]]]
    create: ClassVar[Callable[..., Kept]]

    def post(self, request: Request) -> Response:
        """Draw; all numbers are worked out here, from the stored pixels."""
        form = self.new_form(data=request.data)
        form.is_valid(raise_exception=True)
        facts = dict(form.validated_data)
        spot = self.find_spot(facts)
        shape = take_shape(facts, facts["kind"])
        assert shape is not None
        words = {name: value for name, value in facts.items() if name not in _PLACE}
        try:
            mark = type(self).create(self.author(), spot, shape, words)
        except MeasureError as error:
            raise refuse_shape(shape, error) from error
        return Response(self.answer(mark).data, status=201)

    def find_spot(self, facts: dict[str, Any]) -> Spot:
        """Return the frame or the plane that the facts name."""
        if "plane" not in facts:
            return OnFrame(self.find_image(facts), facts["frame"])
        series = find_series(self.request, facts)
        try:
            return OnPlane(series, open_plane(series, facts["plane"]))
        except PlaneError as error:
            raise ValidationError({"plane": [str(error)]}) from error


class DrawingDetail(KeptDetail):
    """One drawn mark; its numbers follow its points."""

    rewrite: ClassVar[Callable[..., Kept]]

    def change(self, row: Any, version: int, facts: dict[str, Any]) -> Kept:
        """Write the change; new points are worked out anew."""
        shape = take_shape(facts, row.kind)
        try:
            return type(self).rewrite(self.author(), row, version, shape, facts)
        except MeasureError as error:
            raise refuse_shape(shape, error) from error
