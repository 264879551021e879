"""Addresses of the pages. `i18n/` holds the language switch, `messages.js` the scripts' texts."""

from django.contrib.auth.views import LogoutView
from django.urls import path
from django.views.i18n import set_language

from .views import ScriptMessages, SignIn, dashboard

urlpatterns = [
    path("", dashboard, name="dashboard"),
    path("login/", SignIn.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("i18n/setlang/", set_language, name="set_language"),
    path("messages.js", ScriptMessages.as_view(), name="messages"),
]
