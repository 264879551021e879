/** What the page must say beside its tables: the connection, the switch, and what became of a click. */

import { html } from "./html.js";
import { Icon } from "./icons.js";
import { clockTime } from "./time.js";
import * as words from "./words.js";

/** The badge of the header. It is read out when it changes, once, and politely. */
export function ConnectionBadge({ state, heard }) {
  return html`
    <span class="badge" role="status" data-connection=${state}>
      <span class="dot"></span>${words.connectionName(state, heard && clockTime(heard))}
    </span>
  `;
}

export function SwitchBadges({ picture }) {
  const nodes = [...picture.switch.values()];
  if (nodes.length === 0) return html`<span class="badge switch" data-connected="unknown">${words.TEXT.noSwitch}</span>`;
  return nodes.map(
    (node) => html`
      <span key=${node.node} class="badge switch" data-connected=${String(node.connected)} title=${node.detail}>
        <span class="dot"></span>${words.switchName(node)}
      </span>
    `,
  );
}

/** Bars over the page while what it shows is not the present. */
export function Warnings({ picture, state, heard }) {
  const lost = [...picture.switch.values()].filter((node) => !node.connected);
  return html`
    <div class="warnings" role="status">
      ${state === "stale" &&
      html`<p class="warning"><${Icon} name="warning" />${words.staleWarning(clockTime(heard))}</p>`}
      ${lost.map(
        (node) => html`
          <p key=${node.node} class="warning">
            <${Icon} name="warning" />
            <span>
              ${words.switchLost(node, clockTime(Date.parse(node.since)))}
              ${node.detail && html` <span class="minor">${node.detail}</span>`}
            </span>
          </p>
        `,
      )}
    </div>
  `;
}

export function Toasts({ toasts, onDismiss }) {
  return html`
    <div class="toasts" role="status">
      ${toasts.map(
        ({ id, text, kind }) => html`
          <p key=${id} class="toast" data-kind=${kind}>
            <span>${text}</span>
            <button type="button" aria-label=${words.TEXT.dismiss} onClick=${() => onDismiss(id)}><${Icon} name="close" /></button>
          </p>
        `,
      )}
    </div>
  `;
}
