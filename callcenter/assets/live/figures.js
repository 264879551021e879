/** What the page's tables say, worked out of a picture (see store.js): no page, no clock. */

export const QUEUED = new Set(["waiting", "offered"]);
export const TALKING = new Set(["answered", "held", "conferenced"]);
// A transferred caller talks on without the queue's agent, an unanswered call of an agent's own dials.
const IN_PROGRESS = new Set([...TALKING, "transferred", "dialling"]);

/** The groups that the board counts and filters by, in the order of the page. */
export const GROUPS = ["ready", "ringing", "busy", "acw", "unready", "logout"];

/** The group of an agent: the state, but a phone that rings is not yet a call. */
export function groupOf(agent) {
  if (agent.state === "BUSY" && agent.sub_state === "RINGING") return "ringing";
  return agent.state === "LOGIN" ? "unready" : agent.state.toLowerCase();
}

export function countByGroup(agents) {
  const counts = Object.fromEntries(GROUPS.map((group) => [group, 0]));
  for (const agent of agents) counts[groupOf(agent)] += 1;
  return counts;
}

/** Who waits, oldest first, each with the place in its own queue. */
export function waitingCallers(picture) {
  const places = new Map();
  return [...picture.calls.values()]
    .filter((call) => QUEUED.has(call.state))
    .sort((a, b) => compare(a.queued_at ?? a.started_at, b.queued_at ?? b.started_at) || compare(a.id, b.id))
    .map((call) => {
      const place = (places.get(call.queue_name) ?? 0) + 1;
      places.set(call.queue_name, place);
      return {
        call,
        place,
        queue: picture.queues.get(call.queue),
        ringing: call.state === "offered" ? call.offered_to.map((id) => picture.agents.get(id)).filter(Boolean) : [],
      };
    });
}

/** Calls that somebody talks on or dials, longest first. */
export function callsInProgress(picture) {
  return [...picture.calls.values()]
    .filter((call) => IN_PROGRESS.has(call.state))
    .map((call) => ({
      call,
      queue: picture.queues.get(call.queue),
      agent: picture.agents.get(call.agent),
      since: call.answered_at ?? call.started_at,
    }))
    .sort((a, b) => compare(a.since, b.since) || compare(a.call.id, b.call.id));
}

/** One row per queue, by name. `today` is null where the day's figures are not known. */
export function queueRows(picture) {
  const members = new Map([...picture.queues.keys()].map((id) => [id, []]));
  for (const tier of picture.tiers.values()) {
    const agent = picture.agents.get(tier.agent);
    if (tier.active && agent && agent.state !== "LOGOUT") members.get(tier.queue)?.push(agent);
  }
  const waiting = waitingCallers(picture);
  return [...picture.queues.values()]
    .map((queue) => {
      const here = waiting.filter(({ call }) => call.queue === queue.id);
      return {
        queue,
        waiting: here.length,
        oldest: here[0]?.call.queued_at ?? null,
        inProgress: countWhere(picture.calls, (call) => call.queue === queue.id && TALKING.has(call.state)),
        agents: countByGroup(members.get(queue.id)),
        signedIn: members.get(queue.id).length,
        today: picture.stats.get(queue.id)?.today ?? null,
      };
    })
    .sort((a, b) => byName(a.queue, b.queue));
}

/** The agents whom the filter leaves: the signed-in ones first, each part by name. */
export function agentsShown(picture, { group, queue, text }) {
  const inQueue = new Set();
  for (const tier of picture.tiers.values()) if (tier.queue === queue) inQueue.add(tier.agent);
  const wanted = text.trim().toLocaleLowerCase();
  return [...picture.agents.values()]
    .filter((agent) => !group || groupOf(agent) === group)
    .filter((agent) => !queue || inQueue.has(agent.id))
    .filter((agent) => !wanted || wordsOf(agent).some((word) => word.toLocaleLowerCase().includes(wanted)))
    .sort((a, b) => (a.state === "LOGOUT") - (b.state === "LOGOUT") || byName(a, b));
}

/** The six figures on top of the page. */
export function totals(picture) {
  const waiting = waitingCallers(picture);
  return {
    waiting: waiting.length,
    oldest: waiting[0]?.call.queued_at ?? null,
    inProgress: countWhere(picture.calls, (call) => TALKING.has(call.state)),
    agents: countByGroup(picture.agents.values()),
  };
}

/** How a person knows a caller: by name where the switch told one that is not the number again. */
export function callerName(call) {
  return call.caller_name && call.caller_name !== call.caller_number ? call.caller_name : "";
}

function wordsOf(agent) {
  return [agent.display_name, agent.name, agent.extension];
}

function countWhere(rows, wanted) {
  let count = 0;
  for (const row of rows.values()) if (wanted(row)) count += 1;
  return count;
}

/** Order for people to read: by the name shown. */
export function byName(a, b) {
  return a.display_name.localeCompare(b.display_name) || compare(a.name, b.name);
}

function compare(a, b) {
  return a < b ? -1 : Number(a > b);
}
