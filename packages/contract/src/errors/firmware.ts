/** Errors about the firmware that VMs boot by. */
import { define } from "./define.ts";

const build = (secureBoot: boolean): string =>
  secureBoot ? "UEFI firmware with Secure Boot" : "UEFI firmware";

export const firmwareErrors = {
  UEFI_FIRMWARE_MISSING: define<{ vm: string; host: string; secureBoot: boolean }>(
    409,
    "after-fix",
    (d) => `Host ${d.host} does not have the ${build(d.secureBoot)} that VM ${d.vm} boots by.`,
    (d) => `Install it on ${d.host}: apt-get install ovmf (2022.11 or newer, with images of 4 MiB).`,
  ),
  UEFI_FIRMWARE_DIFFERS: define<{ vm: string; from: string; host: string; bytes: number; hostBytes: number }>(
    409,
    "after-fix",
    (d) =>
      `VM ${d.vm} cannot move from ${d.from} to ${d.host} while it runs: its UEFI firmware has ${String(d.bytes)} bytes there, and on ${d.host} it has ${String(d.hostBytes)}, and QEMU takes over memory of the same size only.`,
    (d) =>
      `Install the same version of the package ovmf on ${d.from} and ${d.host}; or move the VM while it is stopped.`,
  ),
  NVRAM_UNUSABLE: define<{ vm: string; path: string; reason: string; template: string }>(
    409,
    "after-fix",
    (d) => `The UEFI variables of VM ${d.vm} (${d.path}) cannot be used: ${d.reason}.`,
    (d) =>
      `Put the file back from a copy. Without one, start with new variables, as a new VM has them: cp ${d.template} ${d.path}`,
  ),
} as const;
