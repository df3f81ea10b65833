/**
 * Whether KVM works here: tested by running a guest under it, since /dev/kvm does not show it. On some machines the
 * device opens, and interprets what firmware does so slowly that nothing boots. The guest is 64 KiB of firmware
 * (source: kvm-probe.S) that works a while as firmware does, enters 64-bit mode, computes a little and writes one byte to
 * QEMU's debug-exit port, which ends QEMU with a known code.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GodwitError } from "@godwit/contract";
import { run, within } from "@godwit/system";

const exitPort = 0xf4;
/** QEMU's debug-exit device ends with (byte << 1) | 1; the guest writes 0x10. */
const expectedCode = (0x10 << 1) | 1;
/** What a machine that has nothing else to do needs a small part of. */
const leastLimitMs = 3000;
/** A slow or busy machine takes longer, for an emulated guest as for one under KVM; one that is so much slower is of no use. */
const timesEmulated = 3;
const emulatedLimitMs = 120_000;
/** The signal ends it. */
const noLimitMs = 86_400_000;

export interface ProbeResult {
  works: boolean;
  reason: string;
}

/** How a test guest ended; `words`: why QEMU did not run it. */
type End = { ran: true } | { ran: false; words: string };

/** @param accelerator another than `kvm` only to prove the probe itself */
export async function probeKvm(
  qemuBinary: string,
  firmwareFolder?: string,
  accelerator = "kvm",
): Promise<ProbeResult> {
  const folder = await mkdtemp(join(tmpdir(), "godwit-kvm-probe-"));
  const over = new AbortController();
  const guest = new TestGuest(qemuBinary, firmwareFolder, join(folder, "probe.bin"));
  try {
    await writeFile(guest.firmware, probeFirmware());
    const began = performance.now();
    const trial = guest.run(accelerator, over.signal);
    trial.catch(() => undefined);
    const end = (await within(trial, leastLimitMs)) ?? (await within(trial, await guest.moreMs()));
    if (end === null) return hangs(performance.now() - began);
    if (end.ran) return { works: true, reason: "a test guest ran under KVM" };
    return { works: false, reason: `KVM cannot be used (${end.words}); guests are emulated (TCG)` };
  } finally {
    over.abort();
    await rm(folder, { recursive: true, force: true });
  }
}

const hangs = (afterMs: number): ProbeResult => ({
  works: false,
  reason: `/dev/kvm opens, but a test guest did not run under it within ${String(Math.round(afterMs / 1000))} s; guests are emulated (TCG)`,
});

const lastLine = (text: string): string => text.trim().split("\n").at(-1)?.trim() ?? "";

class TestGuest {
  readonly firmware: string;
  readonly #binary: string;
  readonly #folder: string | undefined;

  constructor(binary: string, folder: string | undefined, firmware: string) {
    this.#binary = binary;
    this.#folder = folder;
    this.firmware = firmware;
  }

  /** @throws when the signal is aborted */
  async run(accelerator: string, signal: AbortSignal): Promise<End> {
    try {
      const { exitCode, stderr } = await run(
        this.#binary,
        [
          ...(this.#folder === undefined ? [] : ["-L", this.#folder]),
          ...["-no-user-config", "-nodefaults", "-display", "none"],
          ...["-machine", "pc", "-accel", accelerator, "-m", "16", "-bios", this.firmware],
          ...["-device", `isa-debug-exit,iobase=0x${exitPort.toString(16)},iosize=1`],
        ],
        { what: "trying KVM with a tiny guest", timeoutMs: noLimitMs, signal, okCodes: [0, 1, expectedCode] },
      );
      if (exitCode === expectedCode) return { ran: true };
      const words = lastLine(stderr).replace(/^.*?: /, "");
      return { ran: false, words: words || "QEMU gave no reason" };
    } catch (error) {
      if (!GodwitError.is(error, "PROGRAM_FAILED")) throw error;
      return { ran: false, words: lastLine(error.message) };
    }
  }

  /** For how much longer a guest that has not ended may still be under way, by how long an emulated one takes now. */
  async moreMs(): Promise<number> {
    const began = performance.now();
    await this.run("tcg", AbortSignal.timeout(emulatedLimitMs)).catch(() => undefined);
    return Math.max(0, (performance.now() - began) * timesEmulated - leastLimitMs);
  }
}

/** kvm-probe.S as machine code. */
const guestCode = [
  "fa2e660f0116e8000f20c00c010f22c066ea18000f00080066b810008ed88ec0",
  "8ed0bc00800000b9002d3101e2febf0010000031c0b9000c0000f3abc7050010",
  "000003200000c7050020000003300000c70500300000830000000f20e083c820",
  "0f22e0b8001000000f22d8b9800000c00f320d000100000f300f20c00d000000",
  "800f22c0ea8b000f00180066b810008ed88ed048c7c40080000031c00fa248c7",
  "c1a08601004831c04801c8505be2f948ba50b5062a010000004839d07504b010",
  "e6f4f4ebfd0f1f000000000000000000ffff0000009bcf00ffff00000093cf00",
  "ffff0000009baf001f00c8000f00",
].join("");

/** 64 KiB of firmware: the guest's code at its start, and at the reset vector a jump there. */
export function probeFirmware(): Buffer {
  const firmware = Buffer.alloc(65_536, 0xf4);
  Buffer.from(guestCode, "hex").copy(firmware);
  Buffer.from([0xea, 0x00, 0x00, 0x00, 0xf0]).copy(firmware, 0xfff0);
  return firmware;
}
