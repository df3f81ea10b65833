/** An agent's API, `/agent/v1`: for the server, over mutual TLS. The peer channel of a move is a WebSocket beside it. */
import { cpuWeightOperations } from "./agent-cpu-weights.ts";
import { agentHostOperations } from "./agent-host.ts";
import { agentMoveOperations } from "./agent-moves.ts";
import { agentStorageOperations } from "./agent-storage.ts";
import { agentVmDiskOperations } from "./agent-vm-disks.ts";
import { agentVmPowerOperations } from "./agent-vm-power.ts";
import { agentVmOperations } from "./agent-vms.ts";
import type { Operations } from "./operation.ts";

/** WebSocket of a move between two agents: `wss://…/peer/v1/moves/{moveId}`. */
export const peerPath = (moveId: string): string => `/peer/v1/moves/${moveId}`;

export const agentOperations = {
  ...cpuWeightOperations,
  ...agentHostOperations,
  ...agentStorageOperations,
  ...agentVmOperations,
  ...agentVmDiskOperations,
  ...agentVmPowerOperations,
  ...agentMoveOperations,
} as const satisfies Operations;
