/**
 * undici's HTTP requests without the rest of undici. Its index also loads fetch, WebSocket, caches and mocks, and loading
 * them costs a command of the CLI more processor time than its request does. The code is the same; if an update of
 * undici moves these files, loading this one fails.
 */
import type { Dispatcher } from "undici";
import request from "undici/lib/api/api-request.js";
import Agent from "undici/lib/dispatcher/agent.js";

export { Agent };

/** As undici's `request(url, options)`. */
export async function send(
  agent: Agent,
  url: URL,
  options: Omit<Dispatcher.RequestOptions, "origin" | "path">,
): Promise<Dispatcher.ResponseData> {
  return await request.call(agent, { ...options, origin: url.origin, path: url.pathname + url.search });
}
