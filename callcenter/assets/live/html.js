/** Templates without a build step: htm makes Preact's nodes of tagged templates. */

import htm from "../vendor/htm-3.1.1/htm.mjs";
import { Component, createRef, h } from "../vendor/preact-11.2.0/preact.mjs";

export const html = htm.bind(h);
export { Component, createRef };
