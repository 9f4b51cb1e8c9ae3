"""Pages of this room."""

from django.urls import URLPattern, URLResolver, path

from viewer import export_views, invoke, launch_views, views

app_name = "viewer"
urlpatterns: list[URLPattern | URLResolver] = [
    path("print/<uuid:export_id>/", export_views.print_sheets, name="print"),
    path("", invoke.find_study, name="find"),
    path("<uuid:study_id>/", views.open_study, name="study"),
    path("<uuid:study_id>/series/", views.show_series, name="series"),
    path("<uuid:study_id>/open-in/<slug:program>/", launch_views.open_in, name="open-in"),
    path("passport/<uuid:series_id>/", views.show_passport, name="passport"),
]
