"""What the addresses of drawn marks share: a shape of points on an image, made and changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from imaging.measure_plane import MeasureError
from viewer.mark_api import KeptDetail, KeptList, refuse_shape, take_shape
from viewer.models import Kept

# Told once with the shape and its image; the rest are words about the mark.
_PLACE = ("sop_instance_uid", "instance_id", "frame", "kind")


class DrawingList(KeptList):
    """The drawn marks that the person may see."""

    new_form: ClassVar[type[serializers.Serializer[Any]]]
    create: ClassVar[Callable[..., Kept]]

    def post(self, request: Request) -> Response:
        """Draw; all numbers are worked out here, from the stored pixels."""
        form = self.new_form(data=request.data)
        form.is_valid(raise_exception=True)
        facts = dict(form.validated_data)
        instance = self.find_image(facts)
        shape = take_shape(facts, facts["kind"])
        assert shape is not None
        words = {name: value for name, value in facts.items() if name not in _PLACE}
        try:
            mark = type(self).create(self.author(), instance, facts["frame"], shape, words)
        except MeasureError as error:
            raise refuse_shape(shape, error) from error
        return Response(self.answer(mark).data, status=201)


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
