/** `godwit vm list` */
import { isStateUnknown } from "@godwit/contract/vm-state";
import { buildCommand } from "@stricli/core";
import { allVms, vmSummaries } from "../../inventory.ts";
import { withApi } from "../../connection.ts";
import { formatTable, vmStateText } from "../../output/format.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag, type JsonFlags } from "../common.ts";

export const listCommand = buildCommand({
  docs: { brief: "List VMs", fullDescription: "Example: godwit vm list --json" },
  parameters: { flags: { json: jsonFlag } },
  async func(flags: JsonFlags) {
    if (flags.json) {
      writeJson(await withApi(allVms));
      return;
    }
    const vms = await withApi(vmSummaries);
    writeLine(
      formatTable([
        ["NAME", "STATE", "HOST", "MEMORY", "VCPUS", "DATASTORE"],
        ...vms.map((vm) => [
          vm.name,
          isStateUnknown(vm) ? "unknown" : vmStateText(vm.state, vm.pauseReason),
          isStateUnknown(vm) ? `${vm.host} (unreachable)` : vm.host,
          `${String(vm.memoryMib)} MiB`,
          String(vm.vcpus),
          vm.datastore,
        ]),
      ]),
    );
  },
});
