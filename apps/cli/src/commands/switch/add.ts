/** `godwit switch add` */
import { GodwitError } from "@godwit/contract";
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag, mtuFlag, switchArgument, wholeNumberTo, type JsonFlags } from "../common.ts";

interface AddFlags extends JsonFlags {
  uplink?: readonly string[];
  internal: boolean;
  vxlan?: number;
  underlay?: string;
  vxlanPort?: number;
  mtu?: number;
  host?: readonly string[];
}

export const addCommand = buildCommand({
  docs: {
    brief: "Define a virtual switch, or define it for further hosts",
    fullDescription: `A virtual switch is a Linux bridge that each host's agent makes, at once and again after a restart. Its uplink is a network
card or a bond of the host that leads to the VMs' networks, with the VLANs of the switch's port groups; it must have no
address of its own, so the host's management network is refused. Of several network cards the agent makes a bond (active-backup: one
carries, and another when that has no link); the physical switches need no setting for it. Where hosts name their cards differently, define the
switch for each by --host. VMs are connected to port groups on it: godwit network add.

With --vxlan the hosts need no network of their VMs in common: what a VM sends goes in UDP from each host to the others that have
the switch, from their addresses for migrations or those in the network of --underlay. Each such switch has a number (VNI) of its own.
VXLAN is not encrypted: the underlay must be a network that you trust.

Examples:
  godwit switch add lan --uplink eno2                              on every host, also on later ones
  godwit switch add lan --uplink eno2 --uplink eno3                two cards, of which one carries
  godwit switch add lan --uplink bond0 --host a --host b --mtu 9000   a bond of the hosts' own
  godwit switch add lan --uplink enp3s0 --host c                   for a further host, where the card has another name
  godwit switch add cellar --internal --host a                     without uplink: its VMs reach each other, and do not move
  godwit switch add far --vxlan 100                                between all hosts, over the migration network
  godwit switch add far --vxlan 100 --underlay 10.9.0.0/24         from each host's address in that network`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      uplink: {
        kind: "parsed",
        parse: String,
        variadic: true,
        brief: "The host's network card or bond that leads outside; given again: the cards of a bond",
        optional: true,
      },
      internal: {
        kind: "boolean",
        brief: "No uplink: it ends on its host",
        default: false,
        withNegated: false,
      },
      vxlan: {
        kind: "parsed",
        parse: wholeNumberTo(16_777_215),
        brief: "In place of an uplink: the VXLAN segment's number (VNI), 1 to 16777215",
        optional: true,
      },
      underlay: {
        kind: "parsed",
        parse: String,
        brief:
          "With --vxlan: migration (default), or a network like 10.9.0.0/24 in which each host has an address",
        optional: true,
      },
      vxlanPort: {
        kind: "parsed",
        parse: wholeNumberTo(65_535),
        brief: "With --vxlan: the UDP port (default: 4789)",
        optional: true,
      },
      mtu: {
        ...mtuFlag,
        brief: "Largest packet in bytes (default: 1500; with --vxlan what the underlay leaves, mostly 1450)",
      },
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
  async func(flags: AddFlags, name: string) {
    const { json, uplink, internal, mtu, host } = flags;
    const vxlan = vxlanOf(flags);
    if ([uplink !== undefined, internal, vxlan !== undefined].filter(Boolean).length !== 1)
      throw GodwitError.of("USAGE", {
        what: "A virtual switch has an uplink or VXLAN, or is an internal one.",
        hint: "Give one of --uplink, --vxlan and --internal.",
      });
    const body = {
      ...{ name, uplink: uplink?.join("+") ?? null },
      ...(mtu === undefined ? {} : { mtu }),
      ...(host === undefined ? {} : { hosts: [...host] }),
      ...(vxlan === undefined ? {} : { vxlan }),
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

function vxlanOf({ vxlan: vni, underlay, vxlanPort: port }: AddFlags) {
  if (vni !== undefined)
    return { vni, ...(underlay === undefined ? {} : { underlay }), ...(port === undefined ? {} : { port }) };
  if (underlay !== undefined || port !== undefined)
    throw GodwitError.of("USAGE", {
      what: "--underlay and --vxlan-port are of VXLAN.",
      hint: "Give the segment's number too: --vxlan 100",
    });
  return undefined;
}
