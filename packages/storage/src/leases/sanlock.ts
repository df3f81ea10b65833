/**
 * The sanlock daemon of this host. It keeps leases on shared storage: a host's own (renewed all the time, in a
 * lockspace) and those of VMs (held only as long as the host's own is fresh). What a move waits for is asked over its
 * socket; what takes the storage's time anyway (joining, formatting, a lease's first holder), of its own program.
 */
import { open } from "node:fs/promises";
import { join } from "node:path";
import { GodwitError, type LeaseMode } from "@godwit/contract";
import { run, withReserve } from "@godwit/system";
import { renewalIn } from "./lockspace-file.ts";
import {
  ownersIn,
  placedRecord,
  resourceRecord,
  type LeasePlace,
  type ResourceOnDisk,
} from "./sanlock-resource.ts";
import { ask, askHosts, askStatus, type SanlockState } from "./sanlock-socket.ts";

export interface SanlockOptions {
  /** Where the daemon's socket is, if not at its usual place. */
  runFolder?: string;
}

/**
 * A resource that this host holds. `orphan`: its holder is gone, and the lease stays until somebody takes it over;
 * `changing`: sanlock is still taking it or giving it back.
 */
export interface Holding {
  lockspace: string;
  resource: string;
  path: string;
  mode: LeaseMode;
  state: "held" | "orphan" | "changing";
  pid: number;
}

/** A host's own lease as this host's daemon sees it. Times are of this host's monotonic clock, in seconds. */
export interface HostLease {
  id: number;
  name: string;
  /** Grows each time the host joins. */
  generation: number;
  /** On that host's own clock: when it renewed last; 0: it has left. */
  timestamp: number;
  /** When a renewal was seen last, and when it was looked for last. */
  lastLive: number;
  lastCheck: number;
  ioTimeoutSeconds: number;
}

/** The daemon's answer to a question. Negative codes are its own, below -200, or the system's. */
export type SanlockCode = number;

/** Codes that mean: another host holds it. EAGAIN, and the ACQUIRE_ group of sanlock_rv.h. */
export const heldByAnotherHost: ReadonlySet<SanlockCode> = new Set([-11, -16, -242, -243, -244, -245, -246]);
export const alreadyDone = -114;

/** Codes that people meet: the system's, and those of sanlock_rv.h. */
const codeWords: Readonly<Record<SanlockCode, string>> = {
  [-2]: "no such file",
  [-5]: "input/output error",
  [-13]: "permission denied for sanlock's user",
  [-19]:
    "it could not open its file: the storage is away, is closed to sanlock's user (uname and gname in /etc/sanlock/sanlock.conf should be root), or does no direct I/O (O_DIRECT)",
  [-22]: "its file holds no lease, or the storage does no direct I/O (O_DIRECT)",
  [-28]: "the storage is full",
  [-30]: "the storage is mounted read-only",
  [-116]: "stale file handle: the NFS server does not know the file any more",
  [-202]: "the storage did not answer in time",
};

/** A code as people can read and search it. */
export const answerText = (code: SanlockCode): string =>
  codeWords[code] === undefined ? String(code) : `${String(code)} (${codeWords[code]})`;

/** 2000 hosts of a sector of 4 KiB each, rounded up. */
const lockspaceLimitBytes = 8 * 1024 * 1024;
const usualRunFolder = "/run/sanlock";
/** Its daemon answers from memory. */
const answerLimitMs = 5000;
/** It reads and writes the storage for these. */
const storageLimitMs = 20_000;

export class Sanlock {
  readonly #env: Record<string, string>;
  readonly #socket: string;

  constructor({ runFolder }: SanlockOptions = {}) {
    this.#env = runFolder === undefined ? {} : { SANLOCK_RUN_DIR: runFolder };
    this.#socket = join(runFolder ?? usualRunFolder, "sanlock.sock");
  }

  get env(): Readonly<Record<string, string>> {
    return this.#env;
  }

  /** @throws SANLOCK_UNAVAILABLE, SANLOCK_NOT_ASKED */
  async daemon(): Promise<{ hostName: string; usesWatchdog: boolean }> {
    const state = (await askStatus(this.#socket, answerLimitMs)).find(({ kind }) => kind === "daemon");
    if (state === undefined)
      throw GodwitError.of("SANLOCK_UNAVAILABLE", { reason: "its daemon does not run" });
    return { hostName: state.name, usesWatchdog: state.values.use_watchdog === "1" };
  }

  /**
   * Lockspaces that this host has joined, or is joining or leaving; and what its processes hold.
   * @throws SANLOCK_UNAVAILABLE, SANLOCK_NOT_ASKED
   */
  async status(): Promise<{
    lockspaces: { name: string; id: number; isJoined: boolean }[];
    holdings: Holding[];
  }> {
    const states = await this.#states();
    return {
      lockspaces: states.flatMap(({ name, lockspace, values }) =>
        // What is being joined or left is in another list.
        lockspace === null ? [] : [{ name, id: lockspace.id, isJoined: values.list === "spaces" }],
      ),
      holdings: states.flatMap(holdingOf),
    };
  }

  /**
   * VMs are ended for what is missing here, and an answer that its daemon's death breaks off between two records looks
   * whole. So it is asked twice, and only what neither answer has is missing: a daemon that died gives no second one,
   * and one that was started since has lost what is missing.
   */
  async #states(): Promise<SanlockState[]> {
    const before = await askStatus(this.#socket, answerLimitMs);
    const now = await askStatus(this.#socket, answerLimitMs);
    for (const states of [before, now]) {
      if (!states.some(({ kind }) => kind === "daemon"))
        throw GodwitError.of("SANLOCK_UNAVAILABLE", { reason: "its daemon broke off its answer" });
    }
    const keyOf = ({ kind, name, resource }: SanlockState) =>
      [kind, name, resource?.lockspace ?? ""].join(" ");
    const known = new Set(now.map(keyOf));
    return [...now, ...before.filter((state) => !known.has(keyOf(state)))];
  }

  /**
   * All hosts that ever joined the lockspace and whose place was not taken since.
   * @throws SANLOCK_UNAVAILABLE, also when this host has not joined; SANLOCK_NOT_ASKED
   */
  async hosts(lockspace: string): Promise<HostLease[]> {
    const states = await askHosts(this.#socket, lockspace, answerLimitMs);
    return states.flatMap(({ kind, values }) => {
      if (kind !== "host") return [];
      return [
        {
          id: Number(values.owner_id),
          name: values.owner_name ?? "",
          generation: Number(values.owner_generation),
          timestamp: Number(values.timestamp),
          lastLive: Number(values.last_live),
          lastCheck: Number(values.last_check),
          ioTimeoutSeconds: Number(values.io_timeout),
        },
      ];
    });
  }

  /** Formats a lockspace's file. The first to take a host id waits by the time-out that is written here. @throws PROGRAM_FAILED */
  async initLockspace(place: LeasePlace, ioTimeoutSeconds: number): Promise<void> {
    await this.#direct(
      ["init", "-s", lockspaceText(place, 0), "-o", String(ioTimeoutSeconds)],
      `making the lockspace ${place.path}`,
    );
  }

  /** Formats a resource's file. @throws PROGRAM_FAILED */
  async initResource(place: LeasePlace): Promise<void> {
    await this.#direct(["init", "-r", resourceText(place)], `making the lease ${place.path}`);
  }

  /** Host ids of a lockspace that were ever taken, with the names of their hosts. */
  async takenIds(place: LeasePlace): Promise<Map<number, string>> {
    const taken = new Map<number, string>();
    for (const [, owner, rest] of await this.#dump(place)) {
      const [, id] = rest?.split(/\s+/) ?? [];
      if (owner !== undefined && Number(id) > 0) taken.set(Number(id), owner);
    }
    return taken;
  }

  async readResource(place: LeasePlace): Promise<ResourceOnDisk> {
    const question = { command: "readOwners", body: placedRecord(place) } as const;
    const answer = await ask(this.#socket, question, storageLimitMs);
    if (answer.code < 0)
      throw GodwitError.of("PROGRAM_FAILED", {
        program: "sanlock",
        what: `reading the lease ${place.path}`,
        output: `it answered ${answerText(answer.code)}`,
      });
    return ownersIn(answer);
  }

  /** Takes a host id; lasts for some io timeouts. */
  async join(place: LeasePlace, id: number, ioTimeoutSeconds: number): Promise<SanlockCode> {
    const question = ["add_lockspace", "-s", lockspaceText(place, id), "-o", String(ioTimeoutSeconds)];
    return await this.#ask(question, 30_000 + ioTimeoutSeconds * 20_000);
  }

  /** Gives a host id back; lasts for some io timeouts. */
  async leave(place: LeasePlace, id: number, ioTimeoutSeconds: number): Promise<SanlockCode> {
    return await this.#ask(
      ["rem_lockspace", "-s", lockspaceText(place, id)],
      30_000 + ioTimeoutSeconds * 20_000,
    );
  }

  async convert(place: LeasePlace, mode: LeaseMode, pid: number): Promise<SanlockCode> {
    return await this.#command("convert", resourceRecord(place, mode), [0, pid]);
  }

  async release(place: LeasePlace, pid: number): Promise<SanlockCode> {
    return await this.#command("release", resourceRecord(place), [1, pid]);
  }

  /**
   * The argument vector that runs a program once this host has the lease, as its holder. Says `acquire done CODE`
   * else. The lease outlives the program: only releasing it gives it back.
   * @param orphan takes over what a holder that is gone has left
   */
  commandUnder(place: LeasePlace, mode: LeaseMode, orphan: boolean, argv: readonly string[]): string[] {
    const flags = ["-P", "1", ...(orphan ? ["-O", "1"] : [])];
    return ["sanlock", "client", "command", ...flags, "-r", resourceText(place, mode), "-c", ...argv];
  }

  /** The argument vector that runs a program for as long as this host has the resource, which its end gives back. */
  commandWhileHeld(place: LeasePlace, argv: readonly string[]): string[] {
    return ["sanlock", "client", "command", "-r", resourceText(place), "-c", ...argv];
  }

  /**
   * When this host's own lease was renewed, by its own monotonic clock, read past the daemon; null: never. No program
   * is started for it. The file is read through this host's cache, which is as new as what this host's own
   * daemon wrote last: direct writes put older pages of the same host out of it.
   */
  async ownRenewal(place: LeasePlace, host: string): Promise<number | null> {
    const file = await withReserve(() => open(place.path, "r"));
    try {
      const { size } = await file.stat();
      // A block device tells no size.
      const bytes = Buffer.alloc(size === 0 ? lockspaceLimitBytes : Math.min(size, lockspaceLimitBytes));
      const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
      return renewalIn(bytes.subarray(0, bytesRead), host);
    } finally {
      await file.close();
    }
  }

  /** @param numbers of the header: how many leases, where the command may be of several, and whose they are */
  async #command(
    command: "convert" | "release",
    body: Buffer,
    numbers: readonly [number, number],
  ): Promise<SanlockCode> {
    return (await ask(this.#socket, { command, data: numbers, body }, storageLimitMs)).code;
  }

  async #ask(question: readonly string[], timeoutMs?: number): Promise<SanlockCode> {
    const { stdout, stderr } = await this.#client(question, [0, 1], timeoutMs);
    return codeOf(`${stdout}\n${stderr}`);
  }

  async #client(args: readonly string[], okCodes: readonly number[] = [0], timeoutMs = 20_000) {
    const words = { what: "asking this host's sanlock", env: this.#env, okCodes, timeoutMs };
    return await run("sanlock", ["client", ...args], words);
  }

  async #direct(args: readonly string[], what: string): Promise<void> {
    const { stdout } = await run("sanlock", ["direct", ...args], { what, env: this.#env, okCodes: [0, 1] });
    const code = codeOf(stdout);
    if (code !== 0)
      throw GodwitError.of("PROGRAM_FAILED", {
        program: "sanlock",
        what,
        output: `it answered ${answerText(code)}`,
      });
  }

  /** The lines of a dump: for the first, lockspace, name and the numbers; then whatever words there are. */
  async #dump({ path }: LeasePlace): Promise<string[][]> {
    const words = { what: `reading the lease ${path}`, env: this.#env };
    const { stdout } = await run("sanlock", ["direct", "dump", escaped(path)], words);
    return stdout
      .split("\n")
      .slice(1)
      .filter((line) => line.trim() !== "")
      .map((line) => {
        const leader = /^\d{8,}\s+(\S+)\s+(\S+)\s+(\d+ .*)$/.exec(line);
        return leader === null ? line.trim().split(/\s+/) : leader.slice(1);
      });
  }
}

function holdingOf({ name, pid, values, resource }: SanlockState): Holding[] {
  if (resource === null) return [];
  const { lockspace, path, isShared } = resource;
  return [
    { lockspace, resource: name, path, mode: isShared ? "SH" : "EX", state: stateOf(values.list), pid },
  ];
}

/** By the daemon's list that it is in. */
function stateOf(list: string | undefined): Holding["state"] {
  if (list === "held") return "held";
  return list?.startsWith("orphan") === true ? "orphan" : "changing";
}

/** `… done CODE` is the last word of every question. @throws PROGRAM_FAILED where there is none */
export function codeOf(output: string): SanlockCode {
  const code = [...output.matchAll(/\bdone (-?\d+)/g)].at(-1)?.[1];
  if (code !== undefined) return Number(code);
  throw GodwitError.of("SANLOCK_UNAVAILABLE", { reason: "its daemon does not answer" });
}

const escaped = (path: string): string => path.replaceAll(":", "\\:");

const lockspaceText = ({ lockspace, path }: LeasePlace, id: number): string =>
  `${lockspace}:${String(id)}:${escaped(path)}:0`;

const resourceText = ({ lockspace, resource, path }: LeasePlace, mode: LeaseMode = "EX"): string =>
  `${lockspace}:${resource ?? ""}:${escaped(path)}:0${mode === "SH" ? ":SH" : ""}`;
