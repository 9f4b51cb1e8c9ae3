"""Pages of this room."""

from django.urls import URLPattern, URLResolver, path

from worklist import upload_views, views

app_name = "worklist"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.show_list, name="list"),
    path("rows/", views.show_rows, name="rows"),
    path("preview/<uuid:entry_id>/", views.show_preview, name="preview"),
    path("theme/", views.choose_theme, name="theme"),
    path("upload/", upload_views.show_upload, name="upload"),
    path("upload/files/", upload_views.take_files, name="upload-files"),
]
