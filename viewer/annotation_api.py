"""The REST forms of annotations, layers of marks and key images: docs/measurements.md."""

from __future__ import annotations

from typing import Any

from django.urls import URLPattern, URLResolver, path
from django.utils.translation import gettext as _
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema_view
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from archive.models import Study
from viewer import annotations as drawing
from viewer import marks
from viewer.annotations_form import (
    AnnotationSerializer,
    ChangedAnnotation,
    ChangedKeyImage,
    ChangedLayer,
    KeyImageSerializer,
    LayerSerializer,
    NewAnnotation,
    NewKeyImage,
    NewLayer,
)
from viewer.calibration import follow
from viewer.drawing_api import DrawingDetail, DrawingList
from viewer.mark_api import (
    KeptDetail,
    KeptList,
    KeptRestore,
    KeptView,
    describe,
)
from viewer.models import Annotation, KeyImage, MarkLayer

_ANNOTATION = describe("annotation", NewAnnotation, ChangedAnnotation, AnnotationSerializer)
_LAYER = describe("mark_layer", NewLayer, ChangedLayer, LayerSerializer)
_KEY_IMAGE = describe("key_image", NewKeyImage, ChangedKeyImage, KeyImageSerializer)


# --- annotations --------------------------------------------------------------------------
class _Annotations(KeptView):
    model = Annotation
    answer = AnnotationSerializer

    def follow(self) -> marks.Follow:
        """Lengths follow a calibration line."""
        return follow


@extend_schema_view(get=_ANNOTATION["list"], post=_ANNOTATION["create"])
class AnnotationList(_Annotations, DrawingList):
    """The annotations that the person may see."""

    new_form = NewAnnotation
    create = staticmethod(drawing.create)


@extend_schema_view(
    get=_ANNOTATION["detail"], patch=_ANNOTATION["change"], delete=_ANNOTATION["delete"]
)
class AnnotationDetail(_Annotations, DrawingDetail):
    """One annotation."""

    changed_form = ChangedAnnotation
    rewrite = staticmethod(drawing.change)


@extend_schema_view(post=_ANNOTATION["restore"])
class AnnotationRestore(_Annotations, KeptRestore):
    """A deleted annotation."""


# --- layers -------------------------------------------------------------------------------
class LayerFilter(filters.FilterSet):
    """What the list of layers can be narrowed by."""

    study = filters.UUIDFilter(field_name="study_id")
    study_instance_uid = filters.CharFilter(field_name="study__study_instance_uid")


class _Layers(KeptView):
    model = MarkLayer
    answer = LayerSerializer


@extend_schema_view(get=_LAYER["list"], post=_LAYER["create"])
class LayerList(_Layers, KeptList):
    """The layers that the person may see."""

    filterset_class: Any = LayerFilter

    def post(self, request: Request) -> Response:
        """Say how a layer of a study looks; a name is there once a study."""
        form = NewLayer(data=request.data)
        form.is_valid(raise_exception=True)
        facts = dict(form.validated_data)
        study_id = facts.pop("study")
        if not Study.objects.visible_to(request.user).filter(pk=study_id).exists():
            raise NotFound(_("Not found."), "not_found")
        self.wanted = {"study": study_id, "name": facts["name"]}
        layer = marks.create(self.author(), MarkLayer, study_id, facts)
        return Response(LayerSerializer(layer).data, status=201)


@extend_schema_view(get=_LAYER["detail"], patch=_LAYER["change"], delete=_LAYER["delete"])
class LayerDetail(_Layers, KeptDetail):
    """One layer."""

    changed_form = ChangedLayer


@extend_schema_view(post=_LAYER["restore"])
class LayerRestore(_Layers, KeptRestore):
    """A deleted layer."""


# --- key images ---------------------------------------------------------------------------
class _KeyImages(KeptView):
    model = KeyImage
    answer = KeyImageSerializer


@extend_schema_view(get=_KEY_IMAGE["list"], post=_KEY_IMAGE["create"])
class KeyImageList(_KeyImages, KeptList):
    """The key images that the person may see."""

    def post(self, request: Request) -> Response:
        """Make a frame a key image; it is one once."""
        form = NewKeyImage(data=request.data)
        form.is_valid(raise_exception=True)
        facts = form.validated_data
        instance = self.find_image(facts)
        self.wanted = {"instance": instance.pk, "frame": facts["frame"]}
        columns = {"instance": instance, "frame": facts["frame"], "note": facts.get("note", "")}
        row = marks.create(self.author(), KeyImage, instance.study_id, columns)
        return Response(KeyImageSerializer(row).data, status=201)


@extend_schema_view(
    get=_KEY_IMAGE["detail"], patch=_KEY_IMAGE["change"], delete=_KEY_IMAGE["delete"]
)
class KeyImageDetail(_KeyImages, KeptDetail):
    """One key image."""

    changed_form = ChangedKeyImage


@extend_schema_view(post=_KEY_IMAGE["restore"])
class KeyImageRestore(_KeyImages, KeptRestore):
    """A deleted key image."""


urlpatterns: list[URLPattern | URLResolver] = [
    path("annotations/", AnnotationList.as_view(), name="annotation-list"),
    path("annotations/<uuid:mark_id>/", AnnotationDetail.as_view(), name="annotation-detail"),
    path(
        "annotations/<uuid:mark_id>/restore/",
        AnnotationRestore.as_view(),
        name="annotation-restore",
    ),
    path("mark-layers/", LayerList.as_view(), name="mark-layer-list"),
    path("mark-layers/<uuid:mark_id>/", LayerDetail.as_view(), name="mark-layer-detail"),
    path("mark-layers/<uuid:mark_id>/restore/", LayerRestore.as_view(), name="mark-layer-restore"),
    path("key-images/", KeyImageList.as_view(), name="key-image-list"),
    path("key-images/<uuid:mark_id>/", KeyImageDetail.as_view(), name="key-image-detail"),
    path("key-images/<uuid:mark_id>/restore/", KeyImageRestore.as_view(), name="key-image-restore"),
]
