"""How studies are hung."""

import accounts.keys
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_audit_of_a_facility"),
        ("viewer", "0004_preferences"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="HangingProtocol",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=accounts.keys.new_key,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("name", models.CharField(max_length=100, verbose_name="name")),
                (
                    "rules",
                    models.JSONField(
                        default=dict, help_text="Which studies it is for.", verbose_name="rules"
                    ),
                ),
                (
                    "layout",
                    models.JSONField(
                        default=dict, help_text="Panes, and what each shows.", verbose_name="layout"
                    ),
                ),
                (
                    "format_version",
                    models.PositiveSmallIntegerField(default=1, verbose_name="format"),
                ),
                ("version", models.PositiveIntegerField(default=1, verbose_name="version")),
                ("changed_at", models.DateTimeField(auto_now=True, verbose_name="changed")),
                (
                    "facility",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="hanging_protocols",
                        to="accounts.facility",
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="hanging_protocols",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "hanging protocol",
                "verbose_name_plural": "hanging protocols",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("facility__isnull", False), ("owner", None)),
                            models.Q(("facility", None), ("owner__isnull", False)),
                            _connector="OR",
                        ),
                        name="viewer_hanging_has_one_owner",
                    )
                ],
            },
        ),
    ]
