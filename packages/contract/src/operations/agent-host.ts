/** What the server asks of a host itself, and has it do. */
import { z } from "zod";
import { agentEventSchema } from "../events/agent.ts";
import { hostTrustSchema } from "../schemas/authority.ts";
import { commandIdSchema, hostCommandSchema, hostCommandViewSchema } from "../schemas/host-command.ts";
import { hostFactsSchema } from "../schemas/host-facts.ts";
import { hostLoadSchema } from "../schemas/host-load.ts";
import { memberListSchema } from "../schemas/member.ts";
import { networkListSchema, networkRefusalsSchema } from "../schemas/network.ts";
import type { Operations } from "./operation.ts";

const commandParams = z.strictObject({ commandId: commandIdSchema });

const goDown = {
  method: "POST",
  privilege: "server",
  /** Of the boot that is to end. */
  body: z.strictObject({ bootId: z.string().min(1).max(64) }),
  answer: { status: 200, body: z.object({ bootId: z.string() }) },
  errors: ["HOST_COMMANDS_OFF", "HOST_COMMAND_VMS_RUN"],
} as const;

export const agentHostOperations = {
  facts: {
    method: "GET",
    path: "/agent/v1/facts",
    privilege: "server",
    summary: "What the host is, read now",
    answer: { status: 200, body: hostFactsSchema },
    errors: [],
  },
  load: {
    method: "GET",
    path: "/agent/v1/load",
    privilege: "server",
    summary: "What the host does now: what is used and free, which VMs have a process",
    answer: { status: 200, body: hostLoadSchema },
    errors: [],
  },
  events: {
    method: "GET",
    path: "/agent/v1/events",
    privilege: "server",
    summary: "Events as they happen; Last-Event-ID (or ?after=) resumes",
    query: z.strictObject({ after: z.coerce.number().int().min(0).optional() }),
    answer: { status: 200, events: agentEventSchema },
    errors: [],
  },
  membersPut: {
    method: "PUT",
    path: "/agent/v1/members",
    privilege: "server",
    summary:
      "Which hosts belong to the cluster; a list that is not newer than the agent's own changes nothing",
    body: memberListSchema,
    /** Of the list that the agent has now. */
    answer: { status: 200, body: z.object({ generation: z.int() }) },
    errors: [],
  },
  networksPut: {
    method: "PUT",
    path: "/agent/v1/networks",
    privilege: "server",
    summary:
      "All switches and port groups that the inventory defines for this host; those that it does not name are given up",
    body: networkListSchema,
    /** What was left as it was, and why. */
    answer: { status: 200, body: z.object({ refused: networkRefusalsSchema }) },
    errors: [],
  },
  commandStart: {
    method: "PUT",
    path: "/agent/v1/commands/{commandId}",
    privilege: "server",
    summary: "Run a command as root; asking again with the same id answers how it is",
    params: commandParams,
    body: hostCommandSchema,
    answer: { status: 200, body: hostCommandViewSchema },
    errors: ["HOST_COMMANDS_OFF", "HOST_COMMAND_VMS_RUN"],
  },
  commandShow: {
    method: "GET",
    path: "/agent/v1/commands/{commandId}",
    privilege: "server",
    summary: "How a command is",
    params: commandParams,
    answer: { status: 200, body: hostCommandViewSchema },
    errors: ["HOST_COMMAND_UNKNOWN"],
  },
  hostReboot: {
    ...goDown,
    path: "/agent/v1/reboot",
    summary: "Boot the host again; one that was booted since then is left as it is",
  },
  hostPowerOff: {
    ...goDown,
    path: "/agent/v1/power-off",
    summary: "Shut the host down; one that was booted since then is left as it is",
  },
  certificatesShow: {
    method: "GET",
    path: "/agent/v1/certificates",
    privilege: "server",
    summary: "Which authorities the host trusts, and which one its certificate is of",
    answer: { status: 200, body: hostTrustSchema },
    errors: [],
  },
  certificatesRenew: {
    method: "POST",
    path: "/agent/v1/certificates/renew",
    privilege: "server",
    summary: "Renew the host's certificates now, and trust what the server trusts",
    answer: { status: 200, body: hostTrustSchema },
    errors: [],
  },
} as const satisfies Operations;
