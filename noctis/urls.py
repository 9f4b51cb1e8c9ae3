"""Every address of the house."""

from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path
from django.utils.functional import lazy
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView

import accounts.api
import accounts.audit_api
import accounts.facility_api
import accounts.token_api
import archive.api
import dicom_receiver.api
import reconstruction.api
import reconstruction.curved_api
import reconstruction.job_api
import viewer.api
import viewer.export_api
import viewer.hanging_api
import viewer.invoke
import viewer.launch_views
import viewer.object_api
import viewer.preferences_api
import viewer.slice_api
import viewer.tags_api
import viewer.video_api
import worklist.api
from noctis import health

# Here, so that only processes with pages load the admin's.
admin.autodiscover()

api_v1 = [
    *accounts.api.urlpatterns,
    *accounts.audit_api.urlpatterns,
    *accounts.facility_api.urlpatterns,
    *accounts.token_api.urlpatterns,
    *archive.api.urlpatterns,
    *reconstruction.api.urlpatterns,
    *reconstruction.curved_api.urlpatterns,
    *reconstruction.job_api.urlpatterns,
    *viewer.api.urlpatterns,
    *viewer.hanging_api.urlpatterns,
    *viewer.object_api.urlpatterns,
    *viewer.export_api.urlpatterns,
    *viewer.preferences_api.urlpatterns,
    *viewer.slice_api.urlpatterns,
    *viewer.tags_api.urlpatterns,
    *viewer.video_api.urlpatterns,
    *worklist.api.urlpatterns,
    *dicom_receiver.api.urlpatterns,
]

# For what has no page to name it: a picture or a document opened by itself.
MARK = lazy(static, str)("noctis/mark.svg")

urlpatterns = [
    path("", RedirectView.as_view(url="/worklist/"), name="home"),
    path("favicon.ico", RedirectView.as_view(url=MARK), name="favicon"),
    path("accounts/", include("accounts.urls")),
    path("worklist/", include("worklist.urls")),
    path("viewer/", include("viewer.urls")),
    path("dicomweb/", include("dicomweb.urls")),
    path("launch/<str:ticket>/study.zip", viewer.launch_views.fetch_study, name="launch-study"),
    path("IHEInvokeImageDisplay", viewer.invoke.invoke, name="invoke"),
    path("reconstructions/", include("reconstruction.urls")),
    path("peers/", include("dicom_receiver.remote.urls")),
    path("transfers/", include("dicom_receiver.remote.transfer_urls")),
    path("doctor/", include("dicom_receiver.doctor.urls")),
    path("api/v1/schema/", SpectacularJSONAPIView.as_view(), name="api-schema"),
    path("api/v1/", include((api_v1, "api"))),
    path("api/token/", include((accounts.token_api.door_patterns, "tokens"))),
    path("api/dicom/", include("dicomweb.files.urls")),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="api-schema"), name="api-docs"),
    path("api/limits", health.show_limits, name="limits"),
    path("healthz", health.say_alive, name="healthz"),
    path("readyz", health.say_ready, name="readyz"),
    path("metrics", health.show_metrics, name="metrics"),
    path("admin/", admin.site.urls),
]

handler404 = "noctis.errors.answer_missing"
handler500 = "noctis.errors.answer_failure"
