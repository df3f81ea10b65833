/** A console whose host says what the server does not know: the session goes on, and so does the server. */
import { EventEmitter } from "node:events";
import type { VmView } from "@godwit/contract";
import { pino } from "pino";
import { expect, test } from "vitest";
import { ConsoleSession, type ConsoleSessionOptions } from "../src/consoles/console-session.ts";

/** What a session uses of a WebSocket. */
class FakeSocket extends EventEmitter {
  readonly sent: unknown[] = [];
  readonly isPaused = false;
  readonly bufferedAmount = 0;
  send(data: unknown): void {
    this.sent.push(data);
  }
  pause(): void {
    // nothing to hold back
  }
  resume(): void {
    // nothing was held back
  }
  ping(): void {
    // nobody answers
  }
  close(): void {
    this.emit("close");
  }
  terminate(): void {
    this.emit("close");
  }
}

test.for([
  "{not json",
  "null",
  '{"type":"later"}',
  '{"type":"attached","host":"../../etc","at":"x"}',
  "[[[[",
])("%s from a host ends neither the console nor the server", async (message) => {
  const user = new FakeSocket();
  const upstream = new FakeSocket();
  const opened = Promise.withResolvers<undefined>();
  const vm = { id: "v", name: "web-1", host: "a", state: "running" } as unknown as VmView;
  const session = new ConsoleSession({
    vm,
    socket: user,
    query: { readOnly: false, tailBytes: 0 },
    store: { vms: { show: async () => vm }, tasks: { unfinished: async () => [] } },
    hosts: {
      of: () => ({
        agent: {
          open: async () => {
            opened.resolve(undefined);
            return upstream;
          },
        },
      }),
    },
    log: pino({ level: "silent" }),
  } as unknown as ConsoleSessionOptions);
  const running = session.run();
  await opened.promise;
  await new Promise(setImmediate);
  upstream.emit("message", Buffer.from(message), false);
  upstream.emit("message", Buffer.from('{"type":"attached","host":"a","process":"1","at":0}'), false);
  upstream.emit("message", Buffer.from("hello"), true);
  expect(user.sent).toEqual([JSON.stringify({ type: "attached", host: "a" }), Buffer.from("hello")]);
  user.close();
  await running;
});
