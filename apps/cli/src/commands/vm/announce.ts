/** `godwit vm announce` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag, vmArgument, type JsonFlags } from "../common.ts";

export const announceCommand = buildCommand({
  docs: {
    brief: "Announce a VM's MAC addresses to the switches",
    fullDescription: `The VM's host sends, in the VM's name, what it sends after a move: six broadcasts (RARP) for each NIC within a second, by which
switches learn where the VM is. For a running VM that its network does not find: after a switch was replaced, or was changed
while the VM moved. It does the VM no harm.

Examples:
  godwit vm announce web-1
  godwit vm announce web-1 --json`,
  },
  parameters: { flags: { json: jsonFlag }, positional: vmArgument },
  async func({ json }: JsonFlags, name: string) {
    const said = await withApi((api) => api.call("vmAnnounce", { params: { vm: name } }));
    const { vm, host, announced } = said;
    if (json) writeJson(said);
    else if (announced.length === 0)
      writeLine(`VM ${vm} has no connected NIC: there is nothing to announce.`);
    else {
      writeLine(`Host ${host} has announced VM ${vm}:`);
      for (const { mac, portGroup } of announced) writeLine(`  ${mac} on ${portGroup}`);
    }
  },
});
