/** Virtual switches and port groups as lines for people. Pure. */
import type { NetworkState, NetworkView, SwitchView } from "@godwit/contract";
import { formatTable } from "./format.ts";

export function switchesText(switches: readonly SwitchView[]): string {
  return formatTable([
    ["NAME", "UPLINK", "MTU", "HOSTS", "PORT GROUPS"],
    ...switches.map(({ name, mtu, hosts, networks, ...one }) => [
      ...[name, uplinksText({ ...one, hosts }), String(mtu), hostsText(hosts), networks.join(" ") || "none"],
    ]),
  ]);
}

export function switchText({ name, mtu, uplink, everyHost, vxlan, hosts, networks }: SwitchView): string {
  const head = formatTable([
    ["name", name],
    vxlan === null
      ? ["uplink", uplinksText({ uplink, everyHost, vxlan, hosts })]
      : ["vxlan", vxlanText(vxlan)],
    ["mtu", String(mtu)],
    ["defined", everyHost ? "for every host, also those that join later" : "for the hosts below"],
    [
      "port groups",
      networks.length === 0 ? `none; add one: godwit network add NAME --switch ${name}` : networks.join(" "),
    ],
  ]);
  if (hosts.length === 0) return `${head}\n\nNo host has it.`;
  const table = formatTable([
    ["HOST", "STATE", "BRIDGE", "UPLINK", "MTU", ...(vxlan === null ? [] : ["FROM", "TO"])],
    ...hosts.map((on) => [
      ...[on.host, stateWords[on.state], on.bridge ?? "", on.uplink ?? "none"],
      on.mtu === null ? "" : String(on.mtu),
      ...(vxlan === null ? [] : [on.vxlan?.local ?? "", peersText(on.vxlan?.peers ?? [])]),
    ]),
  ]);
  return [head, "", table, ...reasonsText(hosts)].join("\n");
}

const vxlanText = ({ vni, port, underlay }: NonNullable<SwitchView["vxlan"]>): string =>
  `${String(vni)}, UDP port ${String(port)}, between the hosts' addresses ${underlay === "migration" ? "for migrations" : `in ${underlay}`}`;

const peersText = (peers: readonly string[]): string =>
  peers.length > 4 ? `${peers.slice(0, 3).join(" ")} and ${String(peers.length - 3)} more` : peers.join(" ");

export function networksText(networks: readonly NetworkView[]): string {
  return formatTable([
    ["NAME", "SWITCH", "VLAN", "MTU", "HOSTS", "VMS"],
    ...networks.map(({ name, switch: on, vlan, mtu, hosts, vms }) => [
      ...[
        name,
        on ?? "of the hosts",
        vlanText(vlan),
        mtuText(mtu, hosts),
        hostsText(hosts),
        String(vms.length),
      ],
    ]),
  ]);
}

export function networkText(view: NetworkView): string {
  const { name, switch: on, vlan, mtu, allowForgedTransmits, isolatedHosts, hosts, vms } = view;
  const head = formatTable([
    ["name", name],
    ...(on === null
      ? [["defined", "by hosts' own configuration (agent.yaml)"]]
      : [
          ["switch", on],
          ["vlan", vlan === 0 ? "none: frames without a tag" : String(vlan)],
          ["mtu", mtu === null ? "the switch's" : String(mtu)],
          [
            "mac addresses",
            allowForgedTransmits === true ? "VMs may send with any" : "VMs send with their own only",
          ],
          ...(isolatedHosts === undefined ? [] : [["hosts", "do not receive each other's broadcasts"]]),
        ]),
    ["vms", vms.length === 0 ? "none" : vms.join(" ")],
  ]);
  if (hosts.length === 0) return `${head}\n\nNo host has it${on === null ? "" : `: none has switch ${on}`}.`;
  const table = formatTable([
    ["HOST", "STATE", "BRIDGE", "UPLINK", "MTU"],
    ...hosts.map((one) => [
      ...[one.host, stateWords[one.state], one.bridge ?? "", one.uplink ?? "none"],
      one.mtu === null ? "" : String(one.mtu),
    ]),
  ]);
  return [head, "", table, ...reasonsText(hosts)].join("\n");
}

interface OnHost {
  host: string;
  state: NetworkState;
  reason: string | null;
}

const stateWords: Readonly<Record<NetworkState, string>> = {
  available: "available",
  unavailable: "unavailable",
  notApplied: "not applied",
  unknown: "unknown",
  notDefined: "not defined",
};

const vlanText = (vlan: number | null): string => (vlan === null ? "" : vlan === 0 ? "none" : String(vlan));

function mtuText(mtu: number | null, hosts: NetworkView["hosts"]): string {
  const known = mtu === null ? hosts.flatMap((one) => one.mtu ?? []) : [mtu];
  return [...new Set(known)].join(" or ");
}

function hostsText(hosts: readonly OnHost[]): string {
  const good = hosts.filter(({ state }) => state === "available" || state === "notDefined").length;
  return good === hosts.length ? String(good) : `${String(good)} of ${String(hosts.length)}`;
}

function uplinksText({
  uplink,
  everyHost,
  vxlan,
  hosts,
}: Pick<SwitchView, "uplink" | "everyHost" | "vxlan" | "hosts">): string {
  if (vxlan !== null) return `VXLAN ${String(vxlan.vni)}`;
  const all = [...(everyHost ? [uplink] : []), ...hosts.map(({ desiredUplink }) => desiredUplink)];
  const words = [...new Set(all)].map((one) => one ?? "none (internal)");
  return words.join(" or ") || (uplink ?? "none (internal)");
}

const reasonsText = (hosts: readonly OnHost[]): string[] => {
  const reasons = hosts.flatMap(({ host, reason }) => (reason === null ? [] : [`${host}: ${reason}`]));
  return reasons.length === 0 ? [] : ["", ...reasons];
};
