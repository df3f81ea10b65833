/** What a VM's process uses now. All but the first two are absent where its host's agent is of a version that does not tell. */
import { z } from "zod";
import { amountSchema, countSchema } from "./host-facts.ts";

/** On average since the figure before; null: not measured yet, no process, or the kernel does not tell. */
const rateSchema = amountSchema.nullable().optional();

export const vmUsageSchema = z.object({
  /** How many logical CPUs its process used on average since the figure before; null: not measured yet, or no process. */
  usedCpus: amountSchema.nullable(),
  /** Memory of its process that is in RAM; null: it has no process, or that could not be read. */
  residentBytes: countSchema.nullable(),
  /** How many of its vCPUs could have run, but waited for a CPU of the host (vSphere's ready, the guest's steal). */
  readyCpus: rateSchema,
  /** Memory of its process that is in the host's swap. */
  swappedBytes: countSchema.nullable().optional(),
  /** What its process read from and wrote to storage, past the host's cache. Of LUNs that QEMU itself connects to nothing is known. */
  diskReadBytesPerSecond: rateSchema,
  diskWrittenBytesPerSecond: rateSchema,
  /** What the guest received and sent, over all its network interfaces. */
  receivedBytesPerSecond: rateSchema,
  sentBytesPerSecond: rateSchema,
  /** What its guest has of its memory: all but what it gave back by its balloon. Null: its QEMU has not told. Absent: it has no balloon, too. */
  guestMemoryBytes: countSchema.nullable().optional(),
});
export type VmUsage = z.infer<typeof vmUsageSchema>;

/** The same of a while that is over: from the windows that are kept. */
export const vmUsageOverSchema = z.object({
  /** How long it was measured. */
  seconds: z.int(),
  cpus: amountSchema,
  peakCpus: amountSchema,
  readyCpus: amountSchema.nullable(),
  diskBytesPerSecond: amountSchema.nullable(),
  networkBytesPerSecond: amountSchema.nullable(),
});
export type VmUsageOver = z.infer<typeof vmUsageOverSchema>;
