import assert from "node:assert/strict";
import test from "node:test";

import * as figures from "../../../callcenter/assets/live/figures.js";
import { fromSnapshot } from "../../../callcenter/assets/live/store.js";

const agent = (name, state, more = {}) => ({
  id: name,
  name,
  display_name: name.toUpperCase(),
  extension: "1000",
  state,
  sub_state: null,
  revision: 1,
  ...more,
});
const queue = (id) => ({ id, name: id, display_name: id, revision: 1 });
const call = (id, state, more = {}) => ({
  id,
  queue: "sales",
  queue_name: "sales",
  state,
  started_at: "2026-01-01T10:00:00Z",
  queued_at: "2026-01-01T10:00:00Z",
  answered_at: null,
  offered_to: [],
  agent: null,
  caller_name: "",
  caller_number: "100",
  revision: 1,
  ...more,
});
const tier = (id, queue, agent, active = true) => ({ id, queue, agent, active, revision: 1 });
const at = (seconds) => `2026-01-01T10:00:${String(seconds).padStart(2, "0")}Z`;
const picture = (parts) =>
  fromSnapshot({ agents: [], queues: [], tiers: [], calls: [], stats: [], switch: [], ...parts });

test("a ringing phone counts apart from a call, a passing sign-in as not ready", () => {
  assert.equal(figures.groupOf(agent("a", "BUSY", { sub_state: "RINGING" })), "ringing");
  assert.equal(figures.groupOf(agent("a", "BUSY", { sub_state: "ANSWERED" })), "busy");
  assert.equal(figures.groupOf(agent("a", "LOGIN")), "unready");
  const counts = figures.countByGroup([agent("a", "READY"), agent("b", "READY"), agent("c", "ACW")]);
  assert.deepEqual(counts, { ready: 2, ringing: 0, busy: 0, acw: 1, unready: 0, logout: 0 });
});

test("callers wait in the order they came, with a place in their own queue", () => {
  const other = { queue: "support", queue_name: "support" };
  const shown = picture({
    queues: [queue("sales"), queue("support")],
    agents: [agent("anna", "BUSY", { sub_state: "RINGING" })],
    calls: [
      call("late", "waiting", { queued_at: at(30) }),
      call("first", "offered", { queued_at: at(10), offered_to: ["anna", "gone"] }),
      call("else", "waiting", { queued_at: at(20), ...other }),
      call("talking", "answered", { queued_at: at(1) }),
    ],
  });
  const rows = figures.waitingCallers(shown);
  assert.deepEqual(rows.map((row) => [row.call.id, row.place]), [["first", 1], ["else", 1], ["late", 2]]);
  assert.deepEqual(rows[0].ringing.map((ringing) => ringing.name), ["anna"]);
  assert.deepEqual(rows[2].ringing, []);
});

test("calls in progress are those that somebody talks on or dials, longest first", () => {
  const shown = picture({
    calls: [
      call("held", "held", { answered_at: at(20) }),
      call("answered", "answered", { answered_at: at(10) }),
      call("dialling", "dialling", { queue: null, queue_name: null, started_at: at(30) }),
      call("left", "left"),
      call("waiting", "waiting"),
    ],
  });
  assert.deepEqual(figures.callsInProgress(shown).map((row) => row.call.id), ["answered", "held", "dialling"]);
});

test("a queue counts its signed-in agents, its callers and its day", () => {
  const shown = picture({
    queues: [queue("support"), queue("sales")],
    agents: [agent("a", "READY"), agent("b", "LOGOUT"), agent("c", "ACW"), agent("d", "READY")],
    tiers: [tier(1, "sales", "a"), tier(2, "sales", "b"), tier(3, "sales", "c", false), tier(4, "sales", "gone")],
    calls: [
      call("w", "waiting", { queued_at: at(5) }),
      call("t", "answered", { answered_at: at(9) }),
      call("x", "transferred", { answered_at: at(9) }),
    ],
    stats: [{ queue: "sales", today: { offered: 7, answered: 5, abandoned: 1 } }],
  });
  const [sales, support] = figures.queueRows(shown);
  assert.equal(sales.queue.id, "sales");
  assert.equal(sales.signedIn, 1);
  assert.equal(sales.agents.ready, 1);
  assert.deepEqual([sales.waiting, sales.oldest, sales.inProgress], [1, at(5), 1]);
  assert.equal(sales.today.offered, 7);
  assert.deepEqual([support.waiting, support.oldest, support.today], [0, null, null]);
});

test("the filter leaves state, queue and text together; signed-out agents come last", () => {
  const shown = picture({
    agents: [agent("zoe", "READY"), agent("adam", "LOGOUT"), agent("bob", "READY", { extension: "2077" })],
    tiers: [tier(1, "sales", "zoe"), tier(2, "sales", "adam", false)],
  });
  const names = (filter) =>
    figures.agentsShown(shown, { group: "", queue: "", text: "", ...filter }).map((one) => one.name);
  assert.deepEqual(names({}), ["bob", "zoe", "adam"]);
  assert.deepEqual(names({ group: "ready" }), ["bob", "zoe"]);
  assert.deepEqual(names({ queue: "sales" }), ["zoe", "adam"]);
  assert.deepEqual(names({ text: " 207 " }), ["bob"]);
  assert.deepEqual(names({ text: "AD", group: "ready" }), []);
});

test("a name that repeats the number is no name", () => {
  assert.equal(figures.callerName(call("c", "waiting", { caller_name: "100" })), "");
  assert.equal(figures.callerName(call("c", "waiting", { caller_name: "Kurt" })), "Kurt");
});
