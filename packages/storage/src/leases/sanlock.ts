/**
 * The sanlock daemon of this host, asked through its own program. It keeps leases on shared storage: a host's
 * own (renewed all the time, in a lockspace) and those of VMs (held only as long as the host's own is fresh).
 */
import { GodwitError, type LeaseMode } from "@godwit/contract";
import { run } from "@godwit/system";

export interface SanlockOptions {
  /** Where the daemon's socket is, if not at its usual place. */
  runFolder?: string;
}

/** A place on storage with a name of its own. */
export interface LeasePlace {
  lockspace: string;
  /** Of a resource; absent for the lockspace itself. */
  resource?: string;
  path: string;
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

/** What lies on the storage: who had the lease exclusively last (`timestamp` 0: gave it back), and who shares it. */
export interface ResourceOnDisk {
  version: number;
  exclusive: { id: number; generation: number; timestamp: number } | null;
  shared: { id: number; generation: number }[];
}

/** The daemon's answer to a question. Negative codes are its own, below -200, or the system's. */
export type SanlockCode = number;

/** Codes that mean: another host holds it. EAGAIN, and the ACQUIRE_ group of sanlock_rv.h. */
export const heldByAnotherHost: ReadonlySet<SanlockCode> = new Set([-11, -16, -242, -243, -244, -245, -246]);
export const alreadyDone = -114;

export class Sanlock {
  readonly #env: Record<string, string>;

  constructor({ runFolder }: SanlockOptions = {}) {
    this.#env = runFolder === undefined ? {} : { SANLOCK_RUN_DIR: runFolder };
  }

  get env(): Readonly<Record<string, string>> {
    return this.#env;
  }

  /** @throws SANLOCK_UNAVAILABLE, PROGRAM_MISSING */
  async daemon(): Promise<{ hostName: string; usesWatchdog: boolean }> {
    const text = await this.#status(["-D"]);
    const value = (name: string) => new RegExp(`^\\s+${name}=(.*)$`, "m").exec(text)?.[1] ?? "";
    return { hostName: value("our_host_name"), usesWatchdog: value("use_watchdog") === "1" };
  }

  /** Lockspaces that this host has joined, or is joining or leaving; and what its processes hold. */
  async status(): Promise<{
    lockspaces: { name: string; id: number; isJoined: boolean }[];
    holdings: Holding[];
  }> {
    const lines = (await this.#status([])).split("\n");
    const lockspaces = lines.flatMap((line) => {
      const match = /^s (.*)$/.exec(line);
      if (match === null) return [];
      const [name = "", id = ""] = fieldsOf(match[1] ?? "");
      // What is being joined or left has a word behind it.
      return [{ name, id: Number(id), isJoined: !/ (ADD|REM)\b/.test(line) }];
    });
    const holdings = lines.flatMap((line) => {
      const match = /^r (.*) p (\d+)(.*)$/.exec(line);
      if (match === null) return [];
      const [lockspace = "", resource = "", path = "", , grant] = fieldsOf(match[1] ?? "");
      const mode: LeaseMode = grant === "SH" ? "SH" : "EX";
      const state = stateOf(match[3] ?? "");
      return [{ lockspace, resource, path, mode, state, pid: Number(match[2]) }];
    });
    return { lockspaces, holdings };
  }

  /** All hosts that ever joined the lockspace and whose place was not taken since. @throws SANLOCK_UNAVAILABLE */
  async hosts(lockspace: string): Promise<HostLease[]> {
    const { stdout, exitCode } = await this.#client(["host_status", "-s", lockspace, "-D"], [0, 1]);
    if (exitCode !== 0) {
      const reason = "its daemon does not run, or has not joined the leases of the datastore";
      throw GodwitError.of("SANLOCK_UNAVAILABLE", { reason });
    }
    return stdout
      .split(/^(?=\d+ timestamp )/m)
      .filter((part) => /^\d+ timestamp/.test(part))
      .map((part) => {
        const value = (name: string) => new RegExp(`^\\s+${name}=(.*)$`, "m").exec(part)?.[1] ?? "";
        return {
          id: Number(value("owner_id")),
          name: value("owner_name"),
          generation: Number(value("owner_generation")),
          timestamp: Number(value("timestamp")),
          lastLive: Number(value("last_live")),
          lastCheck: Number(value("last_check")),
          ioTimeoutSeconds: Number(value("io_timeout")),
        };
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
    const lines = await this.#dump(place);
    const [timestamp = 0, id = 0, generation = 0, version = 0] = (lines[0]?.[2] ?? "")
      .split(/\s+/)
      .map(Number);
    return {
      version,
      exclusive: timestamp === 0 ? null : { id, generation, timestamp },
      shared: lines.slice(1).flatMap(([first, second, third]) => {
        return third === "SH" ? [{ id: Number(first), generation: Number(second) }] : [];
      }),
    };
  }

  /** Takes a host id; lasts for some io timeouts. */
  async join(place: LeasePlace, id: number, ioTimeoutSeconds: number): Promise<SanlockCode> {
    const question = ["add_lockspace", "-s", lockspaceText(place, id), "-o", String(ioTimeoutSeconds)];
    return await this.#ask(question, 30_000 + ioTimeoutSeconds * 20_000);
  }

  async convert(place: LeasePlace, mode: LeaseMode, pid: number): Promise<SanlockCode> {
    return await this.#ask(["convert", "-r", resourceText(place, mode), "-p", String(pid)]);
  }

  async release(place: LeasePlace, pid: number): Promise<SanlockCode> {
    return await this.#ask(["release", "-r", resourceText(place), "-p", String(pid)]);
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

  /** When this host's own lease was renewed, by its own monotonic clock, read past the daemon; null: never. */
  async ownRenewal(place: LeasePlace, host: string): Promise<number | null> {
    const times = (await this.#dump(place)).flatMap(([, owner, rest]) =>
      owner === host ? [Number(rest?.split(/\s+/)[0])] : [],
    );
    return times.length === 0 ? null : Math.max(...times);
  }

  async #status(options: readonly string[]): Promise<string> {
    const { stdout, exitCode } = await this.#client(["status", ...options], [0, 1]);
    if (exitCode === 0 && stdout.startsWith("daemon")) return stdout;
    throw GodwitError.of("SANLOCK_UNAVAILABLE", { reason: "its daemon does not run" });
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
        output: `it answered ${String(code)}`,
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

function stateOf(flags: string): Holding["state"] {
  if (flags.includes("ORPHAN")) return "orphan";
  return flags.trim() === "" ? "held" : "changing";
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

const fieldsOf = (text: string): string[] =>
  text.split(/(?<!\\):/).map((field) => field.replaceAll("\\:", ":"));
