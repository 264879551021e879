"""All addresses: the API, its documentation, the admin, and the pages."""

from django.contrib import admin
from django.contrib.auth.decorators import login_required
from django.urls import URLPattern, URLResolver, include, path, re_path
from drf_spectacular.views import SpectacularAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.routers import SimpleRouter

from queues.views import AgentViewSet, CallViewSet, QueueViewSet, TierViewSet

from . import views

router = SimpleRouter(trailing_slash=False)
router.register("agents", AgentViewSet, "agent")
router.register("queues", QueueViewSet, "queue")
router.register("tiers", TierViewSet, "tier")
router.register("calls", CallViewSet, "call")
router.register("switch-commands", views.SwitchCommandViewSet, "switch-command")
router.register("switch", views.SwitchNodeViewSet, "switch")
router.register("tokens", views.TokenViewSet, "token")

v1: list[URLPattern | URLResolver] = [
    *router.urls,
    path("events", views.EventsView.as_view(), name="events"),
    path("me", views.MeView.as_view(), name="me"),
]
api: list[URLPattern | URLResolver] = [
    path("v1/", include(v1)),
    path("schema/", SpectacularAPIView.as_view(permission_classes=[IsAuthenticated]), name="schema"),
    path("docs/", login_required(views.DocsView.as_view(url_name="schema")), name="docs"),
    re_path(r"", views.no_such_address),
]

urlpatterns = [
    path("", include("callcenter.live.urls")),
    path("api", views.no_such_address),
    path("api/", include(api)),
    path("switch/", include("esl_bridge.urls")),
    path("admin/", admin.site.urls),
    path("healthz", views.healthz, name="healthz"),
]

handler400 = views.bad_request
handler500 = views.server_error
