/** Events as `text/event-stream`: each with its id, so that a reader who lost the connection resumes after it. */
import { once } from "node:events";
import type { EventHead } from "@godwit/contract";
import type { FastifyReply } from "fastify";

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
  const heartbeat = setInterval(() => raw.write(": still here\n\n"), heartbeatMs);
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
