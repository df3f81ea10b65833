/** How a guest sees its vCPUs. It holds from power-on to power-off, at each host alike. */
import { z } from "zod";

const countSchema = z.int().min(1).max(288);

/** Cores are those of a socket, threads those of a core. */
export const cpuTopologySchema = z.strictObject({
  sockets: countSchema,
  cores: countSchema,
  threads: countSchema,
});
export type CpuTopology = z.infer<typeof cpuTopologySchema>;
