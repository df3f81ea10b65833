/** `godwit network set` */
import { GodwitError } from "@godwit/contract/errors";
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag, mtuFlag, networkArgument, type JsonFlags } from "../common.ts";
import { vlanOf } from "./vlan.ts";

interface Flags extends JsonFlags {
  vlan?: number;
  mtu?: number;
  allowForgedTransmits?: boolean;
  isolatedHosts?: boolean;
}

export const setCommand = buildCommand({
  docs: {
    brief: "Change a port group on all hosts, also while VMs use it",
    fullDescription: `What is not named stays as it is. Agents change the ports of VMs that run: with another VLAN they reach at once what has that
VLAN, and nothing else any more.

Examples:
  godwit network set web --vlan 30
  godwit network set routers --allow-forged-transmits
  godwit network set routers --no-allow-forged-transmits
  godwit network set dmz --isolated-hosts`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      vlan: { kind: "parsed", parse: vlanOf, brief: "VLAN, 1 to 4094; 0: no tag", optional: true },
      mtu: { ...mtuFlag, brief: "Largest packet in bytes, at most the switch's" },
      allowForgedTransmits: {
        kind: "boolean",
        brief: "Whether VMs may send with MAC addresses that are not theirs",
        optional: true,
      },
      isolatedHosts: {
        kind: "boolean",
        brief:
          "Whether hosts do not receive each other's broadcasts (private VLAN): no alarm VM_MAC_NOT_LEARNED",
        optional: true,
      },
    },
    positional: networkArgument,
  },
  async func({ json, vlan, mtu, allowForgedTransmits, isolatedHosts }: Flags, name: string) {
    const body = {
      ...(vlan === undefined ? {} : { vlan }),
      ...(mtu === undefined ? {} : { mtu }),
      ...(allowForgedTransmits === undefined ? {} : { allowForgedTransmits }),
      ...(isolatedHosts === undefined ? {} : { isolatedHosts }),
    };
    if (Object.keys(body).length === 0)
      throw GodwitError.of("USAGE", {
        what: `Nothing of port group ${name} is to be changed.`,
        hint: "Give --vlan, --mtu, --allow-forged-transmits or --isolated-hosts.",
      });
    const view = await withApi((api) => api.call("networkSet", { params: { network: name }, body }));
    if (json) {
      writeJson(view);
      return;
    }
    const { networkText } = await import("../../output/network-view.ts");
    writeLine(networkText(view));
  },
});
