/**
 * Whether KVM works here: tested by running a guest under it, since /dev/kvm does not show it. On some machines
 * the device opens, firmware even runs, and guests hang as soon as they enter 64-bit mode. The guest is
 * 64 KiB of firmware (source: kvm-probe.S) that enters 64-bit mode, computes a little and writes one byte to QEMU's
 * debug-exit port, which ends QEMU with a known code.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GodwitError } from "@godwit/contract";
import { run } from "@godwit/system";

const exitPort = 0xf4;
/** QEMU's debug-exit device ends with (byte << 1) | 1; the guest writes 0x10. */
const expectedCode = (0x10 << 1) | 1;
const limitMs = 3000;

export interface ProbeResult {
  works: boolean;
  reason: string;
}

/** @param accelerator another than `kvm` only to prove the probe itself */
export async function probeKvm(
  qemuBinary: string,
  firmwareFolder?: string,
  accelerator = "kvm",
): Promise<ProbeResult> {
  const folder = await mkdtemp(join(tmpdir(), "godwit-kvm-probe-"));
  try {
    const firmware = join(folder, "probe.bin");
    await writeFile(firmware, probeFirmware());
    const { exitCode, stderr } = await run(
      qemuBinary,
      [
        ...(firmwareFolder === undefined ? [] : ["-L", firmwareFolder]),
        ...["-no-user-config", "-nodefaults", "-display", "none"],
        ...["-machine", "pc", "-accel", accelerator, "-m", "16", "-bios", firmware],
        ...["-device", `isa-debug-exit,iobase=0x${exitPort.toString(16)},iosize=1`],
      ],
      { what: "trying KVM with a tiny guest", timeoutMs: limitMs, okCodes: [0, 1, expectedCode] },
    );
    if (exitCode === expectedCode) return { works: true, reason: "a test guest ran under KVM" };
    const words =
      stderr
        .split("\n")
        .at(-1)
        ?.replace(/^.*?: /, "")
        .trim() ?? "";
    return {
      works: false,
      reason: `KVM cannot be used (${words || "QEMU gave no reason"}); guests are emulated (TCG)`,
    };
  } catch (error) {
    if (!GodwitError.is(error, "PROGRAM_FAILED")) throw error;
    const seconds = String(limitMs / 1000);
    return {
      works: false,
      reason: `/dev/kvm opens, but a test guest did not run under it within ${seconds} s; guests are emulated (TCG)`,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** kvm-probe.S as machine code. */
const guestCode = [
  "fa2e660f0116e0000f20c00c010f22c066ea18000f00080066b810008ed88ec0",
  "8ed0bc00800000bf0010000031c0b9000c0000f3abc7050010000003200000c7",
  "050020000003300000c70500300000830000000f20e083c8200f22e0b8001000",
  "000f22d8b9800000c00f320d000100000f300f20c00d000000800f22c0ea8400",
  "0f00180066b810008ed88ed048c7c40080000031c00fa248c7c1a08601004831",
  "c04801c8505be2f948ba50b5062a010000004839d07504b010e6f4f4ebfd6690",
  "0000000000000000ffff0000009acf00ffff00000092cf00ffff0000009aaf00",
  "1f00c0000f00",
].join("");

/** 64 KiB of firmware: the guest's code at its start, and at the reset vector a jump there. */
export function probeFirmware(): Buffer {
  const firmware = Buffer.alloc(65_536, 0xf4);
  Buffer.from(guestCode, "hex").copy(firmware);
  Buffer.from([0xea, 0x00, 0x00, 0x00, 0xf0]).copy(firmware, 0xfff0);
  return firmware;
}
