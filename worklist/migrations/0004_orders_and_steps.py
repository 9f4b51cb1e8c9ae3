import accounts.keys
import django.core.validators
import django.db.models.deletion
import worklist.order_fields
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0003_audit_of_a_facility'),
        ('archive', '0005_facts_and_passports_have_versions'),
        ('worklist', '0003_copies_of_search_keys'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='PerformedStep',
            fields=[
                ('id', models.UUIDField(default=accounts.keys.new_key, editable=False, primary_key=True, serialize=False)),
                ('sop_instance_uid', models.CharField(max_length=64, verbose_name='SOP Instance UID')),
                ('status', models.CharField(choices=[('IN PROGRESS', 'In progress'), ('COMPLETED', 'Completed'), ('DISCONTINUED', 'Discontinued')], max_length=16, verbose_name='status')),
                ('sender', models.CharField(max_length=16, verbose_name='sender')),
                ('performed_procedure_step_id', models.CharField(blank=True, max_length=64, verbose_name='step ID')),
                ('performed_procedure_step_description', models.CharField(blank=True, max_length=1024, verbose_name='description')),
                ('performed_station_ae_title', models.CharField(blank=True, max_length=16, verbose_name='station')),
                ('modality', models.CharField(blank=True, max_length=16, verbose_name='modality')),
                ('patient_id', models.CharField(blank=True, max_length=64, verbose_name='patient ID')),
                ('patient_name', models.CharField(blank=True, max_length=1024, verbose_name='patient name')),
                ('study_instance_uid', models.CharField(blank=True, max_length=64, verbose_name='Study Instance UID')),
                ('accession_number', models.CharField(blank=True, max_length=64, verbose_name='accession number')),
                ('started_at', models.CharField(blank=True, help_text='As the scanner wrote it.', max_length=32, verbose_name='began')),
                ('ended_at', models.CharField(blank=True, max_length=32, verbose_name='ended')),
                ('discontinuation_reason', models.CharField(blank=True, max_length=1024, verbose_name='reason')),
                ('expected_series_count', models.PositiveIntegerField(default=0, verbose_name='series')),
                ('expected_instance_count', models.PositiveIntegerField(default=0, verbose_name='images')),
                ('data_set', models.BinaryField()),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created')),
                ('changed_at', models.DateTimeField(auto_now=True, verbose_name='last change')),
            ],
            options={
                'verbose_name': 'performed step',
                'verbose_name_plural': 'performed steps',
            },
        ),
        migrations.CreateModel(
            name='ScheduledStep',
            fields=[
                ('id', models.UUIDField(default=accounts.keys.new_key, editable=False, primary_key=True, serialize=False)),
                ('status', models.CharField(choices=[('scheduled', 'Scheduled'), ('arrived', 'Arrived'), ('ready', 'Ready'), ('started', 'Started'), ('completed', 'Completed'), ('discontinued', 'Discontinued'), ('cancelled', 'Cancelled')], default='scheduled', max_length=16, verbose_name='status')),
                ('scheduled_procedure_step_id', models.CharField(blank=True, help_text='Empty: one is made.', max_length=16, validators=[worklist.order_fields.check_line], verbose_name='step ID')),
                ('scheduled_procedure_step_description', models.CharField(blank=True, max_length=64, validators=[worklist.order_fields.check_line], verbose_name='description')),
                ('modality', models.CharField(max_length=16, validators=[worklist.order_fields.check_modality], verbose_name='modality')),
                ('scheduled_station_ae_title', models.CharField(blank=True, help_text='Empty: every station of this modality; several: separated by a backslash.', max_length=128, validators=[worklist.order_fields.check_ae_titles], verbose_name='station (AE title)')),
                ('scheduled_station_name', models.CharField(blank=True, max_length=16, validators=[worklist.order_fields.check_line], verbose_name='station name')),
                ('scheduled_procedure_step_location', models.CharField(blank=True, max_length=16, validators=[worklist.order_fields.check_line], verbose_name='room')),
                ('scheduled_procedure_step_start_date', models.DateField(verbose_name='date')),
                ('scheduled_procedure_step_start_time', models.TimeField(verbose_name='time')),
                ('scheduled_performing_physician_name', models.CharField(blank=True, max_length=194, validators=[worklist.order_fields.check_name], verbose_name='performing physician')),
                ('scheduled_protocol_codes', models.JSONField(blank=True, default=list, validators=[worklist.order_fields.check_codes], verbose_name='protocol codes')),
                ('pre_medication', models.CharField(blank=True, max_length=64, validators=[worklist.order_fields.check_line], verbose_name='pre-medication')),
                ('requested_contrast_agent', models.CharField(blank=True, max_length=64, validators=[worklist.order_fields.check_line], verbose_name='contrast agent')),
                ('comments_on_the_scheduled_procedure_step', models.TextField(blank=True, max_length=1024, validators=[worklist.order_fields.check_text], verbose_name='comments')),
            ],
            options={
                'verbose_name': 'scheduled step',
                'verbose_name_plural': 'scheduled steps',
            },
        ),
        migrations.AddField(
            model_name='worklistentry',
            name='acquisition',
            field=models.CharField(blank=True, choices=[('started', 'Started'), ('completed', 'Completed'), ('discontinued', 'Discontinued')], max_length=16, verbose_name='examination'),
        ),
        migrations.CreateModel(
            name='Order',
            fields=[
                ('id', models.UUIDField(default=accounts.keys.new_key, editable=False, primary_key=True, serialize=False)),
                ('status', models.CharField(choices=[('scheduled', 'Scheduled'), ('in_progress', 'In progress'), ('completed', 'Completed'), ('discontinued', 'Discontinued'), ('cancelled', 'Cancelled')], default='scheduled', max_length=16, verbose_name='status')),
                ('priority', models.PositiveSmallIntegerField(choices=[(1, 'STAT'), (2, 'Urgent'), (3, 'Routine')], default=3, verbose_name='priority')),
                ('study_instance_uid', models.CharField(help_text='Made with the order; scanners write it into the images. It never changes.', max_length=64, validators=[worklist.order_fields.check_uid], verbose_name='Study Instance UID')),
                ('accession_number', models.CharField(blank=True, help_text='Empty: one is made.', max_length=16, validators=[worklist.order_fields.check_line], verbose_name='accession number')),
                ('requested_procedure_id', models.CharField(blank=True, help_text='Empty: one is made.', max_length=16, validators=[worklist.order_fields.check_line], verbose_name='requested procedure ID')),
                ('requested_procedure_description', models.CharField(blank=True, max_length=64, validators=[worklist.order_fields.check_line], verbose_name='requested procedure')),
                ('requested_procedure_codes', models.JSONField(blank=True, default=list, validators=[worklist.order_fields.check_codes], verbose_name='procedure codes')),
                ('reason_for_the_requested_procedure', models.CharField(blank=True, max_length=64, validators=[worklist.order_fields.check_line], verbose_name='reason')),
                ('requested_procedure_comments', models.TextField(blank=True, max_length=1024, validators=[worklist.order_fields.check_text], verbose_name='comments')),
                ('patient_id', models.CharField(max_length=64, validators=[worklist.order_fields.check_line], verbose_name='patient ID')),
                ('issuer_of_patient_id', models.CharField(blank=True, max_length=64, validators=[worklist.order_fields.check_line], verbose_name='issuer')),
                ('patient_name', models.CharField(max_length=194, validators=[worklist.order_fields.check_name], verbose_name='patient name')),
                ('patient_key', models.CharField(blank=True, editable=False, max_length=1024)),
                ('patient_birth_date', models.DateField(blank=True, null=True, verbose_name='birth date')),
                ('patient_sex', models.CharField(blank=True, choices=[('M', 'Male'), ('F', 'Female'), ('O', 'Other')], max_length=1, verbose_name='sex')),
                ('patient_weight_kg', models.DecimalField(blank=True, decimal_places=2, max_digits=5, null=True, validators=[django.core.validators.MinValueValidator(0)], verbose_name='weight (kg)')),
                ('patient_size_m', models.DecimalField(blank=True, decimal_places=2, max_digits=4, null=True, validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(3)], verbose_name='height (m)')),
                ('pregnancy_status', models.PositiveSmallIntegerField(blank=True, choices=[(1, 'Not pregnant'), (2, 'Possibly pregnant'), (3, 'Pregnant'), (4, 'Unknown')], null=True, verbose_name='pregnancy')),
                ('medical_alerts', models.CharField(blank=True, max_length=64, validators=[worklist.order_fields.check_line], verbose_name='medical alerts')),
                ('allergies', models.CharField(blank=True, max_length=64, validators=[worklist.order_fields.check_line], verbose_name='allergies')),
                ('special_needs', models.CharField(blank=True, max_length=64, validators=[worklist.order_fields.check_line], verbose_name='special needs')),
                ('patient_state', models.CharField(blank=True, max_length=64, validators=[worklist.order_fields.check_line], verbose_name='patient state')),
                ('confidentiality_constraint', models.CharField(blank=True, max_length=64, validators=[worklist.order_fields.check_line], verbose_name='confidentiality')),
                ('admission_id', models.CharField(blank=True, max_length=64, validators=[worklist.order_fields.check_line], verbose_name='admission ID')),
                ('current_patient_location', models.CharField(blank=True, max_length=64, validators=[worklist.order_fields.check_line], verbose_name="patient's location")),
                ('patient_transport_arrangements', models.CharField(blank=True, max_length=64, validators=[worklist.order_fields.check_line], verbose_name='transport')),
                ('referring_physician_name', models.CharField(blank=True, max_length=194, validators=[worklist.order_fields.check_name], verbose_name='referring physician')),
                ('requesting_physician', models.CharField(blank=True, max_length=194, validators=[worklist.order_fields.check_name], verbose_name='requesting physician')),
                ('requesting_service', models.CharField(blank=True, max_length=64, validators=[worklist.order_fields.check_line], verbose_name='requesting service')),
                ('cancellation_reason', models.CharField(blank=True, max_length=64, validators=[worklist.order_fields.check_line], verbose_name='reason of cancellation')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='made')),
                ('changed_at', models.DateTimeField(auto_now=True, verbose_name='last change')),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='made by')),
                ('facility', models.ForeignKey(blank=True, db_index=False, help_text='Empty: quarantine, seen by administrators alone.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.facility', verbose_name='facility')),
            ],
            options={
                'verbose_name': 'order',
                'verbose_name_plural': 'orders',
            },
        ),
        migrations.AddField(
            model_name='worklistentry',
            name='order',
            field=models.ForeignKey(blank=True, help_text='Which order the images carry, where that is beyond doubt.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='entries', to='worklist.order', verbose_name='order'),
        ),
        migrations.AddConstraint(
            model_name='worklistentry',
            constraint=models.CheckConstraint(condition=models.Q(('acquisition__in', ['', 'started', 'completed', 'discontinued'])), name='worklist_entry_acquisition_is_known'),
        ),
        migrations.AddField(
            model_name='performedstep',
            name='facility',
            field=models.ForeignKey(blank=True, db_index=False, help_text='Empty: quarantine, seen by administrators alone.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.facility', verbose_name='facility'),
        ),
        migrations.AddField(
            model_name='scheduledstep',
            name='facility',
            field=models.ForeignKey(blank=True, db_index=False, help_text='Empty: quarantine, seen by administrators alone.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.facility', verbose_name='facility'),
        ),
        migrations.AddField(
            model_name='scheduledstep',
            name='order',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='steps', to='worklist.order', verbose_name='order'),
        ),
        migrations.AddField(
            model_name='performedstep',
            name='steps',
            field=models.ManyToManyField(blank=True, help_text='Empty: nothing of this was scheduled here.', related_name='performed_steps', to='worklist.scheduledstep', verbose_name='scheduled steps'),
        ),
        migrations.AddIndex(
            model_name='order',
            index=models.Index(fields=['facility', 'accession_number'], name='worklist_order_by_acc'),
        ),
        migrations.AddIndex(
            model_name='order',
            index=models.Index(fields=['facility', 'patient_id'], name='worklist_order_by_patient'),
        ),
        migrations.AddIndex(
            model_name='order',
            index=models.Index(fields=['facility', 'patient_key'], name='worklist_order_by_name'),
        ),
        migrations.AddIndex(
            model_name='order',
            index=models.Index(fields=['facility', '-id'], name='worklist_order_in_facility'),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(('facility__isnull', False)), name='worklist_order_has_facility'),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['scheduled', 'in_progress', 'completed', 'discontinued', 'cancelled'])), name='worklist_order_status_is_known'),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(('priority__in', [1, 2, 3])), name='worklist_order_priority_is_known'),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.UniqueConstraint(fields=('facility', 'study_instance_uid'), name='worklist_order_study_once_in_facility', violation_error_message='Another order has this Study Instance UID.'),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.UniqueConstraint(fields=('facility', 'requested_procedure_id'), name='worklist_order_procedure_once_in_facility', violation_error_message='Another order has this requested procedure ID.'),
        ),
        migrations.AddIndex(
            model_name='scheduledstep',
            index=models.Index(condition=models.Q(('status__in', ['scheduled', 'arrived', 'ready', 'started'])), fields=['facility', 'scheduled_procedure_step_start_date', 'scheduled_procedure_step_start_time'], name='worklist_step_waits_at'),
        ),
        migrations.AddConstraint(
            model_name='scheduledstep',
            constraint=models.CheckConstraint(condition=models.Q(('facility__isnull', False)), name='worklist_step_has_facility'),
        ),
        migrations.AddConstraint(
            model_name='scheduledstep',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['scheduled', 'arrived', 'ready', 'started', 'completed', 'discontinued', 'cancelled'])), name='worklist_step_status_is_known'),
        ),
        migrations.AddConstraint(
            model_name='scheduledstep',
            constraint=models.UniqueConstraint(fields=('facility', 'scheduled_procedure_step_id'), name='worklist_step_once_in_facility', violation_error_message='Another step has this ID.'),
        ),
        migrations.AddIndex(
            model_name='performedstep',
            index=models.Index(fields=['facility', 'study_instance_uid'], name='worklist_performed_by_study'),
        ),
        migrations.AddIndex(
            model_name='performedstep',
            index=models.Index(fields=['facility', '-id'], name='worklist_performed_in_facility'),
        ),
        migrations.AddConstraint(
            model_name='performedstep',
            constraint=models.CheckConstraint(condition=models.Q(('facility__isnull', False)), name='worklist_performed_has_facility'),
        ),
        migrations.AddConstraint(
            model_name='performedstep',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['IN PROGRESS', 'COMPLETED', 'DISCONTINUED'])), name='worklist_performed_status_is_known'),
        ),
        migrations.AddConstraint(
            model_name='performedstep',
            constraint=models.UniqueConstraint(fields=('facility', 'sop_instance_uid'), name='worklist_performed_once_in_facility'),
        ),
    ]
