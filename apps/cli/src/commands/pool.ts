/** `godwit pool …`: hosts that share one CPU baseline. */
import type { Finding, PoolChange, PoolView } from "@godwit/contract";
import { evcModeNamed } from "@godwit/cpu";
import { buildCommand, buildRouteMap } from "@stricli/core";
import { withApi } from "../connection.ts";
import { formatTable } from "../output/format.ts";
import { Exit, exitCodes, findingLines } from "../output/problem.ts";
import { writeJson, writeLine } from "../output/screen.ts";
import { jsonFlag, nameArgument } from "./common.ts";

interface Json {
  json: boolean;
}

const checkFlag = {
  kind: "boolean",
  brief: "Only tell what would be refused, and which VMs would wait; change nothing",
  default: false,
} as const;

const poolAndHost = {
  kind: "tuple",
  parameters: [
    { brief: "Pool", placeholder: "pool", parse: String },
    { brief: "Host", placeholder: "host", parse: String },
  ],
} as const;

const create = buildCommand({
  docs: {
    brief: "Make a pool",
    fullDescription: `With --evc every VM that is powered on in the pool sees that EVC mode's CPU features and no more, so that it can
go to every host of the pool. Hosts that do not satisfy the mode are refused, with what they lack and why probably;
nothing is made then. Without --evc VMs see what their host has.

Examples:
  godwit pool create east --evc intel-haswell --host a --host b
  godwit pool create lab`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      evc: { kind: "parsed", parse: String, brief: "EVC mode (godwit cpu evc list)", optional: true },
      host: { kind: "parsed", parse: String, variadic: true, brief: "A host to take in", optional: true },
    },
    positional: nameArgument("pool", "Name"),
  },
  async func(flags: Json & { evc?: string; host?: readonly string[] }, name: string) {
    const body = {
      name,
      hosts: [...(flags.host ?? [])],
      ...(flags.evc === undefined ? {} : { evcMode: flags.evc }),
    };
    const pool = await withApi((api) => api.call("poolCreate", { body }));
    if (flags.json) writeJson(pool);
    else writeLine(poolText(pool));
  },
});

const list = buildCommand({
  docs: { brief: "List pools", fullDescription: "Example: godwit pool list --json" },
  parameters: { flags: { json: jsonFlag } },
  async func(flags: Json) {
    const { pools } = await withApi((api) => api.call("poolList", {}));
    if (flags.json) {
      writeJson(pools);
      return;
    }
    writeLine(
      formatTable([
        ["NAME", "EVC MODE", "HOSTS", "VMS WAITING FOR IT"],
        ...pools.map(({ name, baseline, hosts, pendingVms }) => [
          name,
          baseline?.mode ?? "none",
          hosts.join(" "),
          pendingVms.join(" "),
        ]),
      ]),
    );
  },
});

const show = buildCommand({
  docs: { brief: "Show one pool", fullDescription: "Example: godwit pool show east" },
  parameters: { flags: { json: jsonFlag }, positional: nameArgument("pool", "Name") },
  async func(flags: Json, pool: string) {
    const view = await withApi((api) => api.call("poolShow", { params: { pool } }));
    if (flags.json) writeJson(view);
    else writeLine(poolText(view));
  },
});

const remove = buildCommand({
  docs: { brief: "Remove a pool that has no hosts", fullDescription: "Example: godwit pool delete lab" },
  parameters: { flags: {}, positional: nameArgument("pool", "Name") },
  async func(_flags: object, pool: string) {
    await withApi((api) => api.call("poolDelete", { params: { pool } }));
    writeLine(`Pool ${pool} is removed.`);
  },
});

const addHost = buildCommand({
  docs: {
    brief: "Take a host into a pool",
    fullDescription: `Refused with every reason when the host does not satisfy the pool's EVC mode, or runs VMs that see more.

Examples:
  godwit pool add-host east c --check
  godwit pool add-host east c`,
  },
  parameters: { flags: { json: jsonFlag, check: checkFlag }, positional: poolAndHost },
  async func(flags: Json & { check: boolean }, pool: string, host: string) {
    if (flags.check) {
      const change = await withApi((api) => api.call("poolHostCheck", { params: { pool, host } }));
      tellCheck(flags, change, `Host ${host} may`, `come into pool ${pool}`);
      return;
    }
    const view = await withApi((api) => api.call("poolHostAdd", { params: { pool, host } }));
    if (flags.json) writeJson(view);
    else writeLine(`Host ${host} is in pool ${pool}.`);
  },
});

const removeHost = buildCommand({
  docs: {
    brief: "Take a host out of a pool",
    fullDescription:
      "Its VMs keep the features that they run with.\n\nExample: godwit pool remove-host east c",
  },
  parameters: { flags: { json: jsonFlag }, positional: poolAndHost },
  async func(flags: Json, pool: string, host: string) {
    const view = await withApi((api) => api.call("poolHostRemove", { params: { pool, host } }));
    if (flags.json) writeJson(view);
    else writeLine(`Host ${host} is no longer in pool ${pool}.`);
  },
});

const evc = buildCommand({
  docs: {
    brief: "Raise, lower or remove a pool's EVC mode",
    fullDescription: `Raising needs hosts that satisfy the new mode; running VMs get it when they are next powered on, and are listed.
Lowering is refused while VMs run that see more than the new mode. "none" takes the mode away.

Examples:
  godwit pool evc east intel-skylake --check
  godwit pool evc east intel-skylake
  godwit pool evc east none`,
  },
  parameters: {
    flags: { json: jsonFlag, check: checkFlag },
    positional: {
      kind: "tuple",
      parameters: [
        { brief: "Pool", placeholder: "pool", parse: String },
        { brief: "EVC mode, or none", placeholder: "mode", parse: String },
      ],
    },
  },
  async func(flags: Json & { check: boolean }, pool: string, mode: string) {
    const call = { params: { pool }, body: { evcMode: mode === "none" ? null : mode } };
    if (flags.check) {
      const change = await withApi((api) => api.call("poolEvcCheck", call));
      tellCheck(flags, change, `Pool ${pool} may`, mode === "none" ? "go without a mode" : `have ${mode}`);
      return;
    }
    const change = await withApi((api) => api.call("poolEvcSet", call));
    if (flags.json) {
      writeJson(change);
      return;
    }
    writeLine(mode === "none" ? `Pool ${pool} has no EVC mode.` : `Pool ${pool} has EVC mode ${mode}.`);
    tellFindings(change.findings);
  },
});

function tellCheck({ json }: Json, change: PoolChange, who: string, what: string): void {
  if (json) writeJson(change);
  else {
    writeLine(`${who}${change.allowed ? "" : " not"} ${what}.`);
    tellFindings(change.findings);
  }
  if (!change.allowed) throw new Exit(exitCodes.refused);
}

function tellFindings(findings: readonly Finding[]): void {
  for (const line of findingLines(findings)) writeLine(line);
}

function poolText({ name, baseline, hosts, pendingVms }: PoolView): string {
  return formatTable([
    ["name", name],
    ["evc mode", baseline === null ? "none" : `${baseline.mode}, ${evcModeNamed(baseline.mode).label}`],
    ...(baseline === null || baseline.microcode.length === 0
      ? []
      : [["microcode features", baseline.microcode.join(" ")]]),
    ["hosts", hosts.join(" ")],
    ...(pendingVms.length === 0
      ? []
      : [["next power-on", `${pendingVms.join(" ")} run with another baseline until they are powered off`]]),
  ]);
}

export const poolRoutes = buildRouteMap({
  routes: { list, show, create, delete: remove, addHost, removeHost, evc },
  docs: { brief: "Pools: hosts that share one CPU baseline" },
});
