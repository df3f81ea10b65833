/** Memory devices that were plugged into a VM since it was powered on; what they mean: `memory-growth.ts`. */
import { z } from "zod";
import { memorySlots } from "../memory-slots.ts";

export const memoryDeviceSchema = z.strictObject({
  slot: z
    .int()
    .min(0)
    .max(memorySlots - 1),
  mib: z.int().min(1).max(4_194_304),
  /** Where the guest sees it, in bytes, as QEMU has told. Absent: whether QEMU has it is not known yet. */
  addr: z.int().min(0).optional(),
});
export type MemoryDevice = z.infer<typeof memoryDeviceSchema>;
export const memoryDevicesSchema = z.array(memoryDeviceSchema).min(1).max(memorySlots);
