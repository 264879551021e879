/** Every text that the page's scripts show, in the reader's language. */

const { gettext, ngettext, pgettext, interpolate } = window.django;

const fill = (text, values) => interpolate(text, values, true);

export const STATES = {
  LOGOUT: gettext("Signed out"),
  LOGIN: gettext("Signing in"),
  UNREADY: gettext("Not ready"),
  READY: gettext("Ready"),
  BUSY: gettext("Busy"),
  ACW: gettext("After-call work"),
};

const SUB_STATES = {
  WAIT: gettext("After sign-in"),
  DND: gettext("Do not disturb"),
  BREAK: gettext("Break"),
  AWAY: gettext("Away"),
  CUSTOM: gettext("Other reason"),
  CALLING: gettext("Dialling"),
  RINGING: gettext("Ringing"),
  ANSWERED: gettext("Talking"),
  TRANSFER: gettext("Transferring"),
  CONFERENCE: gettext("In a conference"),
  HOLD: gettext("Caller on hold"),
};

const REASONS = {
  missed_calls: gettext("missed calls"),
  phone_lost: gettext("phone not reachable"),
  switch_refused: gettext("refused by the switch"),
};

export const GROUP_NAMES = {
  ready: gettext("Ready"),
  ringing: gettext("Ringing"),
  busy: gettext("Busy"),
  acw: gettext("After-call work"),
  unready: gettext("Not ready"),
  logout: gettext("Signed out"),
};

export const CALL_STATES = {
  dialling: gettext("Dialling"),
  answered: gettext("Talking"),
  held: gettext("On hold"),
  conferenced: gettext("Conference"),
  transferred: gettext("Transferred"),
};

const CONNECTION = {
  connecting: gettext("Connecting"),
  live: gettext("Live"),
  reconnecting: gettext("Reconnecting"),
};

const COMMANDS = {
  ready: gettext("Make ready"),
  unready: gettext("Make not ready"),
  logout: gettext("Sign out"),
};

const ORDERS = {
  queue: gettext("queue"),
  tier: gettext("tier"),
  agent: gettext("agent"),
};

export const TEXT = {
  waiting: gettext("Waiting"),
  longestWait: gettext("Longest wait"),
  inProgress: gettext("In progress"),
  queues: gettext("Queues"),
  agents: gettext("Agents"),
  waitingCallers: gettext("Waiting callers"),
  callsInProgress: gettext("Calls in progress"),
  overview: gettext("Overview"),
  queue: gettext("Queue"),
  caller: gettext("Caller"),
  agent: gettext("Agent"),
  extension: gettext("Extension"),
  place: gettext("Place"),
  wait: gettext("Wait"),
  time: gettext("Time"),
  today: gettext("Today"),
  now: gettext("Now"),
  offered: gettext("Offered"),
  answered: gettext("Answered"),
  abandoned: gettext("Abandoned"),
  ready: pgettext("agents in a queue", "Ready"),
  busy: pgettext("agents in a queue", "Busy"),
  afterCall: pgettext("agents in a queue", "After-call"),
  notReady: pgettext("agents in a queue", "Not ready"),
  all: gettext("All"),
  allQueues: gettext("All queues"),
  filterByState: gettext("Filter by state"),
  filterByQueue: gettext("Filter by queue"),
  search: gettext("Search name or extension"),
  clearFilter: gettext("Clear the filter"),
  overServiceLevel: gettext("longer than the service level"),
  noQueueName: gettext("No queue"),
  unknownCaller: gettext("Unknown caller"),
  loading: gettext("Loading the live picture…"),
  noQueues: gettext("No queues yet."),
  noQueuesHelp: gettext("Create one in the administration or through the REST API; it appears here at once."),
  noAgents: gettext("No agents yet."),
  noAgentsHelp: gettext("Create agents and put them into queues in the administration or through the REST API."),
  noMatch: gettext("No agent matches the filter."),
  nobodyWaits: gettext("Nobody is waiting."),
  nobodyWaitsHelp: gettext("Callers appear here the moment they enter a queue."),
  noCalls: gettext("No calls in progress."),
  noCallsHelp: gettext("Answered calls appear here until the caller hangs up."),
  takesEffectLater: gettext("Takes effect after the call or the after-call work."),
  failed: gettext("The server could not be reached. Nothing was changed."),
  signedOut: gettext("Your session has ended. Sign in again to go on."),
  notAllowed: gettext("Your role may not see the live picture."),
  signInAgain: gettext("Sign in again"),
  dismiss: gettext("Dismiss"),
  noSwitch: gettext("No switch yet"),
};

export const stateName = (agent) => STATES[agent.state] ?? agent.state;
export const reasonName = (reason) => REASONS[reason] ?? reason;
export const subStateName = (subState) => SUB_STATES[subState] ?? subState;
export const commandName = (command) => COMMANDS[command];

/** State, sub-state and reason in one line, for whoever cannot see the card's layout. */
export function standing({ state, sub_state: subState, reason }) {
  return [STATES[state] ?? state, subState && subStateName(subState), reason && reasonName(reason)]
    .filter(Boolean)
    .join(" · ");
}

export const afterThis = (next) => fill(gettext("Then: %(state)s"), { state: standing(next) });
export const wrapUpLeft = (time) => fill(gettext("%(time)s left"), { time });
export const ringingAt = (names) => fill(gettext("Ringing at %(agents)s"), { agents: names.join(", ") });
export const actionsFor = (name) => fill(gettext("Actions for %(agent)s"), { agent: name });
export const missedCalls = (count) =>
  fill(ngettext("%(count)s missed call", "%(count)s missed calls", count), { count });
export const confirmSignOut = (name) => fill(gettext("Really sign out %(agent)s?"), { agent: name });
export const commandFailed = (detail) => fill(gettext("Not done: %(detail)s"), { detail });
export const agentsShownOf = (shown, all) =>
  fill(gettext("%(shown)s of %(all)s agents shown"), { shown, all });

export function connectionName(state, heard) {
  if (state === "stale") return fill(gettext("Stale since %(time)s"), { time: heard });
  return CONNECTION[state];
}

export function switchName(node) {
  return node.connected
    ? fill(gettext("Switch %(node)s connected"), { node: node.node })
    : fill(gettext("Switch %(node)s disconnected"), { node: node.node });
}

export function switchLost(node, time) {
  const text = gettext("Switch %(node)s is disconnected since %(time)s. Calls and agents are shown as they were then.");
  return fill(text, { node: node.node, time });
}

export const staleWarning = (time) =>
  fill(gettext("No word from the server since %(time)s. What is shown may have changed."), { time });

/** An order that the switch refused: `key` is for instance "queue:support". */
export function orderRefused({ key, answer }) {
  const [kind, ...name] = key.split(":");
  const what = [ORDERS[kind] ?? kind, ...name].join(" ");
  return fill(gettext("The switch refused a change of %(what)s: %(answer)s"), { what, answer });
}
