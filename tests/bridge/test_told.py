"""Who hears the events of a recording has the picture that a fresh snapshot gives, at every moment."""

from __future__ import annotations

from typing import Any

import pytest

from callcenter.events import envelope, events_after
from esl_bridge.applier import Applier
from esl_bridge.engines import backend_load
from esl_bridge.replay import read_events
from queues.selectors import live_snapshot
from tests.sockets.store import Store

from .test_recordings import NAMES
from .truth import RECORDINGS

pytestmark = [pytest.mark.django_db, pytest.mark.both_stacks]


def picture(store: Store) -> dict[str, Any]:
    # The live figures are told by the bridge's timer, which this test leaves out.
    return {kind: rows for kind, rows in store.picture().items() if kind != "stats"}


@pytest.mark.parametrize("name", [*NAMES, "click_to_dial"])
def test_the_events_of_a_recording_lead_to_the_snapshot_after_each_of_them(name: str) -> None:
    applier = Applier(node="default", backend=backend_load(), adopt=True, event_time=True)
    client, seq = Store(), 0
    client.begin(live_snapshot())
    for event in read_events(RECORDINGS / f"{name}.esl", {}):
        applier.take([event])
        told = events_after(seq, 1000)
        for row in told:
            client.apply(envelope(row))
            seq = row.seq
        if not told and not event.subclass:
            continue
        fresh = Store()
        fresh.begin(live_snapshot())
        assert picture(client) == picture(fresh), f"after {event.name} {event.get('CC-Action')}"
