/**
 * LVM's metadata on a LUN is changed by one host at a time: the command runs as the holder of a lease on the LUN itself, kept by
 * sanlock. A host that can no longer renew its own lease there has the command ended, and is reset by its watchdog where that
 * fails, before another host gets the lease.
 */
import { GodwitError } from "@godwit/contract";
import { sleep, type RunResult } from "@godwit/system";
import type { LeasePlace } from "../leases/sanlock-resource.ts";
import { answerText, heldByAnotherHost, type Sanlock } from "../leases/sanlock.ts";
import { changedMeanwhile } from "./checked-command.ts";
import { onDevice } from "./lvm.ts";

/** Others keep it for a command. */
const waitMs = 60_000;
const againAfterMs = 300;
/** On this host an earlier command's end is not seen by sanlock yet, or it goes on. */
const heldHere: ReadonlySet<number> = new Set([-17, -114, -115]);

export interface MetadataLock {
  sanlock: Sanlock;
  place: LeasePlace;
}

/**
 * @param argv of the command, its program's path absolute
 * @throws LUN_METADATA_LOCKED, PROGRAM_FAILED, SANLOCK_UNAVAILABLE
 */
export async function underMetadataLock(
  device: string,
  { sanlock, place }: MetadataLock,
  argv: readonly string[],
  words: { what: string; datastore: string; host: string },
): Promise<RunResult> {
  const until = performance.now() + waitMs;
  for (;;) {
    const result = await onDevice(device, sanlock.commandWhileHeld(place, argv), words.what, {
      okCodes: [0, 1, 2, 3, 4, 5],
      timeoutMs: waitMs,
    });
    const code = refusalIn(`${result.stdout}\n${result.stderr}`);
    if (code === null) {
      if (result.exitCode === 0) return result;
      if (result.stderr.includes(changedMeanwhile)) {
        const { what, datastore, host } = words;
        const reason = `another command came before ${what}`;
        throw GodwitError.of("LUN_METADATA_LOCKED", { datastore, host, reason });
      }
      const output = (result.stderr || result.stdout).trim().split("\n").slice(-4).join(" / ").slice(0, 600);
      throw GodwitError.of("PROGRAM_FAILED", { program: argv[0] ?? "lvm", what: words.what, output });
    }
    const mayWait = heldByAnotherHost.has(code) || heldHere.has(code);
    if (!mayWait || performance.now() > until) {
      const { datastore, host } = words;
      const reason = mayWait
        ? "another host is changing them, or has lost the LUN while it did, and its lease runs out only later"
        : `sanlock answered ${answerText(code)}: this host has not joined the leases of the LUN yet, or has lost them`;
      throw GodwitError.of("LUN_METADATA_LOCKED", { datastore, host, reason });
    }
    await sleep(againAfterMs);
  }
}

/** sanlock's own, where it did not start the command. Pure. */
export function refusalIn(output: string): number | null {
  const [, code] = /^(?:register|acquire) done (-\d+)$/m.exec(output) ?? [];
  return code === undefined ? null : Number(code);
}
