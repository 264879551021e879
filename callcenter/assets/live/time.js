/** Times that count in the browser: the server says since when, nothing is sent per second. */

import { Component, h } from "../vendor/preact-11.2.0/preact.mjs";

const listeners = new Set();
let offset = 0;
let timer = null;

/** Server time minus the browser's, in milliseconds: browsers' clocks are often wrong. */
export function setServerOffset(milliseconds) {
  offset = milliseconds;
}

function serverNow() {
  return Date.now() + offset;
}

/** `m:ss`, from an hour on `h:mm:ss`, from a day on with days. */
export function duration(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const two = (number) => String(number).padStart(2, "0");
  const days = Math.floor(seconds / 86_400);
  const hours = Math.floor(seconds / 3600) % 24;
  const minutes = Math.floor(seconds / 60) % 60;
  if (days) return `${days}d ${two(hours)}:${two(minutes)}`;
  return hours ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

/** The wall clock's hh:mm:ss of a time in milliseconds. */
export function clockTime(milliseconds) {
  return new Date(milliseconds).toLocaleTimeString("en-GB");
}

function listen(component) {
  listeners.add(component);
  if (timer === null) tick();
}

function forget(component) {
  listeners.delete(component);
  if (listeners.size === 0) {
    clearTimeout(timer);
    timer = null;
  }
}

function tick() {
  for (const component of listeners) component.setState({ tick: serverNow() });
  // On the server's second, so that all counters step together.
  timer = setTimeout(tick, 1000 - (serverNow() % 1000));
}

/**
 * The time since `since` or, with `until`, the time left. Beyond `limit` seconds it is marked, with
 * `limitText` for those who do not see colours.
 */
export class Counter extends Component {
  componentDidMount() {
    listen(this);
  }

  componentWillUnmount() {
    forget(this);
  }

  render({ since, until, limit = 0, limitText, format = (text) => text }) {
    const at = Date.parse(since ?? until);
    const passed = since ? serverNow() - at : at - serverNow();
    const over = limit > 0 && passed > limit * 1000;
    const properties = { class: over ? "counter over" : "counter", dateTime: since ?? until };
    if (over) properties.title = limitText;
    const hidden = over && h("span", { class: "visually-hidden" }, ` (${limitText})`);
    return h("time", properties, format(duration(passed)), hidden);
  }
}
