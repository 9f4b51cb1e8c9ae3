"""Pages of the modality doctor."""

from django.urls import URLPattern, URLResolver, path

from dicom_receiver.doctor import views

app_name = "doctor"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.show_calls, name="calls"),
    path("<uuid:call_id>/", views.show_calls, name="call"),
]
