/**
 * The process that holds a VM's lease on this host (`lease-holder.pl`): started by sanlock's own program, which
 * asks for the lease first, and asked to start the VM's QEMU under it. It outlives the agent.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { access, constants, mkdir, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { GodwitError, type LeaseMode, nameSchema, parseJson, vmIdSchema } from "@godwit/contract";
import {
  endProcess,
  identifyProcess,
  leaseUnit,
  limitUnit,
  outlivingProperties,
  processArguments,
  readFileOrNull,
  run,
  sleep,
  systemdRuns,
  writeFileAtomic,
  type ProcessIdentity,
  type UnitLimits,
} from "@godwit/system";
import { z } from "zod";
import type { LeasedVm } from "./lease-files.ts";
import type { LeasePlace } from "./sanlock-resource.ts";
import { codeOf, type Sanlock, type SanlockCode } from "./sanlock.ts";

const program = fileURLToPath(new URL("lease-holder.pl", import.meta.url));
const startTimeoutMs = 20_000;
const holderLog = "holder.log";

/** What is recorded with a holder, for later agents. */
const noteSchema = z.object({
  version: z.literal(1),
  vm: z.object({ id: vmIdSchema, name: nameSchema, datastore: nameSchema }),
  /** Hosts that were seen to share the lease when it was last asked for alone, with their generations. */
  sharers: z.array(z.object({ id: z.int(), generation: z.int(), name: z.string() })),
  /** Of those, the ones that had not given it back. */
  fenced: z.array(z.string()).nullable(),
});
export type HolderNote = z.infer<typeof noteSchema>;

/** What a program under a lease writes to: image files by their absolute paths, iSCSI portals (`ADDRESS:PORT`) that it is a client of, and the folder of a TPM's state. */
export interface WrittenStorage {
  images: readonly string[];
  portals: readonly string[];
  states?: readonly string[];
}

export class Holders {
  readonly #folder: string;

  /** @param folder of all holders, on a file system that a boot empties */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Starts a holder that has the lease when this returns 0; else nothing of it is left.
   * @param orphan takes over the lease that an earlier holder left, with what is noted of it. @throws PROGRAM_MISSING
   */
  async start(
    vm: LeasedVm,
    place: LeasePlace,
    mode: LeaseMode,
    sanlock: Sanlock,
    orphan = false,
  ): Promise<SanlockCode> {
    const folder = this.#of(vm.id);
    const note = orphan ? await this.note(vm.id) : null;
    await endHolderOf(folder);
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await this.saveNote(note ?? { version: 1, vm, sharers: [], fenced: [] });
    const argv = sanlock.commandUnder(place, mode, orphan, ["/usr/bin/perl", program, folder]);
    const log = join(folder, holderLog);
    const holder = await spawnHolder(vm, argv, folder, sanlock.env);
    const until = performance.now() + startTimeoutMs;
    // sanlock's program becomes the holder without telling anyone.
    while (!(await exists(join(folder, "ready")))) {
      if (await holder.isGone()) {
        const words = await readFile(log, "utf8").catch(() => "");
        await rm(folder, { recursive: true, force: true });
        return refusalIn(words);
      }
      if (performance.now() > until) {
        await holder.kill();
        await rm(folder, { recursive: true, force: true });
        throw GodwitError.of("SANLOCK_UNAVAILABLE", { reason: "it did not answer in time" });
      }
      await sleep(3);
    }
    return 0;
  }

  /**
   * Starts a program under a held lease. @param argv its argument vector @param log takes its output
   * @param limits of the program and the holder together, where systemd runs
   * @param storage that it writes to
   * @returns a function that tells whether it has ended, and what it wrote is no longer under way
   */
  async launch(
    vmId: string,
    argv: readonly string[],
    log: string,
    limits: UnitLimits,
    storage: WrittenStorage,
  ): Promise<() => Promise<boolean>> {
    const folder = this.#of(vmId);
    if (systemdRuns()) await limitUnit(leaseUnit(vmId), limits);
    await rm(join(folder, "ended"), { force: true });
    await writeStorage(folder, storage);
    await writeFile(join(folder, "argv"), [log, ...argv].join("\0"), { mode: 0o600 });
    await order(folder, "launch");
    return async () => await exists(join(folder, "ended"));
  }

  /**
   * What the program writes to is another from now on: what it was before is let go. A holder that an earlier version started
   * keeps to what it was told then.
   * @throws SANLOCK_UNAVAILABLE when the holder is gone
   */
  async writesTo(vmId: string, storage: WrittenStorage): Promise<void> {
    const folder = this.#of(vmId);
    if (!(await exists(join(folder, "opens")))) return;
    await rm(join(folder, "opened"), { force: true });
    await writeStorage(folder, storage);
    await order(folder, "open");
    await told(folder, "opened");
  }

  /** Makes sure that nothing runs under the lease. @throws SANLOCK_UNAVAILABLE when its holder is gone */
  async stopProgram(vmId: string): Promise<void> {
    const folder = this.#of(vmId);
    await rm(join(folder, "ended"), { force: true });
    await order(folder, "end");
    await told(folder, "ended");
  }

  /** Ends a holder that holds nothing any more. */
  async end(vmId: string): Promise<void> {
    await endHolderOf(this.#of(vmId));
    await rm(this.#of(vmId), { recursive: true, force: true });
  }

  async note(vmId: string): Promise<HolderNote | null> {
    const text = await readFileOrNull(join(this.#of(vmId), "note.json"));
    return text === null ? null : noteSchema.parse(parseJson(text));
  }

  async saveNote(note: HolderNote): Promise<void> {
    await writeFileAtomic(join(this.#of(note.vm.id), "note.json"), JSON.stringify(note));
  }

  /** Removes what holders left that hold nothing any more. @param held VMs whose leases this host holds */
  async clear(held: ReadonlySet<string>): Promise<void> {
    const known = await readdir(this.#folder).catch(() => [] as string[]);
    for (const vmId of known) {
      if (!held.has(vmId)) await this.end(vmId);
    }
  }

  #of(vmId: string): string {
    return join(this.#folder, vmId);
  }
}

async function writeStorage(folder: string, { images, portals, states = [] }: WrittenStorage): Promise<void> {
  await writeFile(join(folder, "files"), images.join("\0"), { mode: 0o600 });
  await writeFile(join(folder, "portals"), portals.join("\0"), { mode: 0o600 });
  await writeFile(join(folder, "states"), states.join("\0"), { mode: 0o600 });
}

/** The holder reports what it has done by a file. @throws SANLOCK_UNAVAILABLE when it is gone */
async function told(folder: string, by: "opened" | "ended"): Promise<void> {
  while (!(await exists(join(folder, by)))) {
    if ((await holderOf(folder)) === null)
      throw GodwitError.of("SANLOCK_UNAVAILABLE", { reason: "the lease's holder ended" });
    await sleep(5);
  }
}

/** Without a reader this fails at once: there is no holder any more. @throws SANLOCK_UNAVAILABLE */
async function order(folder: string, word: "launch" | "open" | "end"): Promise<void> {
  try {
    const orders = await open(join(folder, "orders"), constants.O_WRONLY | constants.O_NONBLOCK);
    await orders.write(`${word}\n`).finally(() => orders.close());
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const gone = code === "ENXIO" || code === "ENOENT";
    const reason = gone
      ? "the lease's holder ended"
      : `the lease's holder could not be asked: ${String(code)}`;
    throw GodwitError.of("SANLOCK_UNAVAILABLE", { reason }, { cause: error });
  }
}

/** The holder of a folder, or sanlock's program that is to become it; null when it is gone. @throws PROCESS_UNREADABLE */
async function holderOf(folder: string): Promise<ProcessIdentity | null> {
  const identity = await identifyProcess(Number((await readFileOrNull(join(folder, "pid"))) ?? ""));
  if (identity === null) return null;
  // The pid may be another process' by now.
  const words = (await processArguments(identity.pid)) ?? [];
  return words.includes(program) && words.includes(folder) ? identity : null;
}

async function endHolderOf(folder: string): Promise<void> {
  const identity = await holderOf(folder);
  if (identity !== null) await endProcess(identity, "SIGTERM", 10_000);
}

interface SpawnedHolder {
  isGone: () => Promise<boolean>;
  kill: () => Promise<void>;
}

/** A unit of its own where systemd runs, else a session of its own: it outlives the agent. */
async function spawnHolder(
  vm: LeasedVm,
  argv: readonly string[],
  folder: string,
  env: Readonly<Record<string, string>>,
): Promise<SpawnedHolder> {
  const logPath = join(folder, holderLog);
  if (systemdRuns()) {
    const unit = leaseUnit(vm.id);
    const properties = [
      ...[...outlivingProperties, "OOMScoreAdjust=-1000"],
      ...[`StandardOutput=append:${logPath}`, `StandardError=append:${logPath}`],
    ].map((property) => `--property=${property}`);
    const variables = Object.entries(env).map(([name, value]) => `--setenv=${name}=${value}`);
    const words = { what: `starting the holder of the lease of VM ${vm.name}` };
    await run(
      "systemd-run",
      [
        ...[`--unit=${unit}`, "--collect", "--service-type=exec"],
        ...[`--description=Lease of Godwit VM ${vm.name}`],
        ...properties,
        ...variables,
        "--",
        ...argv,
      ],
      words,
    );
    const control = async (...args: string[]) =>
      (await run("systemctl", [...args, unit], { ...words, okCodes: [0, 1, 3, 4, 5] })).exitCode;
    return {
      isGone: async () => (await control("is-active", "--quiet")) !== 0,
      kill: async () => {
        await control("kill", "--signal=KILL");
      },
    };
  }
  const log = await open(logPath, "a", 0o600);
  try {
    const [first = "", ...rest] = argv;
    const child = spawn(first, rest, {
      detached: true,
      stdio: ["ignore", log.fd, log.fd],
      cwd: "/",
      env: { ...process.env, ...env },
    });
    await once(child, "spawn").catch((error: unknown) => {
      throw GodwitError.of("PROGRAM_MISSING", { program: first, package: "sanlock" }, { cause: error });
    });
    child.unref();
    // sanlock's program becomes the holder, and stays the same process.
    await writeFile(join(folder, "pid"), String(child.pid));
    return {
      isGone: () => Promise.resolve(child.exitCode !== null || child.signalCode !== null),
      kill: () => Promise.resolve(void child.kill("SIGKILL")),
    };
  } finally {
    await log.close();
  }
}

/** @throws SANLOCK_UNAVAILABLE when not sanlock but something else kept the holder from starting */
function refusalIn(words: string): SanlockCode {
  try {
    const code = codeOf(words);
    if (code < 0) return code;
  } catch (error) {
    if (!GodwitError.is(error)) throw error;
  }
  const reason = `the lease's holder did not start: ${words.trim().split("\n").slice(-2).join(" / ").slice(0, 300)}`;
  throw GodwitError.of("SANLOCK_UNAVAILABLE", { reason });
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
