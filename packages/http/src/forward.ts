/** Messages of one WebSocket to another. */
import type { RawData, WebSocket } from "ws";

/** Forwards a message, and pauses the sender while more than `highWaterBytes` are unsent. */
export function forward(
  { data, binary }: { data: RawData; binary: boolean },
  from: WebSocket,
  to: WebSocket,
  highWaterBytes: number,
): void {
  to.send(data, { binary }, () => {
    if (from.isPaused && to.bufferedAmount < highWaterBytes / 2) from.resume();
  });
  if (to.bufferedAmount > highWaterBytes) from.pause();
}
