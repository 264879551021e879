/**
 * The socket to the server: subscribes, resumes after a loss, notices a gap and a silence.
 *
 * What it needs of the world (sockets, time, chance) is handed in, so that tests can hold it still.
 */

import { EMPTY, fromSnapshot, withEvent } from "./store.js";

const CONNECT_SECONDS = 10;
// A heartbeat may be late by this much before the connection counts as dead.
const GRACE_SECONDS = 5;
const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 15_000;
// So many frames may be on their way unacknowledged: a reader this far behind is not sent any more.
const CREDIT = 200;
const ACKNOWLEDGE_EVERY = 50;
const REFUSED = { 4401: "not_authenticated", 4403: "not_allowed" };

/** How long to wait before the `attempt`th retry: half certain, half chance, so that clients do not come in step. */
export function retryDelay(attempt, random) {
  const longest = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** attempt);
  return longest / 2 + (longest / 2) * random();
}

/**
 * `onPicture(picture)`, `onEvent(event)` for each new event, `onStatus({state, heard})` with state
 * connecting, live, reconnecting or stale and `heard` the time of the last word from the server,
 * `onRefused(code)` when there is no use in trying again.
 */
export class Connection {
  constructor({ url, onPicture, onEvent, onStatus, onRefused, world }) {
    Object.assign(this, { url, onPicture, onEvent, onStatus, onRefused, world });
    this.picture = EMPTY;
    this.seq = null;
    this.synced = false;
    this.heard = null;
    // Server time minus ours.
    this.offset = 0;
    this.silenceMs = CONNECT_SECONDS * 1000;
    this.attempt = 0;
    this.unacknowledged = 0;
    this.socket = null;
    this.retryTimer = this.silenceTimer = this.staleTimer = null;
    this.told = "";
  }

  open() {
    this.world.clearTimeout(this.retryTimer);
    this.retryTimer = null;
    const socket = (this.socket = this.world.connect(this.url));
    socket.onmessage = (message) => this.#receive(JSON.parse(message.data));
    socket.onclose = ({ code }) => (REFUSED[code] ? this.#refused(REFUSED[code]) : this.#lost());
    this.#expectWord(CONNECT_SECONDS * 1000);
    this.#tell();
  }

  /** Try now: the network came back, or somebody looks at the page again. */
  hurry() {
    if (this.retryTimer !== null) this.open();
  }

  close() {
    for (const timer of [this.retryTimer, this.silenceTimer, this.staleTimer]) this.world.clearTimeout(timer);
    this.retryTimer = null;
    this.#drop();
  }

  get state() {
    if (this.synced) return "live";
    if (this.picture === EMPTY) return "connecting";
    return this.world.now() - this.heard >= this.silenceMs ? "stale" : "reconnecting";
  }

  #receive(frame) {
    this.heard = this.world.now();
    this.#expectWord(this.silenceMs);
    switch (frame.type) {
      case "hello":
        return this.#greeted(frame);
      case "snapshot":
        this.#setClock(frame.data.now);
        return this.#caughtUp(frame.seq, fromSnapshot(frame.data));
      case "resumed":
        return this.#resumed(frame);
      case "event":
        return this.#event(frame);
      case "heartbeat":
        this.#setClock(frame.now);
        return this.#heartbeat(frame);
      case "error":
        return this.#failed();
    }
  }

  #greeted(frame) {
    if (!frame.authenticated) return this.#refused("not_authenticated");
    this.silenceMs = (frame.heartbeat + GRACE_SECONDS) * 1000;
    this.#catchUp();
  }

  #catchUp() {
    this.synced = false;
    this.unacknowledged = 0;
    const begin = this.seq === null ? { type: "subscribe" } : { type: "resume", seq: this.seq };
    this.#send({ ...begin, credit: CREDIT });
  }

  #caughtUp(seq, picture) {
    this.synced = true;
    this.attempt = 0;
    this.#reached(seq);
    this.#show(picture);
    this.#tell();
  }

  #resumed({ seq, prev }) {
    if (prev > this.seq) return this.#catchUp();
    this.#caughtUp(seq, this.picture);
  }

  #event({ seq, prev, event }) {
    // Told before, or newer than something that is missing and has been asked for.
    if (this.seq === null || seq <= this.seq) return;
    if (prev > this.seq) {
      if (this.synced) this.#catchUp();
      return;
    }
    this.#reached(seq);
    this.#show(withEvent(this.picture, event));
    this.onEvent(event);
  }

  #heartbeat({ seq, prev }) {
    if (!this.synced || seq === undefined) return;
    // The last event before a silence was lost: no later one has shown the gap.
    if (prev > this.seq) return this.#catchUp();
    this.seq = Math.max(this.seq, seq);
  }

  #failed() {
    // Our number is of no use to the server: start afresh.
    if (!this.synced && this.seq !== null) {
      this.seq = null;
      this.#catchUp();
    }
  }

  #reached(seq) {
    this.seq = seq;
    this.unacknowledged += 1;
    if (this.unacknowledged < ACKNOWLEDGE_EVERY) return;
    this.unacknowledged = 0;
    this.#send({ type: "ack", seq });
  }

  #show(picture) {
    if (picture === this.picture) return;
    this.picture = picture;
    this.onPicture(picture);
  }

  #setClock(now) {
    this.offset = Date.parse(now) - this.world.now();
  }

  #send(frame) {
    this.socket.send(JSON.stringify(frame));
  }

  #expectWord(ms) {
    this.world.clearTimeout(this.silenceTimer);
    this.silenceTimer = this.world.setTimeout(() => this.#lost(), ms);
  }

  #lost() {
    this.#drop();
    this.world.clearTimeout(this.silenceTimer);
    this.retryTimer = this.world.setTimeout(() => this.open(), retryDelay(this.attempt, this.world.random));
    this.attempt += 1;
    this.#tell();
  }

  #refused(code) {
    this.close();
    this.onRefused(code);
  }

  #drop() {
    this.synced = false;
    if (this.socket === null) return;
    // The closing handshake of a dead connection takes minutes: nobody waits for it.
    this.socket.onmessage = this.socket.onclose = null;
    this.socket.close();
    this.socket = null;
  }

  #tell() {
    const { state } = this;
    this.world.clearTimeout(this.staleTimer);
    if (state === "reconnecting") {
      const left = this.heard + this.silenceMs - this.world.now();
      this.staleTimer = this.world.setTimeout(() => this.#tell(), Math.max(0, left));
    }
    if (state === this.told) return;
    this.told = state;
    this.onStatus({ state, heard: this.heard });
  }
}
