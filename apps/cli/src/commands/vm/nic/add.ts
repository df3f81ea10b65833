/** `godwit vm nic add` */
import type { NicModel } from "@godwit/contract";
import { buildCommand } from "@stricli/core";
import { withApi } from "../../../connection.ts";
import { runTask } from "../../../run-task.ts";
import { detachFlag, jsonFlag, vmArgument, wordsOf, type TaskFlags } from "../../common.ts";

interface Flags extends TaskFlags {
  network: string;
  model?: NicModel;
  mac?: string;
}

export const addNicCommand = buildCommand({
  docs: {
    brief: "Add a NIC to a VM",
    fullDescription: `While the VM runs, its guest sees the NIC at once. Without --mac it gets an address that no other VM has.

Examples:
  godwit vm nic add web-1 --network backup
  godwit vm nic add web-1 --network backup --model e1000e --mac 52:54:00:12:34:56`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      detach: detachFlag,
      network: { kind: "parsed", parse: String, brief: "Port group that it is connected to" },
      model: {
        kind: "enum",
        values: wordsOf<NicModel>({ virtio: true, e1000e: true, e1000: true }),
        brief: "What the guest sees it as (default virtio; e1000 to a q35 VM: only while it is stopped)",
        optional: true,
      },
      mac: {
        kind: "parsed",
        parse: (text: string) => text.toLowerCase(),
        brief: "MAC address",
        optional: true,
      },
    },
    positional: vmArgument,
  },
  async func(flags: Flags, vm: string) {
    const { network: portGroup, model, mac } = flags;
    const body = {
      portGroup,
      ...(model === undefined ? {} : { model }),
      ...(mac === undefined ? {} : { mac }),
    };
    await withApi((api) =>
      runTask(api, api.call("vmNicAdd", { params: { vm }, body }), flags, (ended) => {
        const change = ended.kind === "vm.changeDevice" ? ended.request.change : null;
        return change?.what === "addNic"
          ? `VM ${vm} has a NIC on network ${portGroup} with MAC address ${change.nic.mac}.`
          : "";
      }),
    );
  },
});
