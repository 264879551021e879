/** What a supervisor's click asks of the server. */

import { commandFailed, TEXT } from "./words.js";

const BODIES = { ready: {}, unready: { sub_state: "BREAK" }, logout: {} };

/** Ask for one command about an agent; resolves to the agent as it then stands, rejects with a text to show. */
export async function commandAgent({ api, token, agent, command }) {
  let response;
  try {
    response = await fetch(`${api}/agents/${agent.id}/${command}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRFToken": token },
      body: JSON.stringify(BODIES[command]),
    });
  } catch {
    throw new Error(TEXT.failed);
  }
  if (response.ok) return response.json();
  // A proxy on the way answers with a page of its own.
  const problem = await response.json().catch(() => ({}));
  throw new Error(commandFailed(problem.detail ?? response.statusText));
}
