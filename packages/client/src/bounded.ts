/**
 * What is read of the other side: so much, in such a time, and so fast. It may be a host that somebody else controls;
 * its answer without an end must cost this program neither memory nor all of its processor time.
 */

/** In bytes. */
export interface AnswerLimits {
  answer: number;
  /** Of one event of a stream. */
  event: number;
  /** Of all events of a stream in one second; a sender of more is read later. */
  eventsPerSecond: number;
}

const mib = 1024 * 1024;

/** Of a server, whose lists are as long as the cluster is large. */
export const serverAnswers: AnswerLimits = { answer: 256 * mib, event: 8 * mib, eventsPerSecond: Infinity };

/** Of an agent, which tells of one host. */
export const hostAnswers: AnswerLimits = { answer: 8 * mib, event: 2 * mib, eventsPerSecond: 2 * mib };

/** A refusal is a sentence with its details. */
export const refusalBytes = 4 * mib;

type Body = AsyncIterable<Uint8Array> & { destroy(error?: Error): unknown };

/** The text of a whole answer. @throws Error when it is longer, or takes longer */
export async function textOf(body: Body, maxBytes: number, limitMs: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const timer = setTimeout(() => {
    body.destroy(new Error(`its answer had no end after ${String(limitMs / 1000)} s`));
  }, limitMs);
  try {
    for await (const chunk of body) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw new Error(`its answer is longer than ${String(maxBytes)} bytes`);
      chunks.push(chunk);
    }
  } finally {
    clearTimeout(timer);
    body.destroy();
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** The bytes as they come; after so many in one second, the rest of the second is waited for. */
export async function* paced(
  body: AsyncIterable<Uint8Array>,
  bytesPerSecond: number,
): AsyncGenerator<Uint8Array> {
  let beganAt = performance.now();
  let bytes = 0;
  for await (const chunk of body) {
    const leftMs = beganAt + 1000 - performance.now();
    if (leftMs <= 0) {
      beganAt = performance.now();
      bytes = 0;
    } else if (bytes > bytesPerSecond) {
      await new Promise((resolve) => setTimeout(resolve, leftMs));
      beganAt = performance.now();
      bytes = 0;
    }
    bytes += chunk.length;
    yield chunk;
  }
}
