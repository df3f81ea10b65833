/** `godwit switch add` */
import { GodwitError } from "@godwit/contract";
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag, mtuFlag, switchArgument, type JsonFlags } from "../common.ts";

interface AddFlags extends JsonFlags {
  uplink?: string;
  internal: boolean;
  mtu?: number;
  host?: readonly string[];
}

export const addCommand = buildCommand({
  docs: {
    brief: "Define a virtual switch, or define it for further hosts",
    fullDescription: `A virtual switch is a Linux bridge that each host's agent makes, at once and again after a restart. Its uplink is a network
card or a bond of the host that leads to the VMs' networks, with the VLANs of the switch's port groups; it must have no
address of its own, so the host's management network is refused. Where hosts name their cards differently, define the
switch for each by --host. VMs are connected to port groups on it: godwit network add.

Examples:
  godwit switch add lan --uplink eno2                              on every host, also on later ones
  godwit switch add lan --uplink bond0 --host a --host b --mtu 9000
  godwit switch add lan --uplink enp3s0 --host c                   for a further host, where the card has another name
  godwit switch add cellar --internal --host a                     without uplink: its VMs reach each other, and do not move`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      uplink: {
        kind: "parsed",
        parse: String,
        brief: "The host's network card or bond that leads outside",
        optional: true,
      },
      internal: {
        kind: "boolean",
        brief: "No uplink: it ends on its host",
        default: false,
        withNegated: false,
      },
      mtu: { ...mtuFlag, brief: "Largest packet in bytes (default: 1500)" },
      host: {
        kind: "parsed",
        parse: String,
        variadic: true,
        brief: "A host that is to have it (default: every host)",
        optional: true,
      },
    },
    positional: switchArgument,
  },
  async func({ json, uplink, internal, mtu, host }: AddFlags, name: string) {
    if ((uplink === undefined) !== internal)
      throw GodwitError.of("USAGE", {
        what: "A virtual switch has an uplink, or is an internal one.",
        hint: "Give one of --uplink and --internal.",
      });
    const body = {
      ...{ name, uplink: uplink ?? null },
      ...(mtu === undefined ? {} : { mtu }),
      ...(host === undefined ? {} : { hosts: [...host] }),
    };
    const view = await withApi((api) => api.call("switchAdd", { body }));
    if (json) {
      writeJson(view);
      return;
    }
    const { switchText } = await import("../../output/network-view.ts");
    writeLine(switchText(view));
  },
});
