/** Icons, drawn on 16 by 16; always beside a text, so hidden from assistive technology. */

import { h } from "../vendor/preact-11.2.0/preact.mjs";

const SHAPES = {
  ready: "M3.2 8.6 6.4 11.8 12.8 4.6",
  ringing: "M8 2.2a3.7 3.7 0 0 1 3.7 3.7c0 3.4 1.5 4.6 1.5 4.6H2.8s1.5-1.2 1.5-4.6A3.7 3.7 0 0 1 8 2.2M6.6 13.2a1.6 1.6 0 0 0 2.8 0",
  busy: "M5.6 2.8 3.6 3.2c-.8 4.8 4.4 10 9.2 9.2l.4-2-2.7-1.5-1.3 1.2C7.7 9.4 6.6 8.3 5.9 6.800L7.1 5.500z",
  acw: "M4 2.500h6l2.5 2.500v8.500H4zM6.2 7.500h4M6.2 10.300h4",
  unready: "M5.5 3.500v9M10.5 3.500v9",
  logout: "M9.5 2.800H3.800v10.400h5.700M7.5 8h6M11.3 5.7 13.6 8l-2.3 2.3",
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  search: "M7.2 2.700a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9M10.5 10.500l3 3",
  close: "M4 4l8 8M12 4l-8 8",
  held: "M6 4.500v7M10 4.500v7",
  warning: "M8 2.5 14.2 13.300H1.800zM8 6.700v3M8 11.500h.01",
};

export function Icon({ name }) {
  const svg = { class: `icon icon-${name}`, viewBox: "0 0 16 16", "aria-hidden": "true", focusable: "false" };
  return h("svg", svg, h("path", { d: SHAPES[name] }));
}
