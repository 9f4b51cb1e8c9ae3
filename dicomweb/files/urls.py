"""Addresses of the DICOM file interface."""

from django.urls import path

from dicomweb.files import views

app_name = "files"
urlpatterns = [
    path("upload", views.UploadView.as_view(), name="upload"),
    path("list", views.ListView.as_view(), name="list"),
    path("status", views.StatusView.as_view(), name="status"),
    path("metadata/<path:file_path>", views.MetadataView.as_view(), name="metadata"),
    path("image/<path:file_path>", views.ImageView.as_view(), name="image"),
    path("clinical-summary/<path:file_path>", views.SummaryView.as_view(), name="summary"),
    path("<path:file_path>", views.FileDetail.as_view(), name="file"),
]
