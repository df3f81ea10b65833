/** The process that was started in a VM's run folder: found by the pid that is noted there, known by its argument vector. */
import { readdir } from "node:fs/promises";
import { basename } from "node:path";
import { GodwitError } from "@godwit/contract";
import {
  endProcess,
  identifyProcess,
  processArguments,
  readCheckedOrNull,
  sleep,
  type ProcessIdentity,
} from "@godwit/system";
import type { RunPaths } from "./launch-spec.ts";

/**
 * The process that was started in a run folder; null before it is, or when it is gone.
 * @throws PROCESS_UNREADABLE, FILE_UNTRUSTED, Error when the pid is another process's
 */
export async function startedProcess(paths: RunPaths): Promise<ProcessIdentity | null> {
  const pid = Number.parseInt((await readCheckedOrNull(paths.pidFile)) ?? "", 10);
  const identity = await identifyProcess(pid);
  if (identity === null) return null;
  return (await isProcessOf(identity, basename(paths.folder))) ? identity : null;
}

/** Ends what was started in a run folder. A look that fails is repeated: nobody else knows of the process. */
export async function endStarted(paths: RunPaths): Promise<void> {
  for (;;) {
    try {
      const identity = await startedProcess(paths);
      if (identity !== null) await endProcess(identity, "SIGKILL", 0);
      return;
    } catch (error) {
      if (!isPassing(error)) throw error;
    }
    await sleep(100);
  }
}

/** Whether a process is of a VM, by its argument vector: the launcher's and QEMU's own name the VM. @throws PROCESS_UNREADABLE */
export async function isProcessOf(identity: ProcessIdentity, vmId: string): Promise<boolean> {
  const words = (await processArguments(identity.pid)) ?? [];
  return words.some((word, at) => word === "-uuid" && words[at + 1] === vmId);
}

/** A process of this machine that was started as this VM's QEMU. @throws PROCESS_UNREADABLE */
export async function pidOf(vmId: string): Promise<number | null> {
  for (const name of await readdir("/proc")) {
    if (/^\d+$/.test(name) && (await isProcessOf({ pid: Number(name), startTicks: 0 }, vmId)))
      return Number(name);
  }
  return null;
}

/** A lack of this process's own that passes: the file or the process could not be looked at. */
const isPassing = (error: unknown): boolean =>
  GodwitError.is(error, "PROCESS_UNREADABLE") ||
  ["EMFILE", "ENFILE", "ENOMEM", "EAGAIN"].includes((error as NodeJS.ErrnoException).code ?? "");
