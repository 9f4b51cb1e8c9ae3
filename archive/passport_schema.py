"""The passport as the interface's description shows it; docs/passport.md says what keys mean."""

from __future__ import annotations

from rest_framework import serializers

# The stubs want a type for what no model stands behind.
Plain = serializers.Serializer[dict[str, object]]


class HuSerializer(Plain):
    """Whether CT values are Hounsfield units."""

    verdict = serializers.ChoiceField(["calibrated", "suspect", "not_ct"])
    air_peak_hu = serializers.FloatField(allow_null=True)
    tissue_peak_hu = serializers.FloatField(allow_null=True)
    judged_by = serializers.ChoiceField(["pixels", "header"])
    region = serializers.CharField(required=False, allow_blank=True)
    images_looked_at = serializers.IntegerField(required=False)
    reasons = serializers.ListField(child=serializers.CharField())
    reason_codes = serializers.ListField(child=serializers.CharField())


class MissingSuvSerializer(Plain):
    """Why one kind of SUV cannot be had."""

    reason = serializers.CharField()
    reason_code = serializers.CharField()


class SuvSerializer(Plain):
    """Whether PET values can become SUV, by kind: `bw`, `lbm`, `lbm_james`, `bsa`."""

    verdict = serializers.ChoiceField(["ready", "not_ready", "not_pet"])
    suvbw_factor = serializers.FloatField(allow_null=True)
    factors = serializers.DictField(child=serializers.FloatField(), required=False)
    missing = serializers.DictField(child=MissingSuvSerializer(), required=False)
    reasons = serializers.ListField(child=serializers.CharField())
    reason_codes = serializers.ListField(child=serializers.CharField())


class FrameSerializer(Plain):
    """One frame that was decoded; `frame` counts the images of the stack from 0."""

    frame = serializers.IntegerField()
    decodes = serializers.BooleanField()
    reason = serializers.CharField(allow_blank=True)
    reason_code = serializers.CharField(allow_blank=True)
    sop_instance_uid = serializers.CharField()
    instance_frame = serializers.IntegerField()


class TextSerializer(Plain):
    """Whether text came as the standard wants it."""

    verdict = serializers.ChoiceField(["ok", "flagged"])
    reasons = serializers.ListField(child=serializers.CharField())
    reason_codes = serializers.ListField(child=serializers.CharField())


class PassportSerializer(Plain):
    """What a series is good for."""

    is_volume = serializers.BooleanField()
    reasons = serializers.ListField(child=serializers.CharField())
    reason_codes = serializers.ListField(child=serializers.CharField())
    orientation_groups = serializers.IntegerField()
    slice_count = serializers.IntegerField()
    missing_count = serializers.IntegerField()
    duplicate_count = serializers.IntegerField()
    identical_count = serializers.IntegerField()
    time_points = serializers.IntegerField()
    is_uniform = serializers.BooleanField()
    slice_spacing_mm = serializers.FloatField(allow_null=True)
    tilt_deg = serializers.FloatField()
    pixel_spacing_mm = serializers.ListField(child=serializers.FloatField(), allow_null=True)
    pixel_spacing_source = serializers.ChoiceField(
        ["pixel_spacing", "imager", "ultrasound_region", "calibrated", "none"]
    )
    hu = HuSerializer()
    suv = SuvSerializer()
    frames = FrameSerializer(many=True)
    text = TextSerializer()
    badges = serializers.ListField(child=serializers.CharField())
