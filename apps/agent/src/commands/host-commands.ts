/**
 * Commands that an operator has this host run, as root: only where its administrator allows them, and while no VM runs here. Each is a
 * unit of its own that outlives the agent; what came of it lies in a folder of its id, so that asking again starts nothing twice. The
 * end of its output is kept, no more.
 */
import { mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { GodwitError, keptOutputBytes, type HostCommand, type HostCommandView } from "@godwit/contract";
import { processArguments, readFileOrNull, until, writeFileAtomic } from "@godwit/system";
import type { Logger } from "pino";
import type { AgentConfig } from "../config.ts";
import type { Processes } from "../qemu/processes.ts";
import type { MemoryAdmission } from "../vms/memory-admission.ts";
import type { SetAside } from "../vms/set-aside.ts";
import { commandRun } from "./run-command.ts";
import { startApart } from "./start-apart.ts";

/** Folders of commands, the newest. */
const kept = 20;
/** A program that the command has left behind may keep its output open. */
const outputWithinMs = 10_000;

export interface HostCommandsParts {
  config: Pick<AgentConfig, "name" | "stateFolder" | "updates">;
  processes: Pick<Processes, "present">;
  setAside: Pick<SetAside, "all">;
  /** VMs that are about to be here. */
  memory: Pick<MemoryAdmission, "granted">;
  log: Logger;
}

export class HostCommands {
  readonly #parts: HostCommandsParts;
  readonly #starting = new Map<string, Promise<void>>();
  /** It was told to boot again or to shut down, and is asked until it has. */
  #goesDown = false;

  constructor(parts: HostCommandsParts) {
    this.#parts = parts;
  }

  /** @throws HOST_COMMANDS_OFF, HOST_COMMAND_VMS_RUN */
  async start(id: string, order: HostCommand): Promise<HostCommandView> {
    const starting = this.#starting.get(id) ?? this.#start(id, order);
    this.#starting.set(id, starting);
    try {
      await starting;
    } finally {
      this.#starting.delete(id);
    }
    return await this.show(id);
  }

  /** @throws HOST_COMMAND_UNKNOWN */
  async show(id: string): Promise<HostCommandView> {
    const folder = this.#folder(id);
    if ((await readFileOrNull(join(folder, "command"))) === null)
      throw GodwitError.of("HOST_COMMAND_UNKNOWN", { host: this.#parts.config.name, id });
    const before = await endOf(folder);
    if (before !== null) return before;
    if (await this.#runs(folder)) return { state: "running", exitCode: null, output: "" };
    // It may have ended between the two looks.
    return (await endOf(folder)) ?? { state: "interrupted", exitCode: null, output: await outputOf(folder) };
  }

  /** Once it has answered the host goes down. @param before of the boot that is to end @throws HOST_COMMANDS_OFF, HOST_COMMAND_VMS_RUN */
  async reboot(before: string): Promise<{ bootId: string }> {
    return await this.#goDown(before, this.#parts.config.updates.rebootCommand, "booting this host again");
  }

  /** The same, and it stays off. */
  async powerOff(before: string): Promise<{ bootId: string }> {
    return await this.#goDown(before, this.#parts.config.updates.powerOffCommand, "shutting this host down");
  }

  async #goDown(before: string, command: string, what: string): Promise<{ bootId: string }> {
    const now = await bootId();
    if (now !== before) return { bootId: now };
    if (this.#goesDown) return { bootId: now };
    this.#allow();
    this.#parts.log.warn({ command }, what);
    // From now on no VM starts here.
    this.#goesDown = true;
    const unit = `godwit-down-${before.slice(0, 8)}`;
    try {
      await startApart(unit, ["/bin/sh", "-c", `sleep 1; exec ${command}`], what);
    } catch (error) {
      this.#goesDown = false;
      throw error;
    }
    return { bootId: now };
  }

  /** For a VM that has been granted its memory: whichever of it and a command comes first is seen by the other. @throws HOST_COMMAND_RUNS */
  async mustTakeVms(vm: string): Promise<void> {
    const all = join(this.#parts.config.stateFolder, "commands");
    const names = await readdir(all).catch((): string[] => []);
    const running = await Promise.all(
      names.map(async (name) => {
        // What a command that has ended left behind is no reason.
        const code = await readFileOrNull(join(all, name, "exit-code"));
        return code === null && (await this.#runs(join(all, name)));
      }),
    );
    if (this.#goesDown || this.#starting.size > 0 || running.includes(true))
      throw GodwitError.of("HOST_COMMAND_RUNS", { host: this.#parts.config.name, vm });
  }

  async #start(id: string, { command, timeoutSeconds }: HostCommand): Promise<void> {
    const folder = this.#folder(id);
    if ((await readFileOrNull(join(folder, "command"))) !== null) return;
    this.#allow();
    await this.#forget();
    await mkdir(folder, { recursive: true, mode: 0o700 });
    // Written first: one that is asked for again is not started a second time, whatever became of the first.
    await writeFileAtomic(join(folder, "command"), command);
    this.#parts.log.warn({ id, command }, "an operator's command is run");
    const argv = commandRun({ folder, command, timeoutSeconds, outputBytes: keptOutputBytes });
    await startApart(`godwit-command-${id}`, argv, "starting a command");
    await until(async () => (await readFileOrNull(join(folder, "pid"))) !== null, {
      everyMs: 20,
      limitMs: 60_000,
    }); // no file tells of itself
  }

  #allow(): void {
    const { config, processes, setAside, memory } = this.#parts;
    if (!config.updates.commands) throw GodwitError.of("HOST_COMMANDS_OFF", { host: config.name });
    const vms = [
      ...processes.present.map(({ spec }) => spec.vm.name),
      ...setAside.all.map(({ name }) => name),
      ...memory.granted,
    ];
    if (vms.length > 0) throw GodwitError.of("HOST_COMMAND_VMS_RUN", { host: config.name, vms });
  }

  async #runs(folder: string): Promise<boolean> {
    const pid = (await readFileOrNull(join(folder, "pid")))?.trim() ?? "";
    if (!/^\d+$/.test(pid)) return false;
    // A number may have become another process's.
    return ((await processArguments(Number(pid))) ?? []).includes(folder);
  }

  async #forget(): Promise<void> {
    const all = join(this.#parts.config.stateFolder, "commands");
    const names = await readdir(all).catch((): string[] => []);
    const aged = await Promise.all(
      names.map(async (name) => ({ name, atMs: (await stat(join(all, name))).mtimeMs })),
    );
    const old = aged.sort((a, b) => b.atMs - a.atMs).slice(kept - 1);
    for (const { name } of old)
      if (!(await this.#runs(join(all, name)))) await rm(join(all, name), { recursive: true, force: true });
  }

  #folder(id: string): string {
    return join(this.#parts.config.stateFolder, "commands", id);
  }
}

/** Null: it has not ended. */
async function endOf(folder: string): Promise<HostCommandView | null> {
  const code = await readFileOrNull(join(folder, "exit-code"));
  if (code === null) return null;
  const { mtimeMs } = await stat(join(folder, "exit-code"));
  const whole = await readFileOrNull(join(folder, "output"));
  if (whole === null && Date.now() - mtimeMs < outputWithinMs)
    return { state: "running", exitCode: null, output: "" };
  return { state: "ended", exitCode: Number(code.trim()), output: await outputOf(folder) };
}

async function outputOf(folder: string): Promise<string> {
  const text =
    (await readFileOrNull(join(folder, "output"))) ?? (await readFileOrNull(join(folder, "output.new")));
  return (text ?? "").slice(-keptOutputBytes);
}

/** Of the running kernel. */
export const bootId = async (): Promise<string> =>
  (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
