"""The one entry for servers: HTTP by Django, WebSockets by our consumers."""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import path, re_path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "callcenter.settings")
# Loads the apps, so it comes before the import of anything that has models.
http = get_asgi_application()

from agents.consumers import AgentConsumer  # noqa: E402
from callcenter.sockets import NoSuchSocket  # noqa: E402
from queues.consumers import EventsConsumer  # noqa: E402
from queues.selectors import agent_snapshot  # noqa: E402
from queues.services import agent_sign_in  # noqa: E402

websocket = URLRouter(
    [
        path("ws/v1/events", EventsConsumer.as_asgi()),
        path("ws/v1/agent", AgentConsumer.as_asgi(snapshot=agent_snapshot, sign_in=agent_sign_in)),
        re_path(r"", NoSuchSocket.as_asgi()),
    ]
)

application = ProtocolTypeRouter({"http": http, "websocket": websocket})
