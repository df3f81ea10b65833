/** Serial consoles, a part of the server's API. */
import { z } from "zod";
import { consoleQuerySchema } from "../schemas/console.ts";
import type { Operations } from "./operation.ts";

/** A VM by its name or its id. */
const vmParams = z.strictObject({ vm: z.string().min(1).max(63) });

export const consoleOperations = {
  vmConsole: {
    method: "GET",
    path: "/api/v1/vms/{vm}/console",
    privilege: "admin",
    summary:
      "A WebSocket to the VM's serial console: binary messages are its bytes, text messages tell the state of the connection. It follows the VM when that moves",
    params: vmParams,
    query: consoleQuerySchema,
    answer: { status: 101, socket: true },
    errors: ["VM_UNKNOWN", "VM_NOT_RUNNING", "HOST_UNREACHABLE", "CONSOLE_IN_USE"],
  },
} as const satisfies Operations;
