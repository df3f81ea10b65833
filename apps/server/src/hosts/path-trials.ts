/**
 * Tries the way of a migration stream between two hosts: the destination's agent listens, the source's connects. What a
 * try that could not be made means is not known, and told as that.
 */
import { randomBytes } from "node:crypto";
import { findingOf, GodwitError, type ErrorCode } from "@godwit/contract";
import type { PathTrial } from "@godwit/requirements";
import type { HostLink } from "./host-link.ts";

/** Longer than the agents' own limits together. */
const tryMs = 15_000;
/** When a host is emptied its ways are looked at again and again. */
const keptMs = 20_000;
/** Of one source at once, so that they do not measure each other. */
const atOnce = 4;

export class PathTrials {
  readonly #linkTo: (host: string) => HostLink;
  readonly #known = new Map<string, { trial: PathTrial; atMs: number }>();

  constructor(linkTo: (host: string) => HostLink) {
    this.#linkTo = linkTo;
  }

  /** Now. */
  async try(from: string, to: string): Promise<PathTrial> {
    const trial = await this.#try(from, to).catch(outcomeOf);
    this.#known.set(JSON.stringify([from, to]), { trial, atMs: performance.now() });
    return trial;
  }

  /** To several, where what was found a moment ago is good enough. */
  async tryAll(from: string, to: readonly string[]): Promise<Map<string, PathTrial>> {
    const found = new Map<string, PathTrial>();
    const left = [...to];
    const worker = async () => {
      for (let host = left.pop(); host !== undefined; host = left.pop()) {
        const known = this.#known.get(JSON.stringify([from, host]));
        const isNew = known !== undefined && performance.now() - known.atMs < keptMs;
        found.set(host, isNew ? known.trial : await this.try(from, host));
      }
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
    return found;
  }

  async #try(from: string, to: string): Promise<PathTrial> {
    const secret = randomBytes(32).toString("hex");
    const [source, destination] = [this.#linkTo(from), this.#linkTo(to)];
    const options = { timeoutMs: tryMs };
    const listening = await destination.agent.call("probeListen", { body: { secret, from } }, options);
    const body = { secret, to, ...listening };
    return { kind: "tried", ...listening, probe: await source.agent.call("probeRun", { body }, options) };
  }
}

const refusals: readonly ErrorCode[] = [
  "MIGRATION_NETWORK_MISSING",
  "MIGRATION_ADDRESS_ABSENT",
  "MIGRATION_PORTS_TAKEN",
];

function outcomeOf(error: unknown): PathTrial {
  if (!GodwitError.is(error)) throw error;
  if (refusals.some((code) => error.code === code)) return { kind: "refused", finding: findingOf(error) };
  return { kind: "untried", reason: error.message.replace(/\.$/, "") };
}
