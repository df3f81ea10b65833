/** Events as `text/event-stream`: each with its id, so that a reader who lost the connection resumes after it. */
import { once } from "node:events";
import type { EventHead } from "@godwit/contract";
import type { FastifyReply } from "fastify";
import { limits } from "./limits.ts";

/** A comment at intervals, so that either side notices a dead connection. */
const heartbeatMs = 2000;

export async function streamEvents(
  reply: FastifyReply,
  events: AsyncIterable<EventHead>,
  signal: AbortSignal,
): Promise<void> {
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, {
    "content-type": "text/event-stream",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
  });
  raw.write(": connected\n\n");
  // A reader that takes nothing is not written to, and not waited for.
  raw.setTimeout(limits.answerStallMs, () => raw.destroy());
  const heartbeat = setInterval(() => {
    if (!raw.writableNeedDrain) raw.write(": still here\n\n");
  }, heartbeatMs);
  try {
    for await (const event of events) {
      if (signal.aborted) break;
      const frame = `id: ${String(event.id)}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
      if (!raw.write(frame)) await once(raw, "drain", { signal });
    }
  } catch (error) {
    if (!signal.aborted) reply.log.warn({ err: error }, "event stream ended");
  } finally {
    clearInterval(heartbeat);
    raw.end();
  }
}
