/** The queues table and the figures on top of the page. */

import { queueRows, totals } from "./figures.js";
import { html } from "./html.js";
import { Icon } from "./icons.js";
import { Counter } from "./time.js";
import { GROUP_NAMES, TEXT } from "./words.js";

const NO_FIGURE = "–";
const AGENT_COLUMNS = [
  { group: "ready", label: TEXT.ready, of: ["ready"] },
  { group: "busy", label: TEXT.busy, of: ["busy", "ringing"] },
  { group: "acw", label: TEXT.afterCall, of: ["acw"] },
  { group: "unready", label: TEXT.notReady, of: ["unready"] },
];

function sum(counts, groups) {
  return groups.reduce((total, group) => total + counts[group], 0);
}

/** The page's headline: what a glance from across the room must tell. */
export function Overview({ picture }) {
  const now = totals(picture);
  return html`
    <section class="overview" aria-label=${TEXT.overview}>
      <${Figure} name="waiting" label=${TEXT.waiting} alarm=${now.waiting > 0 && now.agents.ready === 0}>
        ${now.waiting}
      <//>
      <${Figure} name="oldest" label=${TEXT.longestWait}>
        ${now.oldest ? html`<${Counter} since=${now.oldest} />` : NO_FIGURE}
      <//>
      <${Figure} name="in-progress" label=${TEXT.inProgress}>${now.inProgress}<//>
      ${AGENT_COLUMNS.map(
        ({ group, of }) => html`
          <${Figure} key=${group} name=${`agents-${group}`} label=${GROUP_NAMES[group]} group=${group}>
            ${sum(now.agents, of)}
          <//>
        `,
      )}
    </section>
  `;
}

function Figure({ name, label, group, alarm, children }) {
  return html`
    <div class=${alarm ? "figure alarmed" : "figure"} data-figure=${name} data-group=${group}>
      <span class="figure-label">${group && html`<span class="chip"><${Icon} name=${group} /></span>`}${label}</span>
      <strong class="figure-value">${children}</strong>
    </div>
  `;
}

export function Queues({ picture }) {
  const rows = queueRows(picture);
  if (rows.length === 0) {
    return html`
      <section class="panel" aria-labelledby="queues-title">
        <h2 id="queues-title">${TEXT.queues}</h2>
        <p class="empty"><strong>${TEXT.noQueues}</strong>${TEXT.noQueuesHelp}</p>
      </section>
    `;
  }
  return html`
    <section class="panel">
      <table class="grid queues" role="table">
        <caption>${TEXT.queues}<span class="count">${rows.length}</span></caption>
        <thead role="rowgroup">
          <tr role="row" class="group-row">
            <th rowspan="2" scope="col" role="columnheader">${TEXT.queue}</th>
            <th colspan="3" scope="colgroup" role="columnheader">${TEXT.now}</th>
            <th colspan="4" scope="colgroup" role="columnheader">${TEXT.agents}</th>
            <th colspan="3" scope="colgroup" role="columnheader">${TEXT.today}</th>
          </tr>
          <tr role="row">
            ${[TEXT.waiting, TEXT.longestWait, TEXT.inProgress].map(head)}
            ${AGENT_COLUMNS.map(({ label }) => label).map(head)}
            ${[TEXT.offered, TEXT.answered, TEXT.abandoned].map(head)}
          </tr>
        </thead>
        <tbody role="rowgroup">
          ${rows.map((row) => html`<${QueueRow} key=${row.queue.id} ...${row} />`)}
        </tbody>
      </table>
    </section>
  `;
}

function head(label, index) {
  return html`<th scope="col" role="columnheader" class=${index ? "number" : "number first"}>${label}</th>`;
}

function sameWord(a, b) {
  return a.toLocaleLowerCase() === b.toLocaleLowerCase();
}

function QueueRow({ queue, waiting, oldest, inProgress, agents, today }) {
  const stranded = waiting > 0 && agents.ready === 0;
  return html`
    <tr role="row" data-queue=${queue.name}>
      <th scope="row" role="rowheader">
        ${queue.display_name}
        ${!sameWord(queue.display_name, queue.name) && html`<span class="minor">${queue.name}</span>`}
      </th>
      <${Cell} label=${TEXT.waiting} of="waiting" value=${waiting} strong=${waiting > 0} alarm=${stranded} first />
      <td role="cell" class="number" data-label=${TEXT.longestWait} data-figure="oldest">
        ${oldest
          ? html`<${Counter} since=${oldest} limit=${queue.service_level_seconds} limitText=${TEXT.overServiceLevel} />`
          : html`<span class="zero">${NO_FIGURE}</span>`}
      </td>
      <${Cell} label=${TEXT.inProgress} of="in-progress" value=${inProgress} />
      ${AGENT_COLUMNS.map(
        ({ group, label, of }, index) =>
          html`<${Cell} key=${group} label=${label} of=${group} value=${sum(agents, of)} first=${index === 0} />`,
      )}
      <${DayFigures} today=${today} />
    </tr>
  `;
}

/** The day's figures: without traffic there is nothing to say, and nothing is not zero. */
function DayFigures({ today }) {
  const { offered, answered, abandoned } = today ?? { offered: 0 };
  const share = offered ? Math.round((100 * abandoned) / offered) : 0;
  return [
    html`<${Cell} key="offered" label=${TEXT.offered} of="offered" value=${offered || null} first />`,
    html`<${Cell} key="answered" label=${TEXT.answered} of="answered" value=${offered ? answered : null} />`,
    html`
      <${Cell} key="abandoned" label=${TEXT.abandoned} of="abandoned" value=${offered ? abandoned : null}>
        ${share > 0 && html`<span class="minor">${share}%</span>`}
      <//>
    `,
  ];
}

function Cell({ label, of, value, strong, alarm, first, children }) {
  const shade = value ? (strong ? "strong" : "") : "zero";
  return html`
    <td role="cell" class=${first ? "number first" : "number"} data-label=${label} data-figure=${of}>
      <span class=${alarm ? "alarm" : shade}>${value ?? NO_FIGURE}</span>${children}
    </td>
  `;
}
