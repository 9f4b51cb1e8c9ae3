"""Orders over REST: made, found, changed, cancelled; steps added and moved."""

from __future__ import annotations

import uuid
from typing import Any

from django.core.exceptions import ValidationError as ModelValidationError
from django.db.models import QuerySet
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.translation import gettext as _
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.address import read_address
from accounts.audit import record, record_for_user
from accounts.etags import Tagged
from accounts.models import Facility, User
from archive.api_pages import NewestFirst
from archive.json_bodies import PlainJSONParser
from imaging.errors import NotAllowedError
from imaging.search import search_key
from worklist import orders
from worklist.order_documents import (
    CancelSerializer,
    NewOrderSerializer,
    OrderSerializer,
    PerformedStepSerializer,
    StepSerializer,
    find_facility,
)
from worklist.order_models import Order, PerformedStep
from worklist.orders import Author

# Past every character that a name may begin with: the end of a range by prefix.
_LAST = "\U0010ffff"
_PROBLEMS = {
    400: OpenApiResponse(description="A field is wrong: `errors` says which and why."),
    403: OpenApiResponse(description="The role may look only."),
    404: OpenApiResponse(description="It is not there, or belongs to another facility."),
    409: OpenApiResponse(description="Too late for this change, or another order has the number."),
}


class _OrderView(APIView):
    parser_classes = [PlainJSONParser]
    http_method_names = ["get", "head", "options", "post", "patch"]

    def person(self) -> User:
        """Return who asks."""
        assert isinstance(self.request.user, User)
        return self.request.user

    def author(self) -> Author:
        """Return who orders; raises NotAllowedError for roles that may look only."""
        if not orders.may_order(self.person()):
            raise NotAllowedError(_("Your role may look at orders only."))
        return Author.from_user(self.person(), read_address(self.request._request))

    def find(self, order_id: uuid.UUID) -> Order:
        """Return an order that the person may see, with all that its document tells."""
        found = _visible(self.person()).filter(pk=order_id).first()
        if found is None:
            raise NotFound(_("Not found."), "not_found")
        return found

    def handle_exception(self, exc: Exception) -> Response:
        """Turn a model's refusal of values into errors by field; nothing is kept by caches."""
        if isinstance(exc, ModelValidationError):
            exc = ValidationError(_by_field(exc))
        response = super().handle_exception(exc)
        response["Cache-Control"] = "private, no-store"
        return response

    def answer(self, order_id: uuid.UUID, status: int = 200) -> Response:
        """Return the order as it is now."""
        body = OrderSerializer(self.find(order_id)).data
        headers = {"Cache-Control": "private, no-store"}
        if status == 201:
            headers["Location"] = reverse("api:order", args=[order_id])
        return Response(body, status=status, headers=headers)


def _visible(user: User) -> QuerySet[Order]:
    rows = Order.objects.visible_to(user).select_related("facility")
    return rows.prefetch_related("steps", "entries__study")


def _by_field(error: ModelValidationError) -> dict[str, list[str]]:
    if not hasattr(error, "error_dict"):
        return {"non_field_errors": list(error.messages)}
    return {
        "non_field_errors" if name == "__all__" else name: [str(one) for one in words]
        for name, words in error.message_dict.items()
    }


class OrderFilter(filters.FilterSet):
    """What the list can be narrowed by; all conditions must hold."""

    facility = filters.CharFilter(field_name="facility__code")
    status = filters.MultipleChoiceFilter(choices=Order.Status.choices)
    priority = filters.MultipleChoiceFilter(choices=Order._meta.get_field("priority").choices)
    patient_id = filters.CharFilter()
    patient_name = filters.CharFilter(method="by_name", help_text="How the name begins.")
    accession_number = filters.CharFilter()
    requested_procedure_id = filters.CharFilter()
    study_instance_uid = filters.CharFilter()
    modality = filters.CharFilter(method="by_step")
    scheduled_station_ae_title = filters.CharFilter(method="by_step")
    scheduled_from = filters.DateFilter(method="by_step", help_text="First day of a step.")
    scheduled_to = filters.DateFilter(method="by_step", help_text="Last day of a step.")

    def by_name(self, rows: QuerySet[Order], name: str, value: str) -> QuerySet[Order]:
        """Return the orders of patients whose name begins so."""
        key = search_key(value)
        return rows.filter(patient_key__gte=key, patient_key__lt=key + _LAST) if key else rows

    def by_step(self, rows: QuerySet[Order], name: str, value: Any) -> QuerySet[Order]:
        """Leave it to `filter_queryset`: one step must meet all conditions."""
        return rows

    def filter_queryset(self, queryset: QuerySet[Order]) -> QuerySet[Order]:
        """Return the orders that meet the conditions, those on steps in one and the same step."""
        rows: QuerySet[Order] = super().filter_queryset(queryset)
        day = "scheduled_procedure_step_start_date"
        lookups = {
            "modality": "modality",
            "scheduled_station_ae_title": "scheduled_station_ae_title",
            "scheduled_from": f"{day}__gte",
            "scheduled_to": f"{day}__lte",
        }
        asked = self.form.cleaned_data
        wanted = {f"steps__{lookups[name]}": asked[name] for name in lookups if asked.get(name)}
        if not wanted:
            return rows
        matching = Order.objects.filter(**wanted).values("pk")
        return rows.filter(pk__in=matching)


class OrderList(_OrderView, ListAPIView[Order]):
    """The orders that the person may see."""

    queryset = Order.objects.none()
    serializer_class = OrderSerializer
    filterset_class = OrderFilter
    pagination_class = NewestFirst

    def get_queryset(self) -> QuerySet[Order]:
        """Return the visible orders."""
        return _visible(self.person())

    @extend_schema(operation_id="order_list", responses=OrderSerializer(many=True))
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return orders, newest first, narrowed by the query."""
        answer = super().get(request, *args, **kwargs)
        asked = {name: value[:200] for name, value in list(request.query_params.items())[:20]}
        record_for_user(
            self.person(), "order_search", address=read_address(request._request), detail=asked
        )
        answer["Cache-Control"] = "private, no-store"
        return answer

    @extend_schema(
        operation_id="order_create",
        request=NewOrderSerializer,
        responses={201: OrderSerializer, **_PROBLEMS},
    )
    def post(self, request: Request) -> Response:
        """Make an order with its steps."""
        author = self.author()
        form = NewOrderSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        values = dict(form.validated_data)
        steps = values.pop("steps")
        visible = Facility.objects.visible_to(self.person())
        facility = find_facility(values.pop("facility", ""), visible)
        return self.answer(orders.create_order(facility, values, steps, author).pk, 201)


class OrderDetail(Tagged, _OrderView):
    """One order."""

    @extend_schema(operation_id="order_detail", responses={200: OrderSerializer, **_PROBLEMS})
    def get(self, request: Request, order_id: uuid.UUID) -> Response:
        """Return an order with its steps and studies."""
        order = self.find(order_id)
        author = Author.from_user(self.person(), read_address(request._request))
        record([orders.describe_change(order, "order_viewed", author)])
        return self.answer(order_id)

    @extend_schema(
        operation_id="order_change",
        request=OrderSerializer,
        responses={200: OrderSerializer, **_PROBLEMS},
    )
    def patch(self, request: Request, order_id: uuid.UUID) -> Response:
        """Change some of an order's values; its Study Instance UID stays."""
        author = self.author()
        order = self.find(order_id)
        form = OrderSerializer(order, data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        return self.answer(orders.change_order(order.pk, form.validated_data, author).pk)


class OrderCancel(_OrderView):
    """An order that is not wanted any more."""

    @extend_schema(
        operation_id="order_cancel",
        request=CancelSerializer,
        responses={200: OrderSerializer, **_PROBLEMS},
    )
    def post(self, request: Request, order_id: uuid.UUID) -> Response:
        """Cancel an order and the steps that wait; safe to repeat."""
        author = self.author()
        order = self.find(order_id)
        form = CancelSerializer(data=request.data or {})
        form.is_valid(raise_exception=True)
        reason = form.validated_data.get("reason", "")
        return self.answer(orders.cancel_order(order.pk, author, reason=reason).pk)


class StepList(_OrderView):
    """The steps of an order."""

    @extend_schema(
        operation_id="order_add_step",
        request=StepSerializer,
        responses={201: OrderSerializer, **_PROBLEMS},
    )
    def post(self, request: Request, order_id: uuid.UUID) -> Response:
        """Add a step."""
        author = self.author()
        order = self.find(order_id)
        form = StepSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        orders.add_step(order.pk, form.validated_data, author)
        return self.answer(order.pk, 201)


class StepDetail(_OrderView):
    """One step of an order."""

    @extend_schema(
        operation_id="order_change_step",
        request=StepSerializer,
        responses={200: OrderSerializer, **_PROBLEMS},
    )
    def patch(self, request: Request, order_id: uuid.UUID, step_id: uuid.UUID) -> Response:
        """Change a step's values, or move it on: `status`."""
        author = self.author()
        order = self.find(order_id)
        step = next((one for one in order.steps.all() if one.pk == step_id), None)
        if step is None:
            raise NotFound(_("Not found."), "not_found")
        form = StepSerializer(step, data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        orders.change_step(order.pk, step.pk, form.validated_data, author)
        return self.answer(order.pk)


class PerformedList(_OrderView):
    """What scanners did of an order."""

    @extend_schema(
        operation_id="order_performed",
        responses={200: PerformedStepSerializer(many=True), **_PROBLEMS},
    )
    def get(self, request: Request, order_id: uuid.UUID) -> Response:
        """Return the performed steps of an order, oldest first."""
        order = self.find(order_id)
        visible = PerformedStep.objects.visible_to(self.person())
        rows = visible.filter(steps__order=order).distinct().order_by("pk")
        headers = {"Cache-Control": "private, no-store"}
        return Response(PerformedStepSerializer(rows, many=True).data, headers=headers)


urlpatterns: list[URLPattern | URLResolver] = [
    path("orders/", OrderList.as_view(), name="orders"),
    path("orders/<uuid:order_id>/", OrderDetail.as_view(), name="order"),
    path("orders/<uuid:order_id>/cancel/", OrderCancel.as_view(), name="order-cancel"),
    path("orders/<uuid:order_id>/steps/", StepList.as_view(), name="order-steps"),
    path("orders/<uuid:order_id>/steps/<uuid:step_id>/", StepDetail.as_view(), name="order-step"),
    path("orders/<uuid:order_id>/performed/", PerformedList.as_view(), name="order-performed"),
]
