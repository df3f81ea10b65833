/**
 * One lease for the VM, as its hosts see it: each through a sanlock daemon of its own, on a file that all share.
 * A short timeout and no watchdog: what is asked here is who may run, not how fast a dead host is found out.
 */
import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { Program } from "@godwit/lab";
import { run, UndoStack, until } from "@godwit/system";
import { hostNames, type HostName } from "./marks.ts";

export type LeaseMode = "EX" | "SH";
/** Null when granted, else sanlock's own number for why not. */
export type Refusal = string | null;

const sector = 2 ** 20;
/**
 * How long one read or write of the leases may take. Not less: a disk that everything else writes to as well answers after
 * seconds. A daemon has joined the lockspace after twice this and a second.
 */
const ioTimeoutSeconds = "3";

/** Bytes that so many leases need. */
export const bytesOf = (count: number): number => (count + 1) * sector;

/** Where the leases lie: paths of each host, which all lead to the same bytes; they are there and large enough. */
export interface LeaseStorage {
  /** @param vm whose lease is reached by it; null: the hosts' own */
  pathOn: (host: HostName, vm: number | null) => string;
}

export class Leases implements AsyncDisposable {
  readonly #folder: string;
  readonly #storage: LeaseStorage;
  readonly #daemons: readonly Program[];

  private constructor(folder: string, storage: LeaseStorage, daemons: readonly Program[]) {
    this.#folder = folder;
    this.#storage = storage;
    this.#daemons = daemons;
  }

  /**
   * @param count of leases: each VM has its own, from 0
   * @param given absent: a file that is made in the folder
   * @throws PROGRAM_FAILED
   */
  static async start(
    parent: string,
    count: number,
    hosts: readonly HostName[] = hostNames,
    given?: LeaseStorage,
  ): Promise<Leases> {
    const folder = join(parent, "leases");
    const daemons: Program[] = [];
    await using undo = new UndoStack(() => undefined);
    for (const host of hosts) {
      await mkdir(join(folder, host), { recursive: true });
      const daemon = await Program.start({
        what: `sanlock of host ${host}`,
        argv: [
          ...["sanlock", "daemon", "-D", "-w", "0", "-h", "0", "-l", "0", "-L", "4", "-S", "-1"],
          ...["-U", "root", "-G", "root", "-e", `split-brain-${host}`],
        ],
        env: environment(folder, host),
      });
      undo.push(`end sanlock of host ${host}`, () => daemon.end());
      daemons.push(daemon);
      await daemon.says(/sanlock daemon started/);
    }
    const leases = new Leases(folder, given ?? (await fileIn(folder, count)), daemons);
    const path = leases.#storage.pathOn("source", null);
    await leases.#ask("source", ["init", "-s", `vms:0:${path}:0`, "-o", ioTimeoutSeconds]);
    for (let vm = 0; vm < count; vm++)
      await leases.#ask("source", ["init", "-r", leases.#resource("source", vm)]);
    await Promise.all(
      hosts.map((host, index) => {
        const space = `vms:${String(index + 1)}:${leases.#storage.pathOn(host, null)}:0`;
        return leases.#ask(host, ["add_lockspace", "-s", space, "-o", ioTimeoutSeconds]);
      }),
    );
    undo.commit();
    return leases;
  }

  /** How to start a program that may hold leases; with `vm`, only under the VM's exclusive one. */
  starting(host: HostName, argv: readonly string[], vm?: number) {
    const under = vm === undefined ? [] : ["-r", this.#resource(host, vm)];
    return {
      argv: ["sanlock", "client", "command", ...under, "-c", ...argv],
      env: environment(this.#folder, host),
    };
  }

  /** For a program that holds none yet. */
  async acquire(host: HostName, vm: number, mode: LeaseMode, pid: number): Promise<Refusal> {
    return await this.#decided(host, ["acquire", "-r", this.#resource(host, vm, mode), "-p", String(pid)]);
  }

  /** For a program that holds one of the other mode. */
  async convert(host: HostName, vm: number, mode: LeaseMode, pid: number): Promise<Refusal> {
    return await this.#decided(host, ["convert", "-r", this.#resource(host, vm, mode), "-p", String(pid)]);
  }

  /** What a program holds. */
  async modeOf(host: HostName, vm: number, pid: number): Promise<LeaseMode | null> {
    const { stdout } = await this.#ask(host, ["inquire", "-p", String(pid)]);
    // NAME:RESOURCE:PATH:OFFSET:VERSION, with SH in the version's place for a shared lease
    const version = stdout.split(`"${this.#resource(host, vm)}:`)[1];
    if (version === undefined) return null;
    return version.startsWith("SH") ? "SH" : "EX";
  }

  /** How often it was granted exclusively since it was made, as it stands on the storage. */
  async grants(host: HostName, vm: number): Promise<number> {
    let count = Number.NaN;
    const isRead = async () => {
      // What is being given back just then has no right checksum.
      const { exitCode, stdout } = await run(
        "sanlock",
        ["direct", "read_leader", "-r", this.#resource(host, vm)],
        {
          what: `reading a lease on host ${host}`,
          env: environment(this.#folder, host),
          okCodes: [0, 1, 255],
        },
      );
      count = Number(/^lver (\d+)$/m.exec(stdout)?.[1]);
      return exitCode === 0;
    };
    await until(isRead, { everyMs: 200, limitMs: 60_000 });
    return count;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const daemon of this.#daemons) await daemon.end();
  }

  #resource(host: HostName, vm: number, mode: LeaseMode = "EX"): string {
    const name = `vms:vm${String(vm)}:${this.#storage.pathOn(host, vm)}:${String((vm + 1) * sector)}`;
    return mode === "SH" ? `${name}:SH` : name;
  }

  async #decided(host: HostName, args: readonly string[]): Promise<Refusal> {
    const { exitCode, stdout } = await this.#ask(host, args, [0, 1]);
    return exitCode === 0 ? null : (refusalIn(stdout) ?? "sanlock gives no reason");
  }

  async #ask(host: HostName, args: readonly string[], okCodes = [0]) {
    return await run("sanlock", ["client", ...args], {
      what: `asking sanlock of host ${host}`,
      env: environment(this.#folder, host),
      okCodes,
    });
  }
}

async function fileIn(folder: string, count: number): Promise<LeaseStorage> {
  const path = join(folder, "file");
  await using file = await open(path, "w");
  await file.truncate(bytesOf(count));
  return { pathOn: () => path };
}

/** What sanlock's words say of a question; null also where they are of something else. */
export function refusalIn(words: string): Refusal {
  const [, code = "0"] = /(?:acquire|convert) done (-?\d+)/.exec(words) ?? [];
  const meanings: Readonly<Record<string, string>> = {
    "-11": "another host shares the lease (sanlock -11)",
    "-243": "a live host holds the lease (sanlock -243)",
    "-244": "a live host holds the lease (sanlock -244)",
    "-245": "a live host was granted the lease at the same moment (sanlock -245)",
  };
  return code === "0" ? null : (meanings[code] ?? `sanlock ${code}`);
}

/** A daemon is found by its folder: so several live on one machine. */
const environment = (folder: string, host: HostName) => ({
  SANLOCK_RUN_DIR: join(folder, host),
  SANLOCK_PRIVILEGED: "0",
});
