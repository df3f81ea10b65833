/** Errors of a VM's serial console: one person at a time may type. */
import { define } from "./define.ts";

export const consoleErrors = {
  CONSOLE_IN_USE: define<{ vm: string; by: string; since: string }>(
    409,
    "later",
    (d) => `The console of VM ${d.vm} is in use by ${d.by} since ${d.since}.`,
    () => "Watch it with --read-only, or take it over with --force.",
  ),
  CONSOLE_TAKEN_OVER: define<{ vm: string; by: string }>(
    409,
    "never",
    (d) => `${d.by} took over the console of VM ${d.vm}.`,
    () => "Watch it with --read-only, or take it back with --force.",
  ),
  CONSOLE_LOST: define<{ vm: string; host: string; reason: string }>(
    503,
    "later",
    (d) => `The console of VM ${d.vm} on host ${d.host} was lost: ${d.reason}.`,
    (d) => `The VM may run on. godwit vm show ${d.vm} shows what is known of it.`,
  ),
  WEBSOCKET_REQUIRED: define<{ path: string }>(
    426,
    "never",
    (d) => `${d.path} is a WebSocket.`,
    () => "Ask with Connection: Upgrade and Upgrade: websocket.",
  ),
} as const;
