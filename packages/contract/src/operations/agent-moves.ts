/** Moves from a host, and the trial of the path that they take. */
import { z } from "zod";
import {
  pathProbeSchema,
  probeListeningSchema,
  probeListenSchema,
  probeRunSchema,
} from "../schemas/migration-path.ts";
import { moveLimitsSchema, moveOrderSchema, moveRecordSchema } from "../schemas/move.ts";
import { moveIdSchema } from "../schemas/names.ts";
import type { Operations } from "./operation.ts";

const moveParams = z.strictObject({ moveId: moveIdSchema });

export const agentMoveOperations = {
  probeListen: {
    method: "POST",
    path: "/agent/v1/migration-probes",
    privilege: "server",
    summary: "Listen for one try of the way of a migration stream to this host, for some seconds",
    body: probeListenSchema,
    answer: { status: 201, body: probeListeningSchema },
    errors: ["MIGRATION_NETWORK_MISSING", "MIGRATION_ADDRESS_ABSENT", "MIGRATION_PORTS_TAKEN"],
  },
  probeRun: {
    method: "POST",
    path: "/agent/v1/migration-probes/run",
    privilege: "server",
    summary: "Try the way of a migration stream from this host to one that listens for it",
    body: probeRunSchema,
    answer: { status: 200, body: pathProbeSchema },
    errors: ["MIGRATION_NETWORK_MISSING"],
  },
  moveStart: {
    method: "POST",
    path: "/agent/v1/moves",
    privilege: "server",
    summary: "Move a VM away from this host; asking again with the same id answers the same move",
    body: moveOrderSchema,
    answer: { status: 202, body: moveRecordSchema },
    errors: ["VM_UNKNOWN", "VM_NOT_RUNNING", "VM_BUSY"],
  },
  moveShow: {
    method: "GET",
    path: "/agent/v1/moves/{moveId}",
    privilege: "server",
    summary: "A move that this host is or was the source or destination of",
    params: moveParams,
    answer: { status: 200, body: moveRecordSchema },
    errors: ["MOVE_UNKNOWN"],
  },
  moveSet: {
    method: "POST",
    path: "/agent/v1/moves/{moveId}/limits",
    privilege: "server",
    summary:
      "Give a move away from this host other limits while it goes on; the same ones again change nothing",
    params: moveParams,
    body: z.strictObject({ limits: moveLimitsSchema, because: z.enum(["asked", "shared"]) }),
    answer: { status: 202, body: moveRecordSchema },
    errors: ["MOVE_UNKNOWN", "TASK_NOT_CHANGEABLE"],
  },
  moveCancel: {
    method: "POST",
    path: "/agent/v1/moves/{moveId}/cancel",
    privilege: "server",
    summary: "Cancel a move; until the switch is committed the VM stays here",
    params: moveParams,
    answer: { status: 202, body: moveRecordSchema },
    errors: ["MOVE_UNKNOWN", "TASK_NOT_CANCELLABLE"],
  },
} as const satisfies Operations;
