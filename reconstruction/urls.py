"""Pages of this room."""

from django.urls import URLPattern, URLResolver, path

from reconstruction import job_pages

app_name = "reconstruction"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", job_pages.show_jobs, name="jobs"),
    path("rows/", job_pages.show_rows, name="rows"),
]
