/** The agents board: what everybody does, since when, and what a supervisor may do about it. */

import { Caller } from "./calls.js";
import { agentsShown, byName, countByGroup, groupOf, GROUPS } from "./figures.js";
import { Component, html } from "./html.js";
import { Icon } from "./icons.js";
import { Menu } from "./menu.js";
import { Counter } from "./time.js";
import * as words from "./words.js";

const { TEXT } = words;
const NO_FILTER = { group: "", queue: "", text: "" };

export class Agents extends Component {
  state = NO_FILTER;

  render({ picture, onCommand }, filter) {
    const all = picture.agents.size;
    if (all === 0) {
      return html`
        <section class="panel" aria-labelledby="agents-title">
          <h2 id="agents-title">${TEXT.agents}</h2>
          <p class="empty"><strong>${TEXT.noAgents}</strong>${TEXT.noAgentsHelp}</p>
        </section>
      `;
    }
    const shown = agentsShown(picture, filter);
    return html`
      <section class="panel" aria-labelledby="agents-title">
        <div class="panel-head">
          <h2 id="agents-title">${TEXT.agents}<span class="count">${all}</span></h2>
          <${Search} picture=${picture} filter=${filter} onChange=${(change) => this.setState(change)} />
        </div>
        <${StateFilter} picture=${picture} filter=${filter} onChange=${(change) => this.setState(change)} />
        <p class="visually-hidden" role="status">${words.agentsShownOf(shown.length, all)}</p>
        ${shown.length
          ? html`<ul class="board">${shown.map((agent) => this.card(agent, picture, onCommand))}</ul>`
          : html`
              <p class="empty">
                <strong>${TEXT.noMatch}</strong>
                <button type="button" class="button" onClick=${() => this.setState(NO_FILTER)}>${TEXT.clearFilter}</button>
              </p>
            `}
      </section>
    `;
  }

  card(agent, picture, onCommand) {
    return html`<${AgentCard} key=${agent.id} agent=${agent} call=${picture.calls.get(agent.call)} onCommand=${onCommand} />`;
  }
}

function StateFilter({ picture, filter, onChange }) {
  const counts = countByGroup(picture.agents.values());
  const chip = (group, label, count) => html`
    <button
      key=${group} type="button" class="filter-chip" data-group=${group} aria-pressed=${String(filter.group === group)}
      onClick=${() => onChange({ group })}
    >
      ${group && html`<${Icon} name=${group} />`}${label}<span class="count">${count}</span>
    </button>
  `;
  return html`
    <div class="chips" role="group" aria-label=${TEXT.filterByState}>
      ${chip("", TEXT.all, picture.agents.size)}
      ${GROUPS.map((group) => chip(group, words.GROUP_NAMES[group], counts[group]))}
    </div>
  `;
}

function Search({ picture, filter, onChange }) {
  const queues = [...picture.queues.values()].sort(byName);
  return html`
    <div class="filters">
      <label class="search">
        <span class="visually-hidden">${TEXT.search}</span><${Icon} name="search" />
        <input
          type="search" placeholder=${TEXT.search} value=${filter.text} autocomplete="off"
          onInput=${(event) => onChange({ text: event.currentTarget.value })}
        />
      </label>
      <label class="choice">
        <span class="visually-hidden">${TEXT.filterByQueue}</span>
        <select value=${filter.queue} onChange=${(event) => onChange({ queue: event.currentTarget.value })}>
          <option value="">${TEXT.allQueues}</option>
          ${queues.map((queue) => html`<option key=${queue.id} value=${queue.id}>${queue.display_name}</option>`)}
        </select>
      </label>
    </div>
  `;
}

class AgentCard extends Component {
  shouldComponentUpdate({ agent, call }) {
    return agent !== this.props.agent || call !== this.props.call;
  }

  render({ agent, call, onCommand }) {
    const group = groupOf(agent);
    return html`
      <li class="agent" data-agent=${agent.name} data-state=${agent.state} data-group=${group}>
        <div class="agent-head">
          <span class="agent-name" title=${agent.name}>${agent.display_name}</span>
          ${agent.extension && html`<span class="minor"><span class="visually-hidden">${TEXT.extension} </span>${agent.extension}</span>`}
          <${AgentMenu} agent=${agent} onCommand=${onCommand} />
        </div>
        <div class="agent-state">
          <span class="chip"><${Icon} name=${group} /></span>
          <span class="state-text"><${StateText} agent=${agent} /></span>
          <${Counter} since=${agent.state_since} />
        </div>
        <${Details} agent=${agent} call=${call} />
      </li>
    `;
  }
}

function StateText({ agent }) {
  const { state, sub_state: sub, reason } = agent;
  const detail = [sub && words.subStateName(sub), reason && words.reasonName(reason)].filter(Boolean).join(" · ");
  return html`<b>${words.stateName(agent)}</b>${detail && html`<span class="sub-state">${detail}</span>`}`;
}

function Details({ agent, call }) {
  const lines = [];
  if (call) lines.push(html`<${Caller} key="call" call=${call} />`);
  if (agent.state === "ACW" && agent.acw_deadline) {
    lines.push(html`<span key="acw"><${Counter} until=${agent.acw_deadline} format=${words.wrapUpLeft} /></span>`);
  }
  if (agent.next_state) lines.push(html`<span key="next" class="next">${words.afterThis(agent.next_state)}</span>`);
  if (agent.missed_calls) lines.push(html`<span key="missed" class="missed">${words.missedCalls(agent.missed_calls)}</span>`);
  return html`<div class="agent-details">${lines}</div>`;
}

function AgentMenu({ agent, onCommand }) {
  if (agent.state === "LOGOUT") return null;
  const command = (name) => ({ name, text: words.commandName(name), act: () => onCommand(agent, name) });
  const items = [
    agent.state !== "READY" && command("ready"),
    agent.state !== "UNREADY" && command("unready"),
    { ...command("logout"), confirm: words.confirmSignOut(agent.display_name) },
  ];
  return html`<${Menu} label=${words.actionsFor(agent.display_name)} items=${items.filter(Boolean)} />`;
}
