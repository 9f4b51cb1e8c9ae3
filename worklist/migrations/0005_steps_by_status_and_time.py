from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0003_audit_of_a_facility'),
        ('worklist', '0004_orders_and_steps'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='scheduledstep',
            name='worklist_step_waits_at',
        ),
        migrations.AddIndex(
            model_name='scheduledstep',
            index=models.Index(fields=['facility', 'status', 'scheduled_procedure_step_start_date', 'scheduled_procedure_step_start_time'], name='worklist_step_by_time'),
        ),
    ]
