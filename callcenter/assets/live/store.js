/**
 * The live picture of the call centre, as plain values: no socket, no page, no clock.
 *
 * A picture is never changed: `fromSnapshot` makes one, `withEvent` makes the next one, and what did not
 * change stays the same object, so that the page can tell by identity what it need not draw again.
 */

const COLLECTIONS = {
  agent: { in: "agents", key: "id" },
  queue: { in: "queues", key: "id" },
  tier: { in: "tiers", key: "id" },
  call: { in: "calls", key: "id" },
  switch: { in: "switch", key: "node" },
};
// These carry no entity: they tell that something happened, and the entity follows in an event of its own.
const NOTICES = new Set(["agent.logged_in", "command.done", "command.failed"]);

export const EMPTY = Object.freeze({
  agents: new Map(),
  queues: new Map(),
  tiers: new Map(),
  calls: new Map(),
  stats: new Map(),
  switch: new Map(),
});

function indexed(rows, key) {
  return new Map(rows.map((row) => [row[key], row]));
}

/** The picture that a snapshot's `data` shows. */
export function fromSnapshot(data) {
  return Object.freeze({
    agents: indexed(data.agents, "id"),
    queues: indexed(data.queues, "id"),
    tiers: indexed(data.tiers, "id"),
    calls: indexed(data.calls, "id"),
    stats: indexed(data.stats, "queue"),
    switch: indexed(data.switch, "node"),
  });
}

/** The picture after one event; the same picture where the event tells nothing new. */
export function withEvent(picture, event) {
  if (NOTICES.has(event.type)) return picture;
  const [entity, happened] = event.type.split(".");
  if (event.type === "queue.stats_changed") {
    return withRow(picture, "stats", event.data.queue, event.data);
  }
  const place = COLLECTIONS[entity];
  // An event type of a newer server: nothing that this page shows.
  if (place === undefined) return picture;
  const key = event.data[place.key];
  const known = picture[place.in].get(key);
  if (known !== undefined && known.revision >= event.data.revision) return picture;
  if (happened === "deleted" || event.data.state === "ended") return withoutRow(picture, entity, key);
  return withRow(picture, place.in, key, event.data);
}

function withRow(picture, collection, key, row) {
  const rows = new Map(picture[collection]);
  rows.set(key, row);
  return Object.freeze({ ...picture, [collection]: rows });
}

function withoutRow(picture, entity, key) {
  const collection = COLLECTIONS[entity].in;
  if (!picture[collection].has(key)) return picture;
  const rows = new Map(picture[collection]);
  rows.delete(key);
  const next = { ...picture, [collection]: rows };
  if (entity === "queue") {
    next.stats = new Map(picture.stats);
    next.stats.delete(key);
  }
  return Object.freeze(next);
}
