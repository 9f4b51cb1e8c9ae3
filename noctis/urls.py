"""Every address of the house."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

import accounts.api
import archive.api
import dicom_receiver.api
import viewer.api
import worklist.api

api_v1 = [
    *accounts.api.urlpatterns,
    *archive.api.urlpatterns,
    *viewer.api.urlpatterns,
    *worklist.api.urlpatterns,
    *dicom_receiver.api.urlpatterns,
]

urlpatterns = [
    path("", RedirectView.as_view(url="/worklist/"), name="home"),
    path("accounts/", include("accounts.urls")),
    path("worklist/", include("worklist.urls")),
    path("viewer/", include("viewer.urls")),
    path("api/v1/", include((api_v1, "api"))),
    path("admin/", admin.site.urls),
]
