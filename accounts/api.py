"""The REST interface of this room, composed into /api/v1 by noctis/urls.py."""

from typing import Any

from django.urls import URLPattern, URLResolver, path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import Facility, User


class FacilitySerializer(serializers.ModelSerializer[Facility]):
    """A facility as its people see it."""

    class Meta:
        model = Facility
        fields = ["id", "code", "name"]


class MeSerializer(serializers.ModelSerializer[User]):
    """Who is asking, what they are and where."""

    name = serializers.SerializerMethodField()
    facilities = serializers.SerializerMethodField()
    sees_everything = serializers.BooleanField(source="is_archive_admin")

    class Meta:
        model = User
        fields = ["id", "username", "name", "role", "facilities", "sees_everything"]

    def get_name(self, user: User) -> str:
        """Return the full name, else the name that is typed at log-in."""
        return user.get_full_name() or user.get_username()

    @extend_schema(responses=FacilitySerializer(many=True))
    def get_facilities(self, user: User) -> Any:
        """Return the active facilities in which the person works."""
        rows = Facility.objects.filter(pk__in=user.facility_keys())
        return FacilitySerializer(rows, many=True).data


class Me(APIView):
    """The person who asks."""

    @extend_schema(responses=MeSerializer)
    def get(self, request: Request) -> Response:
        """Return name, role and facilities of the person who asks."""
        assert request.user.is_authenticated
        return Response(MeSerializer(request.user).data)


urlpatterns: list[URLPattern | URLResolver] = [path("me/", Me.as_view(), name="me")]
