/**
 * The virtual switches of this host: bridges that its agent makes, changes and removes, and nothing else. Done again at any time
 * it changes nothing; what goes through the switches is not interrupted by it.
 */
import { GodwitError, normalAddress, type SwitchFacts } from "@godwit/contract";
import { run } from "@godwit/system";
import { planBonds } from "./bond-plan.ts";
import { changeInterfaces, listInterfaces, listPortVlans, type Interface } from "./iproute.ts";
import {
  bridgeOf,
  ownerOf,
  planSwitches,
  type FoundLink,
  type PortVlan,
  type Steps,
  type SwitchPlan,
  type WantedSwitch,
} from "./switch-plan.ts";
import { applyTunnels, type TunnelsApplied } from "./tunnels.ts";

/**
 * @param wanted all that this host is to have; others of its agent's making go
 * @returns what is not as it is to be, and why; which tunnels were not, and were put right; and into which anybody could send
 */
export async function applySwitches(wanted: readonly WantedSwitch[]): Promise<TunnelsApplied> {
  const tunnels = await applyTunnels(wanted, await foundLinks(), takeSteps);
  const bonds = await carryOut(planBonds(wanted, await foundLinks()));
  const switches = await carryOut(planSwitches(wanted, await foundLinks()));
  return { ...tunnels, refused: [...tunnels.refused, ...bonds, ...switches] };
}

/** @returns what is not as it is to be, and why */
async function carryOut({ steps, refused }: SwitchPlan): Promise<SwitchPlan["refused"]> {
  const failed: SwitchPlan["refused"] = [];
  for (const { switch: name, steps: lines } of steps) {
    const reason = await takeSteps(name, lines);
    if (reason !== null) failed.push({ switch: name, reason });
  }
  return [...refused, ...failed];
}

/** Those of the wanted ones whose bridge exists. */
export async function switchFacts(wanted: readonly WantedSwitch[]): Promise<SwitchFacts[]> {
  if (wanted.length === 0) return [];
  const links = await foundLinks();
  return wanted.flatMap(({ name, uplink, vxlan, bond }) => {
    const bridge = links.find((link) => ownerOf(link) === name);
    if (bridge === undefined) return [];
    const port = links.find((link) => link.name === uplink && link.master === bridge.name);
    return [
      {
        ...{ name, bridge: bridge.name, uplink: port?.name ?? null, desiredUplink: uplink, mtu: bridge.mtu },
        ...(vxlan === undefined ? {} : { vxlan }),
        ...(bond === undefined ? {} : { bond }),
      },
    ];
  });
}

/** Whether bridges of this host's kernel can filter by VLAN: tried on one that goes at once. @throws PROGRAM_MISSING */
export async function canFilterVlans(): Promise<boolean> {
  const probe = bridgeOf("probe-of-vlans");
  const lines = [`link add name ${probe} type bridge vlan_filtering 1`, `link del dev ${probe}`];
  try {
    await changeInterfaces(lines, "trying whether bridges filter by VLAN");
    return true;
  } catch (error) {
    if (!GodwitError.is(error, "PROGRAM_FAILED")) throw error;
    // One that an agent left which ended just then is there already.
    await changeInterfaces([`link del dev ${probe}`], "removing the bridge of the trial").catch(
      () => undefined,
    );
    return !/not supported/i.test(String(error.problem.details.output));
  }
}

async function takeSteps(name: string, { ip: lines, bridge }: Steps): Promise<string | null> {
  const made = lines.map((line) => /^link add name (\S+)/.exec(line)?.[1]).find((word) => word !== undefined);
  try {
    if (lines.length > 0) await changeInterfaces(lines, `arranging virtual switch ${name}`);
    if (bridge.length > 0)
      await run("bridge", ["-batch", "-"], {
        what: `setting the VLANs of virtual switch ${name}`,
        input: `${bridge.join("\n")}\n`,
      });
    return null;
  } catch (error) {
    if (!GodwitError.is(error)) throw error;
    if (made !== undefined)
      await changeInterfaces([`link del dev ${made}`], "removing an interface that was not finished").catch(
        () => undefined,
      );
    const { details, detail } = error.problem;
    const said = error.code === "PROGRAM_FAILED" ? String(details.output) : detail;
    return said.replaceAll("\n", " ").trim().replace(/\.$/, "").slice(0, 500);
  }
}

async function foundLinks(): Promise<FoundLink[]> {
  return linksOf(...(await Promise.all([listInterfaces(), listPortVlans()])));
}

/** Interfaces as the plan of switches looks at them. */
export function linksOf(
  interfaces: readonly Interface[],
  vlans: ReadonlyMap<string, readonly PortVlan[]>,
): FoundLink[] {
  return interfaces.map((found) => linkOf(found, vlans.get(found.ifname) ?? []));
}

function linkOf(found: Interface, vlans: readonly PortVlan[]): FoundLink {
  const { ifname: name, flags, mtu, linkinfo } = found;
  const kind = linkinfo?.info_kind ?? null;
  return {
    ...{ name, kind, mtu, vlans },
    isLoopback: flags.includes("LOOPBACK"),
    isOn: flags.includes("UP"),
    alias: found.ifalias ?? null,
    master: found.master ?? null,
    lower: kind === "veth" ? null : (found.link ?? null),
    addresses: found.addr_info.flatMap(({ local }) => local ?? []),
    filtersVlans: linkinfo?.info_data?.vlan_filtering === 1,
    ...vxlanOf(found),
  };
}

function vxlanOf({ linkinfo }: Interface): Pick<FoundLink, "vxlan"> {
  const { id: vni, port, local, local6 } = linkinfo?.info_data ?? {};
  if (linkinfo?.info_kind !== "vxlan" || vni === undefined || port === undefined) return {};
  const address = local ?? local6;
  return { vxlan: { vni, port, local: address === undefined ? null : normalAddress(address) } };
}
