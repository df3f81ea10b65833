/** `godwit vm lease show` */
import type { LeaseView } from "@godwit/contract";
import { buildCommand } from "@stricli/core";
import { withApi } from "../../../connection.ts";
import { formatTable } from "../../../output/format.ts";
import { writeJson, writeLine } from "../../../output/screen.ts";
import { jsonFlag, vmArgument, type JsonFlags } from "../../common.ts";

export const showCommand = buildCommand({
  docs: {
    brief: "Show which host may run a VM",
    fullDescription: `The host that holds the lease exclusively (EX) may run the VM. During a move both hosts share it (SH), and no
third host can acquire it. If the holder stops renewing the lease, the lease becomes free by itself once that host
has certainly stopped its VMs; until then the remaining time is shown.

Example: godwit vm lease show web-1`,
  },
  parameters: { flags: { json: jsonFlag }, positional: vmArgument },
  async func(flags: JsonFlags, vm: string) {
    const view = await withApi((api) => api.call("vmLeaseShow", { params: { vm } }));
    if (flags.json) writeJson(view);
    else writeLine(leaseText(view));
  },
});

function leaseText({ vm, version, holders, kept, seenFrom }: LeaseView): string {
  const where =
    kept === "database" ? "in the server's database" : `on its datastore, read by host ${seenFrom ?? ""}`;
  const lines = [`Lease of VM ${vm}, version ${String(version)}, kept ${where}`];
  if (holders.length === 0) return [...lines, "No host holds it: any host may start the VM."].join("\n");
  const rows = holders.map(({ host, mode, since, fresh, freeInMs }) => [
    host,
    mode === "EX" ? "EX (may run the VM)" : "SH (shared, during a move)",
    since ?? "",
    fresh
      ? "renewing"
      : freeInMs === null
        ? "not renewing"
        : `not renewing; free in ${String(Math.ceil(freeInMs / 1000))} s`,
  ]);
  return [...lines, formatTable([["HOST", "MODE", "SINCE", "STATE"], ...rows])].join("\n");
}
