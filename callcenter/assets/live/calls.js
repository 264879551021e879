/** Who waits, and who talks. */

import { callerName, callsInProgress, waitingCallers } from "./figures.js";
import { html } from "./html.js";
import { Icon } from "./icons.js";
import { Counter } from "./time.js";
import { CALL_STATES, ringingAt, TEXT } from "./words.js";

/** A caller by name and number, or by what is known. */
export function Caller({ call }) {
  const name = callerName(call);
  const number = call.caller_number || (name ? "" : TEXT.unknownCaller);
  return html`<span class="caller">${name && html`<span class="caller-name">${name}</span> `}<span class="caller-number">${number}</span></span>`;
}

function Panel({ title, count, name, empty, help, children }) {
  if (count === 0) {
    return html`
      <section class="panel" data-panel=${name} aria-labelledby=${`${name}-title`}>
        <h2 id=${`${name}-title`}>${title}</h2>
        <p class="empty"><strong>${empty}</strong>${help}</p>
      </section>
    `;
  }
  return html`
    <section class="panel" data-panel=${name}>
      <table class=${`grid ${name}`} role="table">
        <caption>${title}<span class="count">${count}</span></caption>
        ${children}
      </table>
    </section>
  `;
}

function Heads({ labels }) {
  return html`
    <thead role="rowgroup">
      <tr role="row">
        ${labels.map(({ text, number }) => html`<th key=${text} scope="col" role="columnheader" class=${number ? "number" : ""}>${text}</th>`)}
      </tr>
    </thead>
  `;
}

const WAITING_HEADS = [
  { text: TEXT.place, number: true },
  { text: TEXT.caller },
  { text: TEXT.queue },
  { text: TEXT.wait, number: true },
];

export function WaitingCallers({ picture }) {
  const rows = waitingCallers(picture);
  return html`
    <${Panel}
      name="waiting-callers" title=${TEXT.waitingCallers} count=${rows.length}
      empty=${TEXT.nobodyWaits} help=${TEXT.nobodyWaitsHelp}
    >
      <${Heads} labels=${WAITING_HEADS} />
      <tbody role="rowgroup">${rows.map((row) => html`<${WaitingCaller} key=${row.call.id} ...${row} />`)}</tbody>
    <//>
  `;
}

function WaitingCaller({ call, place, queue, ringing }) {
  return html`
    <tr role="row" data-call=${call.id} data-state=${call.state}>
      <td role="cell" class="number place">${place}</td>
      <th scope="row" role="rowheader">
        <${Caller} call=${call} />
        ${call.state === "offered" &&
        html`<span class="line" data-group="ringing"><${Icon} name="ringing" />${ringingAt(ringing.map((agent) => agent.display_name))}</span>`}
      </th>
      <td role="cell">${queue?.display_name ?? call.queue_name}</td>
      <td role="cell" class="number">
        <${Counter}
          since=${call.queued_at ?? call.started_at} limit=${queue?.service_level_seconds} limitText=${TEXT.overServiceLevel}
        />
      </td>
    </tr>
  `;
}

const PROGRESS_HEADS = [
  { text: TEXT.caller },
  { text: TEXT.agent },
  { text: TEXT.time, number: true },
];

export function CallsInProgress({ picture }) {
  const rows = callsInProgress(picture);
  return html`
    <${Panel}
      name="calls-in-progress" title=${TEXT.callsInProgress} count=${rows.length}
      empty=${TEXT.noCalls} help=${TEXT.noCallsHelp}
    >
      <${Heads} labels=${PROGRESS_HEADS} />
      <tbody role="rowgroup">${rows.map((row) => html`<${CallInProgress} key=${row.call.id} ...${row} />`)}</tbody>
    <//>
  `;
}

function CallInProgress({ call, queue, agent, since }) {
  return html`
    <tr role="row" data-call=${call.id} data-state=${call.state}>
      <th scope="row" role="rowheader">
        <${Caller} call=${call} />
        ${call.state !== "answered" &&
        html`<span class="line" data-group="ringing">
          ${call.state === "held" && html`<${Icon} name="held" />`}${CALL_STATES[call.state]}
        </span>`}
      </th>
      <td role="cell">
        ${agent?.display_name ?? "–"}
        <span class="line minor">${queue?.display_name ?? call.queue_name ?? TEXT.noQueueName}</span>
      </td>
      <td role="cell" class="number"><${Counter} since=${since} /></td>
    </tr>
  `;
}
