/** `godwit host …` */
import { joinHost, readAgentConfig } from "@godwit/agent";
import type { HostView } from "@godwit/contract";
import { buildCommand, buildRouteMap, numberParser } from "@stricli/core";
import { withApi } from "../connection.ts";
import { formatBytes, formatTable } from "../output/format.ts";
import { findingLines } from "../output/problem.ts";
import { writeJson, writeLine } from "../output/screen.ts";
import { requireRoot } from "../require-root.ts";
import { maintenanceRoutes } from "./maintenance.ts";
import { configFlag, jsonFlag, nameArgument } from "./common.ts";

const token = buildCommand({
  docs: {
    brief: "Make a one-time token with which one host may join",
    fullDescription: "Example: godwit host token --valid-seconds 600",
  },
  parameters: {
    flags: {
      json: jsonFlag,
      validSeconds: { kind: "parsed", parse: numberParser, brief: "How long it is valid", default: "3600" },
    },
  },
  async func(flags: { json: boolean; validSeconds: number }) {
    const answer = await withApi((api) =>
      api.call("hostTokenCreate", { body: { validSeconds: flags.validSeconds } }),
    );
    if (flags.json) writeJson(answer);
    else writeLine(answer.token);
  },
});

const join = buildCommand({
  docs: {
    brief: "Join this host to a Godwit server",
    fullDescription: `Run on the host itself, with the agent's configuration in place.

Example: godwit host join --token gwt1.…`,
  },
  parameters: {
    flags: { config: configFlag, token: { kind: "parsed", parse: String, brief: "From godwit host token" } },
  },
  async func(flags: { config: string; token: string }) {
    requireRoot("Joining a host");
    const config = await readAgentConfig(flags.config);
    await joinHost(config, flags.token);
    writeLine(`Host ${config.name} has joined ${config.server.url}. Start its agent: godwit agent run`);
  },
});

const list = buildCommand({
  docs: { brief: "List hosts", fullDescription: "Example: godwit host list --json" },
  parameters: { flags: { json: jsonFlag } },
  async func(flags: { json: boolean }) {
    const { hosts } = await withApi((api) => api.call("hostList", {}));
    if (flags.json) {
      writeJson(hosts);
      return;
    }
    writeLine(
      formatTable([
        ["NAME", "STATE", "QEMU", "ACCELERATOR", "CPUS", "MEMORY FREE", "VMS", "POOL"],
        ...hosts.map(({ name, state, maintenance, pool, alarms, facts }) => [
          name,
          `${stateText(state, maintenance)}${alarms.length === 0 ? "" : ", alarm"}`,
          facts?.qemu.version ?? "",
          facts?.qemu.accelerator ?? "",
          String(facts?.cpu.logicalCpus ?? ""),
          facts === null ? "" : formatBytes(facts.memory.availableBytes),
          String(facts?.vms.filter((vm) => vm.pid !== null).length ?? ""),
          pool ?? "",
        ]),
      ]),
    );
    for (const { name, alarms } of hosts) {
      if (alarms.length > 0) writeLine(`\nAlarm on ${name}:`);
      for (const line of findingLines(alarms)) writeLine(line);
    }
  },
});

const show = buildCommand({
  docs: { brief: "Show one host", fullDescription: "Example: godwit host show a" },
  parameters: { flags: { json: jsonFlag }, positional: nameArgument("host", "Name") },
  async func(flags: { json: boolean }, host: string) {
    const view = await withApi((api) => api.call("hostShow", { params: { host } }));
    if (flags.json) writeJson(view);
    else writeLine(hostText(view));
  },
});

const remove = buildCommand({
  docs: {
    brief: "Remove a host from the cluster",
    fullDescription: `Its certificate is no longer accepted. With --force for a host that is gone for good: you vouch that it is
powered off, and its VMs may be started elsewhere. A VM whose host still runs it would then run twice.

Example: godwit host remove c`,
  },
  parameters: {
    flags: { force: { kind: "boolean", brief: "The host is powered off for good", default: false } },
    positional: nameArgument("host", "Name"),
  },
  async func(flags: { force: boolean }, host: string) {
    await withApi((api) =>
      api.call("hostRemove", { params: { host }, query: { force: flags.force ? "true" : "false" } }),
    );
    writeLine(`Host ${host} is removed.`);
  },
});

const stateText = (state: HostView["state"], maintenance: HostView["maintenance"]): string =>
  state + { off: "", entering: ", entering maintenance", on: ", in maintenance" }[maintenance];

function hostText({
  name,
  state,
  maintenance,
  agentUrl,
  seenAt,
  unreachableReason,
  pool,
  alarms,
  facts,
}: HostView): string {
  const rows = [
    ["name", name],
    [
      "state",
      `${stateText(state, maintenance)}${unreachableReason === null ? "" : `: ${unreachableReason}`}`,
    ],
    ["agent", `${agentUrl}${seenAt === null ? "" : ` (heard of ${seenAt})`}`],
    ["pool", pool ?? "none"],
    ...alarms.map(({ message, remedy }) => ["alarm", `${message} ${remedy}`]),
  ];
  if (facts === null) return formatTable(rows);
  const { cpu, memory, qemu, migration } = facts;
  return formatTable([
    ...rows,
    ["cpu", `${cpu.model}, ${String(cpu.logicalCpus)} logical`],
    ["evc modes", cpu.report === null ? "unknown" : cpu.report.evcModes.join(" ") || "none"],
    ["memory", `${formatBytes(memory.availableBytes)} free of ${formatBytes(memory.totalBytes)}`],
    ["qemu", `${qemu.version}, ${qemu.accelerator}: ${qemu.acceleratorReason}`],
    [
      "migration",
      migration === null
        ? "no address"
        : `${migration.address} on ${migration.link.name}, ${speedText(migration.link.bitsPerSecond)}`,
    ],
    ...facts.datastores.map((one) => [
      "datastore",
      `${one.name} (${one.path}), ${formatBytes(one.freeBytes)} free, ${one.shared ? "shared" : "host-local"}`,
    ]),
    ...facts.portGroups.map((one) => [
      "port group",
      `${one.name} (${one.bridge}), uplink ${one.uplink ?? "none"}${one.uplink !== null && !one.uplinkUp ? ", no carrier" : ""}`,
    ]),
    ...facts.vms.map((vm) => ["vm", `${vm.name} ${vm.state}`]),
  ]);
}

const speedText = (bitsPerSecond: number | null): string =>
  bitsPerSecond === null ? "speed unknown" : `${String(Math.round(bitsPerSecond / 1e6))} Mbit/s`;

export const hostRoutes = buildRouteMap({
  routes: { list, show, token, join, maintenance: maintenanceRoutes, remove },
  docs: { brief: "Hosts: join, list, show, maintenance, remove" },
});
