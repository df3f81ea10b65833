/** The power of hosts, a part of the server's API. */
import { z } from "zod";
import { hostParams } from "./host-params.ts";
import { powerSettingsSchema, powerViewSchema } from "../schemas/host-power.ts";
import { taskSchemas } from "../tasks/registry.ts";
import type { Operations } from "./operation.ts";

export const hostPowerOperations = {
  hostPowerSet: {
    method: "PUT",
    path: "/api/v1/hosts/{host}/power",
    privilege: "admin",
    summary:
      "Set by which controller the power of a host is controlled. It is asked first: one that does not answer is not kept",
    params: hostParams,
    body: powerSettingsSchema,
    answer: { status: 200, body: powerViewSchema },
    errors: ["HOST_UNKNOWN", "HOST_TASK_UNDER_WAY", "HOST_POWER_FAILED", "PROGRAM_MISSING"],
  },
  hostPowerShow: {
    method: "GET",
    path: "/api/v1/hosts/{host}/power",
    privilege: "admin",
    summary: "By which controller the power of a host is controlled, and what the controller says now",
    params: hostParams,
    answer: { status: 200, body: powerViewSchema },
    errors: ["HOST_UNKNOWN", "HOST_POWER_UNSET"],
  },
  hostPowerUnset: {
    method: "DELETE",
    path: "/api/v1/hosts/{host}/power",
    privilege: "admin",
    summary:
      "Forget the power controller of a host, and its password; for a host without one nothing changes",
    params: hostParams,
    answer: { status: 204 },
    errors: ["HOST_UNKNOWN", "HOST_TASK_UNDER_WAY"],
  },
  hostPowerOn: {
    method: "POST",
    path: "/api/v1/hosts/{host}/power/on",
    privilege: "admin",
    summary: "Power a host on, and wait until its agent answers. It stays in maintenance",
    params: hostParams,
    answer: { status: 202, body: taskSchemas["host.powerOn"] },
    errors: ["HOST_UNKNOWN", "HOST_POWER_UNSET", "HOST_TASK_UNDER_WAY"],
  },
  hostPowerOff: {
    method: "POST",
    path: "/api/v1/hosts/{host}/power/off",
    privilege: "admin",
    summary: "Shut down a host that is in maintenance and has no VMs, and wait until it is off",
    params: hostParams,
    body: z.strictObject({
      /** Its power is cut. Not for a host that has VMs either. */
      force: z.boolean().default(false),
    }),
    answer: { status: 202, body: taskSchemas["host.powerOff"] },
    errors: [
      ...["HOST_UNKNOWN", "HOST_POWER_UNSET", "HOST_TASK_UNDER_WAY", "HOST_UNREACHABLE"],
      ...["HOST_NOT_IN_MAINTENANCE", "HOST_RUNS_VMS", "HOST_POWER_CUT_UNSUPPORTED"],
    ],
  },
} as const satisfies Operations;
