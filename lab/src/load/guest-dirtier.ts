/** Makes a guest of the lab change its memory at a set rate: its own program does (`guest/dirtier.c`, or `.pl` where there is no compiler). */
import { fileURLToPath } from "node:url";
import { GodwitError } from "@godwit/contract";
import { run } from "@godwit/system";
import { namespaceOf } from "../names.ts";

const reader = fileURLToPath(new URL("read-port.ts", import.meta.url));
const dirtierPort = 7000;

export interface Dirtying {
  /** Written to in turn; 0: it stops. */
  mib: number;
  mibPerSecond: number;
  /** What of each page is zeros, in percent; the rest is random. */
  compressiblePercent: number;
  /** Processes that share it, each with memory of its own; absent: one. Only where the machine has a compiler, as `bursts`. */
  writers?: number;
  /** It writes for so long, and then does nothing for so long, in ms; absent: without a pause. */
  bursts?: { onMs: number; offMs: number };
}

/** @param address the guest's. @throws PROGRAM_FAILED when it does not answer, or does not understand */
export async function dirtyGuest(labId: string, address: string, what: Dirtying): Promise<void> {
  await dirtyGuestFrom(namespaceOf(labId, "client"), address, what);
}

/** MiB that it has written since it was told so. @param address the guest's. @throws PROGRAM_FAILED, also where its dirtier does not count */
export async function writtenBy(labId: string, address: string): Promise<number> {
  const words = { what: `asking the guest at ${address} what it has written`, timeoutMs: 90_000 };
  const inside = ["netns", "exec", namespaceOf(labId, "client"), process.execPath, reader];
  const { stdout } = await run("ip", [...inside, address, String(dirtierPort), "written"], words);
  const [mib = ""] = stdout.trim().split(" ");
  if (!/^\d+\.\d+$/.test(mib))
    throw GodwitError.of("PROGRAM_FAILED", { program: "dirtier", what: words.what, output: stdout });
  return Number(mib);
}

/** As `dirtyGuest`, from any namespace that reaches the guest. */
export async function dirtyGuestFrom(namespace: string, address: string, what: Dirtying): Promise<void> {
  const { mib, mibPerSecond, compressiblePercent, writers = 1, bursts } = what;
  const more = writers === 1 && bursts === undefined ? [] : [writers, bursts?.onMs ?? 0, bursts?.offMs ?? 0];
  const line = ["dirty", mib, mibPerSecond, compressiblePercent, ...more].join(" ");
  const words = { what: `making the guest at ${address} change its memory`, timeoutMs: 90_000 };
  const inside = ["netns", "exec", namespace, process.execPath, reader];
  const { stdout } = await run("ip", [...inside, address, String(dirtierPort), line], words);
  if (stdout.trim() !== "ok")
    throw GodwitError.of("PROGRAM_FAILED", { program: "dirtier", what: words.what, output: stdout });
}
