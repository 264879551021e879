/** Puts the page together: one socket, one picture, drawn anew when either changes. */

import { render } from "../vendor/preact-11.2.0/preact.mjs";
import { Agents } from "./agents.js";
import { CallsInProgress, WaitingCallers } from "./calls.js";
import { commandAgent } from "./commands.js";
import { Connection } from "./connection.js";
import { html } from "./html.js";
import { ConnectionBadge, SwitchBadges, Toasts, Warnings } from "./notices.js";
import { Overview, Queues } from "./queues.js";
import { setServerOffset } from "./time.js";
import { orderRefused, TEXT } from "./words.js";

const TOAST_SECONDS = 8;

const page = document.getElementById("dashboard");
const header = document.getElementById("status");
const token = document.querySelector("input[name=csrfmiddlewaretoken]").value;

const shown = { status: { state: "connecting", heard: null }, loaded: false, refused: "", toasts: [] };
let drawing = false;
let lastToast = 0;

const connection = new Connection({
  url: new URL(page.dataset.events, location.href.replace(/^http/, "ws")).href,
  onPicture: () => {
    shown.loaded = true;
    setServerOffset(connection.offset);
    draw();
  },
  onEvent: (event) => {
    if (event.type === "command.failed") toast(orderRefused(event.data), "error");
  },
  onStatus: (status) => {
    shown.status = status;
    draw();
  },
  onRefused: (code) => {
    shown.refused = code;
    draw();
  },
  world: {
    connect: (url) => new WebSocket(url),
    now: () => Date.now(),
    setTimeout: (act, ms) => setTimeout(act, ms),
    clearTimeout: (timer) => clearTimeout(timer),
    random: Math.random,
  },
});

/** Draw once for all that a burst of events changed; a page that nobody sees draws when it is looked at. */
function draw() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    const { picture } = connection;
    render(html`<${ConnectionBadge} ...${shown.status} /><${SwitchBadges} picture=${picture} />`, header);
    render(html`<${Page} picture=${picture} />`, page);
  });
}

function Page({ picture }) {
  if (shown.refused) return html`<${Refused} code=${shown.refused} />`;
  if (!shown.loaded) return html`<p class="loading">${TEXT.loading}</p>`;
  return html`
    <${Warnings} picture=${picture} ...${shown.status} />
    <${Overview} picture=${picture} />
    <div class="columns">
      <div class="main-column"><${Queues} picture=${picture} /><${Agents} picture=${picture} onCommand=${ask} /></div>
      <div class="side-column"><${WaitingCallers} picture=${picture} /><${CallsInProgress} picture=${picture} /></div>
    </div>
    <${Toasts} toasts=${shown.toasts} onDismiss=${dismiss} />
  `;
}

function Refused({ code }) {
  return html`
    <p class="empty" role="alert">
      <strong>${code === "not_authenticated" ? TEXT.signedOut : TEXT.notAllowed}</strong>
      <a class="button primary" href=${page.dataset.login}>${TEXT.signInAgain}</a>
    </p>
  `;
}

async function ask(agent, command) {
  try {
    const after = await commandAgent({ api: page.dataset.api, token, agent, command });
    if (after.next_state) toast(TEXT.takesEffectLater, "info");
  } catch (error) {
    toast(error.message, "error");
  }
}

function toast(text, kind) {
  const id = (lastToast += 1);
  shown.toasts = [...shown.toasts, { id, text, kind }].slice(-4);
  setTimeout(() => dismiss(id), TOAST_SECONDS * 1000);
  draw();
}

function dismiss(id) {
  shown.toasts = shown.toasts.filter((one) => one.id !== id);
  draw();
}

addEventListener("online", () => connection.hurry());
document.addEventListener("visibilitychange", () => document.hidden || connection.hurry());
connection.open();
draw();
