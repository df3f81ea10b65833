/**
 * A guest's state in a file, as a stream of QEMU's migration in one pass: what a VM is suspended to, and goes on from. QEMU writes to a
 * socket of the agent's, and reads from a file that is open when it starts, so it needs no right to either in the file system.
 */
import { GodwitError } from "@godwit/contract";
import { sleep } from "@godwit/system";
import { runDescriptors } from "./launch-spec.ts";
import type { MigrationPort, MigrationSettings } from "./migration-port.ts";
import { lastMessages, type QemuProcess } from "./qemu-process.ts";

const lookEveryMs = 100;
/** Five seconds. */
const looksBeforeBreak = 50;
/** Of a migration that is none, or none any more. */
const over: ReadonlySet<string> = new Set(["none", "completed", "failed", "cancelled"]);

/** In place of what an earlier move has set. Disks are taken when the guest is let run, and not before. */
const settings: MigrationSettings = {
  capabilities: {
    ...{ "return-path": false, "pause-before-switchover": false, "auto-converge": false },
    ...{ "postcopy-ram": false, "late-block-activate": true, "validate-uuid": true },
  },
  // QEMU's own ceiling is 128 MiB/s.
  parameters: { "max-bandwidth": 2 ** 40 },
};

/** Has QEMU write the state of its guest, which stands still, to whoever listens at this unix socket. @throws QMP_REFUSED */
export async function beginSaving({ migration }: QemuProcess, path: string): Promise<void> {
  await migration.forgetCredentials();
  await migration.configure(settings);
  await migration.startTo(path);
}

/** Until QEMU has written all, and has given its disks back. @throws Error: it has not; QMP_INTERRUPTED */
export async function saved({ migration }: QemuProcess): Promise<void> {
  await ended(migration);
}

/** Waits until QEMU writes no more, successfully or not: only then can it let its guest run. A stream that is stuck is broken. @throws QMP_INTERRUPTED */
export async function savingIsOver({ migration }: QemuProcess): Promise<void> {
  for (let looks = 1; !over.has((await migration.query()).status); looks++) {
    if (looks % looksBeforeBreak === 0) await migration.yank().catch(() => undefined);
    await sleep(lookEveryMs);
  }
}

/** Whether QEMU has given its disks back, which it does at the end of writing, also where that then fails. It can write no more before its guest has run. */
export const hasGivenDisksBack = async (process: QemuProcess): Promise<boolean> =>
  (await process.status()).status === "postmigrate";

/** Reads the state that QEMU has open, before its guest may run. @throws Error with QEMU's words: the guest must not run */
export async function loadMemory(process: QemuProcess): Promise<void> {
  const { migration, paths } = process;
  try {
    await migration.configure(settings);
    await migration.readFrom(runDescriptors.memory);
    await ended(migration);
  } catch (error) {
    // QEMU ends where it does not understand what it reads.
    if (!GodwitError.is(error, "QMP_INTERRUPTED")) throw error;
    throw new Error(await lastMessages(paths.log), { cause: error });
  }
}

async function ended(migration: MigrationPort): Promise<void> {
  for (;;) {
    const { status, error } = await migration.query();
    if (status === "completed") return;
    if (status === "failed" || status === "cancelled") throw new Error(error ?? `QEMU says ${status}`);
    await sleep(lookEveryMs);
  }
}
