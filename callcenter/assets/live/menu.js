/** A small menu behind a button: Escape, a click elsewhere or leaving it by keyboard closes it. */

import { Component, createRef, html } from "./html.js";
import { Icon } from "./icons.js";

export class Menu extends Component {
  state = { open: false, asking: "" };
  root = createRef();

  componentDidMount() {
    this.outside = (event) => {
      if (this.state.open && !this.root.current.contains(event.target)) this.close();
    };
    document.addEventListener("pointerdown", this.outside);
  }

  componentWillUnmount() {
    document.removeEventListener("pointerdown", this.outside);
  }

  close() {
    this.setState({ open: false, asking: "" });
  }

  choose({ name, act, confirm }) {
    if (confirm && this.state.asking !== name) return this.setState({ asking: name });
    this.close();
    this.root.current.querySelector(".menu-button").focus();
    act();
  }

  key(event) {
    if (!this.state.open) return;
    if (event.key === "Escape") {
      this.close();
      this.root.current.querySelector(".menu-button").focus();
    }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const items = [...this.root.current.querySelectorAll(".menu-item")];
    const at = items.indexOf(document.activeElement);
    items.at((at + step) % items.length)?.focus();
  }

  left(event) {
    if (event.relatedTarget && !this.root.current.contains(event.relatedTarget)) this.close();
  }

  render({ label, items }, { open, asking }) {
    return html`
      <div ref=${this.root} class="menu" onKeyDown=${(event) => this.key(event)} onFocusOut=${(event) => this.left(event)}>
        <button
          type="button" class="menu-button" aria-label=${label} aria-expanded=${String(open)}
          onClick=${() => this.setState({ open: !open, asking: "" })}
        >
          <${Icon} name="more" />
        </button>
        ${open &&
        html`
          <div class="menu-items" role="group" aria-label=${label}>
            ${items.map(
              (item) => html`
                <button
                  key=${item.name} type="button" data-command=${item.name}
                  class=${asking === item.name ? "menu-item asking" : "menu-item"} onClick=${() => this.choose(item)}
                >
                  ${asking === item.name ? item.confirm : item.text}
                </button>
              `,
            )}
          </div>
        `}
      </div>
    `;
  }
}
