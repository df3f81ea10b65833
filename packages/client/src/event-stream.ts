/** Events of a `text/event-stream`, and how a stream that was lost is made again. */
import { eventHeadSchema, parseJson, type EventHead } from "@godwit/contract/calling";
import { GodwitError } from "@godwit/contract/errors";
import type { ParseError } from "eventsource-parser";
import type { z } from "zod";
import { paced, type AnswerLimits } from "./bounded.ts";

/** The data of each message, as JSON. @throws ParseError when one is longer than the limits let */
export async function* messagesOf(body: AsyncIterable<Uint8Array>, limits: AnswerLimits): AsyncGenerator {
  const { createParser } = await import("eventsource-parser");
  const decoder = new TextDecoder();
  const found: string[] = [];
  const tooLong: ParseError[] = [];
  const parser = createParser({
    maxBufferSize: limits.event,
    onEvent: ({ data }) => {
      found.push(data);
    },
    onError: (error) => {
      if (error.type === "max-buffer-size-exceeded") tooLong.push(error);
    },
  });
  for await (const chunk of paced(body, limits.eventsPerSecond)) {
    parser.feed(decoder.decode(chunk, { stream: true }));
    for (const data of found.splice(0)) yield jsonOrUndefined(data);
    if (tooLong[0] !== undefined) throw tooLong[0];
  }
}

/** @throws Error for what is no event; `onUnknown` is told of an event that this version does not know */
export function eventOf(
  json: unknown,
  schema: z.ZodType | undefined,
  onUnknown: ((event: EventHead) => void) | undefined,
): { event: unknown } | null {
  const event = schema?.safeParse(json);
  if (event?.success === true) return { event: event.data };
  const head = eventHeadSchema.safeParse(json);
  if (!head.success) throw new Error("it sent something that is not an event");
  onUnknown?.(head.data);
  return null;
}

/** No answer of the contract is undefined: what is not JSON fits no schema. */
export function jsonOrUndefined(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

/** The pause doubles until a stream has flowed for a while. */
const firstRetryMs = 50;
const longestRetryMs = 2000;
const provenMs = 2000;

export interface FollowOptions {
  after?: number | undefined;
  signal: AbortSignal;
  onOpen?: () => void;
  onUnknown?: (event: EventHead) => void;
  onLost?: (error: GodwitError) => void;
}

/** Events for as long as the signal lets: a stream that was lost is opened again after the last event. */
export async function* followed<Event>(
  open: (options: FollowOptions) => AsyncIterable<Event>,
  options: FollowOptions,
): AsyncGenerator<Event> {
  let { after } = options;
  let waitMs = firstRetryMs;
  const connection = { openedAtMs: Number.POSITIVE_INFINITY };
  const isOver = () => options.signal.aborted;
  const onOpen = () => {
    options.onOpen?.();
    connection.openedAtMs = performance.now();
  };
  const onUnknown = (event: EventHead) => {
    after = event.id;
    options.onUnknown?.(event);
  };
  while (!isOver()) {
    try {
      for await (const event of open({ signal: options.signal, after, onOpen, onUnknown })) {
        after = (event as EventHead).id;
        yield event;
      }
    } catch (error) {
      if (isOver()) return;
      if (!GodwitError.is(error)) throw error;
      options.onLost?.(error);
    }
    // A connection that ends as soon as it stands has shown nothing.
    if (performance.now() - connection.openedAtMs > provenMs) waitMs = firstRetryMs;
    connection.openedAtMs = Number.POSITIVE_INFINITY;
    // No event says when the other side is back. Many who lost it at once do not come back at once.
    await pause(waitMs * (0.5 + Math.random()), options.signal);
    waitMs = Math.min(waitMs * 2, longestRetryMs);
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const done = () => {
    resolve(undefined);
  };
  const timer = setTimeout(done, ms);
  signal.addEventListener("abort", done, { once: true });
  await promise;
  clearTimeout(timer);
  signal.removeEventListener("abort", done);
}
