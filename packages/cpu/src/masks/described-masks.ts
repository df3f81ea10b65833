/**
 * Masks in a VM's description: `cpu: { model, masks: { "cpuid.1.ecx": "----:…", "featMask.vm.cpuid.AES": "Val:0" } }`,
 * and what becomes of them when the VM is made.
 */
import { GodwitError, type VmCpu } from "@godwit/contract";
import { z } from "zod";
import { maskToQemu, type QemuMask, type QemuMaskContext } from "./masks-to-qemu.ts";
import { parseMasks } from "./masks.ts";

/** Keys and values as in a `.vmx` file; each entry's problem is reported in the parser's own words. */
export const cpuMasksSchema = z.record(z.string(), z.string()).superRefine((masks, context) => {
  const problems = Object.entries(masks).flatMap(([key, value]) => problemIn([[key, value]], [key]));
  for (const { path, message } of problems.length > 0 ? problems : problemIn(Object.entries(masks), [])) {
    context.addIssue({ code: "custom", path, message });
  }
});
export type CpuMasks = z.infer<typeof cpuMasksSchema>;

/**
 * The CPU that is stored with the VM, and what is to be checked besides. Findings of severity `error` say that
 * the guest would not see what the masks ask for.
 * @throws MASK_INVALID when a mask is none
 */
export const cpuWithMasks = (cpu: VmCpu, masks: CpuMasks, context: QemuMaskContext = {}): QemuMask =>
  maskToQemu(parseMasks(Object.entries(masks)), cpu, context);

function problemIn(
  entries: readonly (readonly [string, string])[],
  path: string[],
): { path: string[]; message: string }[] {
  try {
    parseMasks(entries);
    return [];
  } catch (error) {
    if (!GodwitError.is(error, "MASK_INVALID")) throw error;
    return [{ path, message: error.message }];
  }
}
