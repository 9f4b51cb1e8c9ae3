"""Pages of this room."""

from django.urls import URLPattern, URLResolver, path

from accounts import token_views, views

app_name = "accounts"
urlpatterns: list[URLPattern | URLResolver] = [
    path("login/", views.LogIn.as_view(), name="login"),
    path("logout/", views.LogOut.as_view(), name="logout"),
    path("password/", views.ChangePassword.as_view(), name="password_change"),
    path("tokens/", token_views.show_tokens, name="tokens"),
    path("tokens/<uuid:token_id>/revoke/", token_views.revoke, name="token-revoke"),
]
