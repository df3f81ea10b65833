/** `godwit vm lease break` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../../connection.ts";
import { writeJson, writeLine } from "../../../output/screen.ts";
import { jsonFlag, vmArgument, type JsonFlags } from "../../common.ts";

export const breakCommand = buildCommand({
  docs: {
    brief: "Free the lease of a host that is powered off",
    fullDescription: `DANGER: you confirm that the host is powered off and stays off until it is booted again. If it still runs the VM,
the VM can then be started a second time, and both copies write to the same disks. Power the host off first (IPMI,
a switched power outlet), check that it is off, then break the lease.

A lease on shared storage becomes free by itself about two minutes after its host stopped renewing it; godwit vm lease
show tells when. Break it if you cannot wait, or if leases are kept in the server's database, where they do not
expire. The command is refused while the host responds.

Example: godwit vm lease break web-1 --host-is-off b`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      hostIsOff: {
        kind: "parsed",
        parse: String,
        brief: "The host that holds it, which you have powered off",
      },
    },
    positional: vmArgument,
  },
  async func(flags: JsonFlags & { hostIsOff: string }, vm: string) {
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
