import assert from "node:assert/strict";
import test from "node:test";

import { Connection, retryDelay } from "../../../callcenter/assets/live/connection.js";

const HEARTBEAT = 15;
const SILENCE_MS = 20_000;

/** A world that stands still until a test moves it: sockets that are scripted, time that is told. */
class World {
  time = Date.parse("2026-01-01T10:00:00Z");
  timers = new Map();
  sockets = [];
  random = () => 1;
  #last = 0;

  now = () => this.time;

  setTimeout = (act, ms) => {
    this.#last += 1;
    this.timers.set(this.#last, { act, at: this.time + ms });
    return this.#last;
  };

  clearTimeout = (timer) => this.timers.delete(timer);

  connect = (url) => {
    const socket = { url, sent: [], closed: false, close: () => (socket.closed = true) };
    socket.send = (text) => socket.sent.push(JSON.parse(text));
    this.sockets.push(socket);
    return socket;
  };

  pass(ms) {
    const until = this.time + ms;
    for (;;) {
      const [id, due] = [...this.timers].sort(([, a], [, b]) => a.at - b.at)[0] ?? [];
      if (!due || due.at > until) break;
      this.time = Math.max(this.time, due.at);
      this.timers.delete(id);
      due.act();
    }
    this.time = until;
  }

  get socket() {
    return this.sockets.at(-1);
  }

  say(frame) {
    this.socket.onmessage({ data: JSON.stringify(frame) });
  }
}

function begin() {
  const world = new World();
  const told = { states: [], events: [], refused: [], pictures: 0 };
  const connection = new Connection({
    url: "ws://test/ws/v1/events",
    onPicture: () => (told.pictures += 1),
    onEvent: (event) => told.events.push(event.data.revision),
    onStatus: ({ state }) => told.states.push(state),
    onRefused: (code) => told.refused.push(code),
    world,
  });
  connection.open();
  return { world, told, connection };
}

const HELLO = { type: "hello", protocol: "callcenter.v1", heartbeat: HEARTBEAT, authenticated: true };

function snapshot(seq, world) {
  const data = { agents: [], queues: [], tiers: [], calls: [], stats: [], switch: [] };
  return { type: "snapshot", seq, data: { ...data, now: new Date(world.time).toISOString() } };
}

function event(seq, prev = seq - 1) {
  const data = { id: "a1", name: "anna", state: "READY", revision: seq };
  return { type: "event", seq, prev, event: { type: "agent.state_changed", data } };
}

function beLive(seq = 10) {
  const started = begin();
  started.world.say(HELLO);
  started.world.say(snapshot(seq, started.world));
  return started;
}

test("says hello back with a subscription, and is live with the snapshot", () => {
  const { world, told, connection } = begin();
  world.say(HELLO);
  assert.deepEqual(world.socket.sent, [{ type: "subscribe", credit: 200 }]);
  assert.equal(connection.state, "connecting");
  world.say(snapshot(10, world));
  assert.equal(connection.state, "live");
  assert.deepEqual(told.states, ["connecting", "live"]);
});

test("shows events in order and each once", () => {
  const { world, told, connection } = beLive();
  world.say(event(11));
  world.say(event(11));
  world.say(event(12));
  assert.deepEqual(told.events, [11, 12]);
  assert.equal(connection.picture.agents.get("a1").revision, 12);
});

test("asks for what is missing, and shows nothing newer before it", () => {
  const { world, told, connection } = beLive();
  world.say(event(13));
  world.say(event(14));
  assert.deepEqual(world.socket.sent.slice(1), [{ type: "resume", seq: 10, credit: 200 }]);
  assert.deepEqual(told.events, []);
  assert.notEqual(connection.state, "live");
  for (const seq of [11, 12, 13, 14]) world.say(event(seq));
  world.say({ type: "resumed", seq: 14, prev: 14 });
  assert.deepEqual(told.events, [11, 12, 13, 14]);
  assert.equal(connection.state, "live");
});

test("a heartbeat tells of a loss that no later event shows", () => {
  const { world, connection } = beLive();
  const now = new Date(world.time).toISOString();
  world.say({ type: "heartbeat", seq: 15, prev: 10, now });
  assert.equal(connection.state, "live");
  world.say({ type: "heartbeat", seq: 18, prev: 17, now });
  assert.deepEqual(world.socket.sent.at(-1), { type: "resume", seq: 15, credit: 200 });
});

test("acknowledges while it keeps up", () => {
  const { world } = beLive(0);
  for (let seq = 1; seq <= 120; seq += 1) world.say(event(seq));
  assert.deepEqual(world.socket.sent.slice(1), [{ type: "ack", seq: 49 }, { type: "ack", seq: 99 }]);
});

test("comes back by itself after a loss, and goes on where it was", () => {
  const { world, told, connection } = beLive();
  world.say(event(11));
  world.socket.onclose({ code: 1006 });
  assert.equal(connection.state, "reconnecting");
  world.pass(500);
  assert.equal(world.sockets.length, 2);
  world.say(HELLO);
  assert.deepEqual(world.socket.sent, [{ type: "resume", seq: 11, credit: 200 }]);
  world.say(event(12));
  world.say({ type: "resumed", seq: 12, prev: 12 });
  assert.equal(connection.state, "live");
  assert.deepEqual(told.events, [11, 12]);
});

test("takes a snapshot instead where the server cannot go on", () => {
  const { world, connection } = beLive();
  world.socket.onclose({ code: 1006 });
  world.pass(500);
  world.say(HELLO);
  world.say(snapshot(3, world));
  assert.equal(connection.state, "live");
  assert.equal(connection.seq, 3);
});

test("starts afresh where the server refuses to resume", () => {
  const { world, connection } = beLive();
  world.socket.onclose({ code: 1006 });
  world.pass(500);
  world.say(HELLO);
  world.say({ type: "error", code: "invalid_frame", detail: "" });
  assert.deepEqual(world.socket.sent.at(-1), { type: "subscribe", credit: 200 });
  world.say(snapshot(20, world));
  assert.equal(connection.state, "live");
});

test("a silent connection is given up, and what is shown counts as stale", () => {
  const { world, told, connection } = beLive();
  world.pass(SILENCE_MS - 1);
  assert.equal(connection.state, "live");
  const silent = world.socket;
  world.pass(1);
  assert.equal(silent.closed, true);
  assert.equal(connection.state, "stale");
  assert.equal(told.states.at(-1), "stale");
});

test("a lost connection counts as stale once the next heartbeat is overdue", () => {
  const { world, told } = beLive();
  world.connect = () => ({ close() {}, send() {} });
  world.socket.onclose({ code: 1006 });
  assert.equal(told.states.at(-1), "reconnecting");
  world.pass(SILENCE_MS);
  assert.equal(told.states.at(-1), "stale");
});

test("retries come later and later, but not later than 15 s, and not in step", () => {
  const longest = [0, 1, 2, 3, 10, 1000].map((attempt) => retryDelay(attempt, () => 1));
  assert.deepEqual(longest, [500, 1000, 2000, 4000, 15_000, 15_000]);
  assert.equal(retryDelay(1, () => 0), 500);
});

test("a connection that never answers is tried again", () => {
  const { world } = begin();
  world.pass(10_000 + 500);
  assert.equal(world.sockets.length, 2);
  assert.equal(world.sockets[0].closed, true);
});

test("hurries when the network is back, and only then", () => {
  const { world, connection } = beLive();
  connection.hurry();
  assert.equal(world.sockets.length, 1);
  world.socket.onclose({ code: 1006 });
  connection.hurry();
  assert.equal(world.sockets.length, 2);
  world.pass(5000);
  assert.equal(world.sockets.length, 2, "the retry that was due is not made as well");
});

test("does not try again where it is not wanted", () => {
  for (const [code, refused] of [[4401, "not_authenticated"], [4403, "not_allowed"]]) {
    const { world, told } = beLive();
    world.socket.onclose({ code });
    assert.deepEqual(told.refused, [refused]);
    world.pass(60_000);
    assert.equal(world.sockets.length, 1);
  }
  const { world, told } = begin();
  world.say({ ...HELLO, authenticated: false });
  world.pass(60_000);
  assert.deepEqual(told.refused, ["not_authenticated"]);
  assert.equal(world.sockets.length, 1);
});

test("learns how far the server's clock is from ours", () => {
  const { world, connection } = begin();
  world.say(HELLO);
  const frame = snapshot(1, world);
  frame.data.now = new Date(world.time + 90_000).toISOString();
  world.say(frame);
  assert.equal(connection.offset, 90_000);
});
