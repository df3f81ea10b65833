/** `godwit vm lease …` */
import type { LeaseView } from "@godwit/contract";
import { buildCommand, buildRouteMap } from "@stricli/core";
import { withApi } from "../connection.ts";
import { formatTable } from "../output/format.ts";
import { writeJson, writeLine } from "../output/screen.ts";
import { jsonFlag, nameArgument } from "./common.ts";

const show = buildCommand({
  docs: {
    brief: "Show which host may run a VM",
    fullDescription: `The host that holds the lease exclusively (EX) may run the VM. During a move both hosts share it (SH), and no
third one can have it. The lease of a host that has fallen silent becomes free by itself when that host has
surely stopped its VMs; until then the time that is left is shown.

Example: godwit vm lease show web-1`,
  },
  parameters: { flags: { json: jsonFlag }, positional: nameArgument("vm", "Name or id") },
  async func(flags: { json: boolean }, vm: string) {
    const view = await withApi((api) => api.call("vmLeaseShow", { params: { vm } }));
    if (flags.json) writeJson(view);
    else writeLine(leaseText(view));
  },
});

const breakLease = buildCommand({
  docs: {
    brief: "Free the lease of a host that is powered off",
    fullDescription: `DANGER: you vouch that the host is powered off, and stays so until it has been booted anew. If its VM still runs
there, unseen, the VM can then be started a second time, and both copies write to the same disks. Power the host
off first (IPMI, the switch of its rack), look that it is off, then break the lease.

A lease on shared storage frees itself some two minutes after its host fell silent: godwit vm lease show tells
when. Breaking is for those who cannot wait, and for leases that are kept in the server's database, which never
run out. A host that is alive is refused.

Example: godwit vm lease break web-1 --host-is-off b`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      hostIsOff: { kind: "parsed", parse: String, brief: "The holder, which you have powered off" },
    },
    positional: nameArgument("vm", "Name or id"),
  },
  async func(flags: { json: boolean; hostIsOff: string }, vm: string) {
    const view = await withApi((api) =>
      api.call("vmLeaseBreak", { params: { vm }, body: { host: flags.hostIsOff } }),
    );
    if (flags.json) writeJson(view);
    else
      writeLine(
        `The lease of VM ${view.vm} is free; start the VM on another host: godwit vm start ${view.vm} --host HOST`,
      );
  },
});

function leaseText({ vm, version, holders, kept, seenFrom }: LeaseView): string {
  const where =
    kept === "database"
      ? "in the server's database"
      : `on its datastore, as seen from host ${seenFrom ?? ""}`;
  const lines = [`Lease of VM ${vm}, version ${String(version)}, kept ${where}`];
  if (holders.length === 0) return [...lines, "Nobody holds it: any host may start the VM."].join("\n");
  const rows = holders.map(({ host, mode, since, fresh, freeInMs }) => [
    host,
    mode === "EX" ? "EX (may run the VM)" : "SH (shares it, during a move)",
    since ?? "",
    fresh
      ? "alive"
      : freeInMs === null
        ? "silent"
        : `silent; free in ${String(Math.ceil(freeInMs / 1000))} s if it stays so`,
  ]);
  return [...lines, formatTable([["HOST", "MODE", "SINCE", "HOST IS"], ...rows])].join("\n");
}

export const leaseRoutes = buildRouteMap({
  routes: { show, break: breakLease },
  docs: { brief: "Leases: which host may run a VM" },
});
