"""How jobs read over REST."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from reconstruction.models import ReconstructionJob
from reconstruction.told import say_reason


class FileSerializer(serializers.Serializer[dict[str, Any]]):
    """A file that a job made."""

    name = serializers.CharField()
    size = serializers.IntegerField(help_text="Bytes.")
    media_type = serializers.CharField()
    url = serializers.CharField(help_text="Empty when the file has been removed.")


class JobSerializer(serializers.ModelSerializer[ReconstructionJob]):
    """A job, how far it is, and what came of it."""

    requested_by = serializers.CharField(source="requested_by.username")
    progress = serializers.SerializerMethodField(help_text="0 to 1; never runs backwards.")
    files = serializers.SerializerMethodField()
    reason = serializers.SerializerMethodField(help_text="Why it failed, or why it waits again.")
    series_instance_uid = serializers.CharField(help_text="Of the result in the archive.")

    class Meta:
        model = ReconstructionJob
        fields = [
            "id", "series", "study", "kind", "parameters", "requested_by", "status", "progress",
            "reason", "series_instance_uid", "result", "files", "size_bytes", "attempts",
            "created_at", "started_at", "ended_at", "files_removed_at",
        ]  # fmt: skip

    def get_reason(self, job: ReconstructionJob) -> str:
        """Return it in the language of the request."""
        return say_reason(job.reason)

    def get_progress(self, job: ReconstructionJob) -> float:
        """Return the share that is done."""
        return round(job.progress, 4)

    @extend_schema_field(FileSerializer(many=True))
    def get_files(self, job: ReconstructionJob) -> list[dict[str, Any]]:
        """Return the files with their addresses."""
        return [{**one, "url": address_of(job, one["name"])} for one in job.files]


class WishSerializer(serializers.Serializer[dict[str, Any]]):
    """What is asked for."""

    series = serializers.CharField(help_text="Id or SeriesInstanceUID.")
    kind = serializers.CharField()
    parameters = serializers.DictField(required=False, help_text="Of the kind.")


class AcceptedSerializer(serializers.Serializer[dict[str, Any]]):
    """The answer to a wish."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(ReconstructionJob.Status.choices)
    progress = serializers.FloatField()


class KindsSerializer(serializers.Serializer[dict[str, Any]]):
    """What can be asked for."""

    kinds = serializers.ListField(child=serializers.CharField())
    may_ask = serializers.BooleanField()


def address_of(job: ReconstructionJob, name: str) -> str:
    """Return where a file is fetched; empty when it is gone."""
    if job.files_removed_at is not None:
        return ""
    return reverse("api:reconstruction-file", args=[job.pk, name])
