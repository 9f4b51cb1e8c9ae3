"""Pages of this room."""

from django.urls import URLPattern, URLResolver, path

from viewer import export_views, views

app_name = "viewer"
urlpatterns: list[URLPattern | URLResolver] = [
    path("print/<uuid:export_id>/", export_views.print_sheets, name="print"),
    path("", views.find_study, name="find"),
    path("<uuid:study_id>/", views.open_study, name="study"),
    path("<uuid:study_id>/series/", views.show_series, name="series"),
    path("passport/<uuid:series_id>/", views.show_passport, name="passport"),
]
