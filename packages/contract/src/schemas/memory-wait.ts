/** How long a guest waited for memory that was still on its way (post-copy), as QEMU counts it at the destination, in ms. */
import { z } from "zod";

export const memoryWaitSchema = z.object({
  /** In which all of its vCPUs waited at once: nothing of it went on. */
  allMs: z.number().min(0),
  /** Of each vCPU. */
  vcpuMs: z.array(z.number().min(0)).max(4096),
});
export type MemoryWait = z.infer<typeof memoryWaitSchema>;
