from django.db import migrations, models

import dicom_receiver.models


class Migration(migrations.Migration):
    dependencies = [
        ("dicom_receiver", "0001_first_tables"),
    ]

    operations = [
        migrations.AddField(
            model_name="peer",
            name="use_tls",
            field=models.BooleanField(
                default=False,
                help_text="What we send there goes by DICOM over TLS; its certificate is verified.",
                verbose_name="calls by TLS",
            ),
        ),
        migrations.AddField(
            model_name="peer",
            name="certificate",
            field=models.CharField(
                blank=True,
                help_text="SHA-256 fingerprint or parts of the subject, such as CN=ct1, O=Hospital. It may then call by TLS with this certificate alone; whoever else uses its title is a stranger.",
                max_length=400,
                validators=[dicom_receiver.models.check_binding],
                verbose_name="certificate",
            ),
        ),
    ]
