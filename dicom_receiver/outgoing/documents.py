"""How transfers and their peers read over REST."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from dicom_receiver.outgoing.models import Transfer


class TransferSerializer(serializers.ModelSerializer[Transfer]):
    """A transfer and how far it is."""

    peer = serializers.CharField(source="peer.ae_title")
    peer_id = serializers.UUIDField()
    study_instance_uid = serializers.CharField(source="study.study_instance_uid")
    requested_by = serializers.SerializerMethodField(help_text="Empty: a rule or a peer.")
    rule = serializers.SerializerMethodField(help_text="Which rule, when one was the reason.")
    progress = serializers.SerializerMethodField(help_text="0 to 1, by images.")
    reason = serializers.CharField(help_text="Why it failed, or why it waits.")

    class Meta:
        model = Transfer
        fields = [
            "id", "study", "study_instance_uid", "peer", "peer_id", "why", "rule",
            "requested_by", "priority", "status", "is_paused", "reason", "instance_count",
            "sent_count", "failed_count", "size_bytes", "sent_bytes", "progress", "commitment",
            "attempts", "created_at", "due_at", "started_at", "ended_at",
        ]  # fmt: skip

    def get_requested_by(self, transfer: Transfer) -> str:
        """Return who asked, by user name."""
        return transfer.requested_by.get_username() if transfer.requested_by else ""

    def get_rule(self, transfer: Transfer) -> str:
        """Return the rule's name."""
        return transfer.rule.name if transfer.rule else ""

    def get_progress(self, transfer: Transfer) -> float:
        """Return the share that has arrived."""
        if not transfer.instance_count:
            return 1.0 if transfer.status == Transfer.Status.DONE else 0.0
        return round(transfer.sent_count / transfer.instance_count, 4)


class TransferWishSerializer(serializers.Serializer[dict[str, Any]]):
    """What is to be sent where: one of study, series and instances."""

    peer = serializers.CharField(help_text="Id or AE title.", max_length=64)
    study = serializers.CharField(
        required=False, max_length=64, help_text="Id or Study Instance UID."
    )
    series = serializers.CharField(
        required=False, max_length=64, help_text="Id or Series Instance UID."
    )
    instances = serializers.ListField(
        required=False,
        child=serializers.CharField(max_length=64),
        min_length=1,
        max_length=5000,
        help_text="Ids or SOP Instance UIDs.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Ask for one way of saying what, and for no word that means nothing here."""
        if unknown := set(self.initial_data) - set(self.fields):
            raise serializers.ValidationError({sorted(unknown)[0][:80]: "There is no such field."})
        if len(attrs.keys() & {"study", "series", "instances"}) != 1:
            raise serializers.ValidationError("Give one of study, series and instances.")
        return attrs


class LineSerializer(serializers.Serializer[dict[str, Any]]):
    """A peer to which can be sent, and how it stands with what goes there."""

    id = serializers.UUIDField()
    ae_title = serializers.CharField()
    description = serializers.CharField()
    is_paused = serializers.BooleanField()
    transfers = serializers.IntegerField(help_text="Under way, of those that the person sees.")
    instances = serializers.IntegerField(help_text="Not there yet, of these transfers.")
    failures = serializers.IntegerField(help_text="Times in a row that it did not answer.")
    retry_at = serializers.DateTimeField(allow_null=True)
    last_error = serializers.CharField()
    last_success_at = serializers.DateTimeField(allow_null=True)
