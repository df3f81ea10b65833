/** `godwit vm list` */
import { isStateUnknown } from "@godwit/contract/vm-state";
import { buildCommand } from "@stricli/core";
import { allVms, vmSummaries } from "../../inventory.ts";
import { withApi } from "../../connection.ts";
import { formatTable, vmStateText } from "../../output/format.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag, type JsonFlags } from "../common.ts";

interface Flags extends JsonFlags {
  tag?: readonly string[];
}

export const listCommand = buildCommand({
  docs: {
    brief: "List VMs",
    fullDescription: `With --tag, those that have the tag; with several, those that have all of them.

Examples:
  godwit vm list
  godwit vm list --tag production --tag team=web
  godwit vm list --json`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      tag: {
        kind: "parsed",
        parse: String,
        variadic: true,
        brief: "List VMs with this tag only; given again, those with both",
        optional: true,
      },
    },
  },
  async func({ json, tag = [] }: Flags) {
    const tags = [...new Set(tag)];
    if (json) {
      writeJson(await withApi((api) => allVms(api, tags)));
      return;
    }
    const vms = await withApi((api) => vmSummaries(api, tags));
    const isTagged = vms.some((vm) => vm.tags !== undefined);
    writeLine(
      formatTable([
        ["NAME", "STATE", "HOST", "MEMORY", "VCPUS", "DATASTORE", ...(isTagged ? ["TAGS"] : [])],
        ...vms.map((vm) => [
          vm.name,
          isStateUnknown(vm)
            ? "unknown"
            : vmStateText(vm.state, vm.pauseReason, vm.suspendedAt !== undefined),
          isStateUnknown(vm) ? `${vm.host} (unreachable)` : vm.host,
          `${String(vm.memoryMib)} MiB`,
          String(vm.vcpus),
          vm.datastore,
          ...(isTagged ? [(vm.tags ?? []).join(" ")] : []),
        ]),
      ]),
    );
  },
});
