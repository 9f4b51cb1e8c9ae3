"""Pages of what goes to other archives and comes from them."""

from django.urls import URLPattern, URLResolver, path

from dicom_receiver.remote import transfer_views

app_name = "transfers"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", transfer_views.show_ways, name="list"),
    path("rows/", transfer_views.show_rows, name="rows"),
    path("destinations/", transfer_views.choose_destination, name="destinations"),
    path("send/", transfer_views.send, name="send"),
    path("<str:kind>/<uuid:key>/<str:what>/", transfer_views.act, name="act"),
]
