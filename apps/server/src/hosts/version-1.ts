/**
 * The reports of an agent of version 1. It has one report for what a host is and what it does; what it does not
 * measure is told as not known.
 */
import {
  datastoreFactsSchema,
  datastoreLeasesSchema,
  hostFactsSchema,
  linkFactsSchema,
  portGroupFactsSchema,
  vmRuntimeSchema,
  type Operations,
} from "@godwit/contract";
import type { HostReport } from "@godwit/requirements";
import { z } from "zod";

export const version1ReportSchema = hostFactsSchema.omit({ failures: true }).extend({
  memory: z.object({ totalBytes: z.int(), availableBytes: z.int() }),
  links: z.array(linkFactsSchema.extend({ up: z.boolean() })),
  portGroups: z.array(portGroupFactsSchema.extend({ uplinkUp: z.boolean() })),
  datastores: z.array(
    datastoreFactsSchema.extend({
      totalBytes: z.int(),
      freeBytes: z.int(),
      leases: datastoreLeasesSchema.nullable(),
    }),
  ),
  vms: z.array(vmRuntimeSchema),
});

export const version1Operations = {
  report: {
    method: "GET",
    path: "/agent/v1/facts",
    privilege: "server",
    summary: "What the host is and does, read now",
    answer: { status: 200, body: version1ReportSchema },
    errors: [],
  },
} as const satisfies Operations;

const notMeasured = "the host's agent is of an earlier version and does not measure it";

export function reportOfVersion1(report: z.output<typeof version1ReportSchema>): HostReport {
  const { name, reportedAt, memory, links, portGroups, datastores, vms } = report;
  return {
    facts: hostFactsSchema.parse({ ...report, failures: [] }),
    load: {
      name,
      reportedAt,
      memory: { availableBytes: memory.availableBytes, pressurePercent: null },
      cpu: null,
      links: links.map((link) => ({
        name: link.name,
        up: link.up,
        receivedBytesPerSecond: null,
        sentBytesPerSecond: null,
      })),
      portGroups: portGroups.map((group) => ({ name: group.name, uplinkUp: group.uplinkUp })),
      datastores: datastores.map(({ name: datastore, totalBytes, freeBytes, leases }) => ({
        name: datastore,
        space: { totalBytes, freeBytes },
        reason: null,
        leases,
      })),
      vms: vms.map((vm) => ({ ...vm, usedCpus: null, residentBytes: null })),
      failures: [{ part: "cpu", reason: notMeasured }],
    },
  };
}
