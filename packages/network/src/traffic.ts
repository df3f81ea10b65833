/** How much each interface of this network namespace has carried since it was made: the kernel's counters. */
import { readFile } from "node:fs/promises";

export interface Traffic {
  receivedBytes: number;
  sentBytes: number;
}

/** By interface. @throws what reading throws */
export async function trafficCounters(): Promise<Map<string, Traffic>> {
  return parseTraffic(await readFile("/proc/self/net/dev", "utf8"));
}

/** Two lines of headings; then `name: ` and eight figures of what was received and eight of what was sent, bytes first. */
export function parseTraffic(text: string): Map<string, Traffic> {
  return new Map(
    [...text.matchAll(/^\s*(\S+?):\s*(\d+)(?:\s+\d+){7}\s+(\d+)/gm)].map(([, name = "", received, sent]) => [
      name,
      { receivedBytes: Number(received), sentBytes: Number(sent) },
    ]),
  );
}
