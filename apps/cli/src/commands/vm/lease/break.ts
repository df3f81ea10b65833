/** `godwit vm lease break` */
import { GodwitError } from "@godwit/contract/errors";
import { buildCommand } from "@stricli/core";
import { withApi } from "../../../connection.ts";
import { writeJson, writeLine } from "../../../output/screen.ts";
import { jsonFlag, vmArgument, type JsonFlags } from "../../common.ts";

/** Living hosts are asked one after the other, and programs run in between. */
const fenceLimitMs = 240_000;

export const breakCommand = buildCommand({
  docs: {
    brief: "Free the lease of a host that is powered off, or fenced",
    fullDescription: `DANGER: you confirm that the host is powered off and stays off until it is booted again. If it still runs the VM,
the VM can then be started a second time, and both copies write to the same disks. Power the host off first (IPMI,
a switched power outlet), check that it is off, then break the lease.

A lease on shared storage becomes free by itself about two minutes after its host stopped renewing it; godwit vm lease
show tells when. Break it if you cannot wait, or if leases are kept in the server's database, where they do not
expire. The command is refused while the host responds.

Without danger for its disks is --fence, where all that the VM writes lies on LUNs with persistent reservations or on datastores with a fence program
(godwit datastore set): the storage is made to let the host write nothing any more. Only then the lease is broken. All other VMs of that host with
something on these datastores lose it, too. One that stood still may run for some seconds beside the new one, until its agent ends it.

Examples:
  godwit vm lease break web-1 --host-is-off b
  godwit vm lease break web-1 --fence b`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      hostIsOff: {
        kind: "parsed",
        parse: String,
        brief: "The host that holds it, which you have powered off",
        optional: true,
      },
      fence: {
        kind: "parsed",
        parse: String,
        brief: "The host that holds it, which the VM's datastores are to keep from writing",
        optional: true,
      },
    },
    positional: vmArgument,
  },
  async func(flags: JsonFlags & { hostIsOff?: string; fence?: string }, vm: string) {
    const body = bodyOf(flags);
    const limit = flags.fence === undefined ? {} : { timeoutMs: fenceLimitMs };
    const view = await withApi((api) => api.call("vmLeaseBreak", { params: { vm }, body }, limit));
    if (flags.json) writeJson(view);
    else
      writeLine(
        `The lease of VM ${view.vm} is free; start the VM on another host: godwit vm start ${view.vm} --host HOST`,
      );
  },
});

/** @throws USAGE */
function bodyOf({ hostIsOff, fence }: { hostIsOff?: string; fence?: string }) {
  if (hostIsOff !== undefined && fence === undefined) return { host: hostIsOff };
  if (fence !== undefined && hostIsOff === undefined) return { host: fence, by: "reservations" as const };
  throw GodwitError.of("USAGE", {
    what: "A lease is broken for a host that is off, or that is fenced.",
    hint: "Give one of --host-is-off and --fence.",
  });
}
