/** How well a host's hardware is: what does not work as it should, each with its evidence. */
import { z } from "zod";

/** `moderate`: something is about to fail, or makes the host slow. `severe`: the host may stop at any time. */
export const healthStateSchema = z.enum(["moderate", "severe"]);
export type HealthState = z.infer<typeof healthStateSchema>;

export const healthFindingSchema = z.object({
  /** Who tells it, like `sensors`. */
  source: z.string().max(64),
  /** What it is about, like `fan2 of nct6775`. */
  component: z.string().max(200),
  state: healthStateSchema,
  /** As a part of a sentence, like "it stands still". */
  evidence: z.string().max(500),
  /** Since when it is so, by the host's clock; from the agent's last start on. */
  since: z.iso.datetime(),
});
export type HealthFinding = z.infer<typeof healthFindingSchema>;

export const hostHealthSchema = z.object({
  findings: z.array(healthFindingSchema).max(256),
  /** Sources that this host has, and why it does not have the others. */
  sources: z.array(z.object({ name: z.string().max(64), absent: z.string().max(4096).nullable() })).max(64),
});
export type HostHealth = z.infer<typeof hostHealthSchema>;

/** What a pool does of itself about an unhealthy host. `quarantine`: it takes no VM. `evacuate`: and its VMs leave where it is severe. */
export const healthPolicySchema = z.enum(["ask", "quarantine", "evacuate"]);
export type HealthPolicy = z.infer<typeof healthPolicySchema>;
