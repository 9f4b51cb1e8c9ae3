"""Pages of other archives."""

from django.urls import URLPattern, URLResolver, path

from dicom_receiver.remote import views

app_name = "peers"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.show_peers, name="list"),
    path("<uuid:peer_id>/test/", views.test_peer, name="test"),
    path("query/", views.query, name="query"),
    path("query/series/", views.show_series, name="series"),
    path("query/import/", views.start_import, name="import"),
]
