/** The processor time that a move takes of its two hosts, beside what the guest itself uses. */
import { z } from "zod";

export const hostMoveCpuSchema = z.object({
  /** Of the VM's QEMU without its vCPUs, ms: it copies, encrypts, and does the guest's I/O. */
  qemuMs: z.number().min(0),
  /** Of the host's agent in the same time, with all else that it did, ms. */
  agentMs: z.number().min(0),
});
export type HostMoveCpu = z.infer<typeof hostMoveCpuSchema>;

export const moveCpuSchema = z.object({
  /** From the start of the copy to the removal of the VM. Absent: not measured, as after a restart of the agent. */
  source: hostMoveCpuSchema.optional(),
  /** From the start of its QEMU until the guest runs there. Absent: not measured. */
  destination: hostMoveCpuSchema.optional(),
});
export type MoveCpu = z.infer<typeof moveCpuSchema>;
