import assert from "node:assert/strict";
import test from "node:test";

import { EMPTY, fromSnapshot, withEvent } from "../../../callcenter/assets/live/store.js";

const agent = (revision, state = "READY") => ({ id: "a1", name: "anna", state, revision });
const call = (revision, state) => ({ id: "c1", queue: "q1", state, revision });
const event = (type, data) => ({ type, data });
const picture = (parts = {}) =>
  fromSnapshot({ agents: [], queues: [], tiers: [], calls: [], stats: [], switch: [], ...parts });

test("a snapshot is found by id, figures by queue, switches by node", () => {
  const shown = picture({
    agents: [agent(1)],
    stats: [{ queue: "q1", waiting: 3 }],
    switch: [{ node: "default", connected: true, revision: 1 }],
  });
  assert.equal(shown.agents.get("a1").name, "anna");
  assert.equal(shown.stats.get("q1").waiting, 3);
  assert.equal(shown.switch.get("default").connected, true);
});

test("an event brings the whole entity, new or known", () => {
  const created = withEvent(EMPTY, event("agent.created", agent(1, "LOGOUT")));
  assert.equal(created.agents.get("a1").state, "LOGOUT");
  const changed = withEvent(created, event("agent.state_changed", agent(2)));
  assert.equal(changed.agents.get("a1").state, "READY");
  assert.equal(created.agents.get("a1").state, "LOGOUT", "the older picture stays as it was");
});

test("an event no newer than what is shown changes nothing", () => {
  const shown = picture({ agents: [agent(5)] });
  for (const revision of [4, 5]) {
    assert.equal(withEvent(shown, event("agent.state_changed", agent(revision, "BUSY"))), shown);
  }
});

test("what did not change stays the same object", () => {
  const shown = picture({ agents: [agent(1)], queues: [{ id: "q1", revision: 1 }] });
  const changed = withEvent(shown, event("agent.state_changed", agent(2, "BUSY")));
  assert.equal(changed.queues, shown.queues);
  assert.notEqual(changed.agents, shown.agents);
});

test("a deleted entity goes, and a queue takes its figures along", () => {
  const shown = picture({ queues: [{ id: "q1", revision: 1 }], stats: [{ queue: "q1" }], agents: [agent(1)] });
  const without = withEvent(shown, event("queue.deleted", { id: "q1", revision: 2 }));
  assert.equal(without.queues.size, 0);
  assert.equal(without.stats.size, 0);
  assert.equal(withEvent(shown, event("agent.deleted", agent(2))).agents.size, 0);
  assert.equal(withEvent(without, event("queue.deleted", { id: "q1", revision: 2 })), without);
});

test("a call that has ended is not live, however it ended", () => {
  const shown = picture({ calls: [call(1, "waiting")] });
  for (const type of ["call.ended", "call.abandoned", "call.updated"]) {
    assert.equal(withEvent(shown, event(type, call(2, "ended"))).calls.size, 0, type);
  }
  assert.equal(withEvent(EMPTY, event("call.updated", call(9, "ended"))), EMPTY);
});

test("figures carry no revision: the newest told ones hold", () => {
  const shown = picture({ stats: [{ queue: "q1", today: { offered: 1 } }] });
  const next = withEvent(shown, event("queue.stats_changed", { queue: "q1", today: { offered: 2 } }));
  assert.equal(next.stats.get("q1").today.offered, 2);
});

test("a switch is shown by node", () => {
  const lost = withEvent(EMPTY, event("switch.disconnected", { node: "default", connected: false, revision: 3 }));
  assert.equal(lost.switch.get("default").connected, false);
});

test("notices and types of a newer server change nothing", () => {
  for (const type of ["agent.logged_in", "command.failed", "command.done", "weather.changed"]) {
    assert.equal(withEvent(EMPTY, event(type, { id: "x", revision: 1 })), EMPTY, type);
  }
});
