"""What a switch asks us for: its queues, over mod_xml_curl.

It asks while it holds the lock of its queue module, so the answer comes from the database alone: asking
the switch anything from here would stop both for ever.
"""

from __future__ import annotations

import base64
import binascii
import hmac

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from queues.models import Queue
from queues.selectors import queue_payload

from .backends.callcenter_xml import CONFIGURATION, configuration, not_found


@csrf_exempt
@require_POST
def switch_config(request: HttpRequest) -> HttpResponse:
    """`callcenter.conf` from our queues: all of them, or the one that the switch names."""
    if not settings.SWITCH_CONFIG_PASSWORD:
        return HttpResponse("SWITCH_CONFIG_PASSWORD is not set", status=404, content_type="text/plain")
    if not _is_the_switch(request):
        answer = HttpResponse("wrong credentials", status=401, content_type="text/plain")
        answer["WWW-Authenticate"] = 'Basic realm="switch configuration"'
        return answer
    return HttpResponse(_document(request), content_type="text/xml")


def _document(request: HttpRequest) -> str:
    wanted = (request.POST.get("section"), request.POST.get("key_value"))
    if wanted != ("configuration", CONFIGURATION):
        return not_found()
    queues = Queue.objects.filter(node=settings.SWITCH_NODE).order_by("name")
    if name := request.POST.get("CC-Queue"):
        queues = queues.filter(name=name)
    return configuration(queue_payload(q) for q in queues)


def _is_the_switch(request: HttpRequest) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    try:
        sent = base64.b64decode(given, validate=True) if scheme.lower() == "basic" else b""
    except binascii.Error:
        return False
    wanted = f"{settings.SWITCH_CONFIG_USER}:{settings.SWITCH_CONFIG_PASSWORD}".encode()
    return hmac.compare_digest(sent, wanted)
