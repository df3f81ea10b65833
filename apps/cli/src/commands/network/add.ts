/** `godwit network add` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag, mtuFlag, networkArgument, proposeSwitches, type JsonFlags } from "../common.ts";
import { vlanOf } from "./vlan.ts";

interface AddFlags extends JsonFlags {
  switch: string;
  vlan?: number;
  mtu?: number;
  allowForgedTransmits: boolean;
  isolatedHosts: boolean;
}

export const addCommand = buildCommand({
  docs: {
    brief: "Define a port group on a virtual switch",
    fullDescription: `VMs are connected to it by its name (godwit vm create --network NAME), on every host that has the switch. With --vlan their
frames leave the host with that tag, and they see only what has it; without, their frames have no tag.
VMs send with their own MAC addresses only, unless --allow-forged-transmits lets routers and nested hypervisors send with others.

Examples:
  godwit network add office --switch lan
  godwit network add web --switch lan --vlan 20
  godwit network add routers --switch lan --vlan 30 --allow-forged-transmits`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      switch: {
        kind: "parsed",
        parse: String,
        brief: "The virtual switch that it is on",
        proposeCompletions: proposeSwitches,
      },
      vlan: { kind: "parsed", parse: vlanOf, brief: "VLAN, 1 to 4094 (default: 0, no tag)", optional: true },
      mtu: { ...mtuFlag, brief: "Largest packet in bytes (default: the switch's)" },
      allowForgedTransmits: {
        kind: "boolean",
        brief: "VMs may send with MAC addresses that are not theirs",
        default: false,
        withNegated: false,
      },
      isolatedHosts: {
        kind: "boolean",
        brief: "Hosts do not receive each other's broadcasts (private VLAN): no alarm VM_MAC_NOT_LEARNED",
        default: false,
        withNegated: false,
      },
    },
    positional: networkArgument,
  },
  async func({ json, ...flags }: AddFlags, name: string) {
    const { switch: on, vlan: tag, mtu, allowForgedTransmits, isolatedHosts } = flags;
    const body = {
      ...{ name, switch: on },
      ...(tag === undefined ? {} : { vlan: tag }),
      ...(mtu === undefined ? {} : { mtu }),
      ...(allowForgedTransmits ? { allowForgedTransmits } : {}),
      ...(isolatedHosts ? { isolatedHosts } : {}),
    };
    const view = await withApi((api) => api.call("networkAdd", { body }));
    if (json) {
      writeJson(view);
      return;
    }
    const { networkText } = await import("../../output/network-view.ts");
    writeLine(networkText(view));
  },
});
