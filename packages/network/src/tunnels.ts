/**
 * The VXLAN tunnels of this host's switches: interfaces that its agent makes, changes and removes, to whom they lead, and who may
 * send to them. Who may send is limited first: while it cannot be, none is made, and those that there are are off.
 */
import { normalAddress, type TunnelFacts } from "@godwit/contract";
import { remotesOf, type Interface } from "./iproute.ts";
import type { FoundLink, Steps, WantedSwitch } from "./switch-plan.ts";
import { limitSenders, removeLimits } from "./tunnel-filter.ts";
import { isTunnelled, planHalt, planTunnels, tunnelOwner, unlearned, type Remote } from "./tunnel-plan.ts";
import { limitsOf } from "./tunnel-rules.ts";

type Named = { switch: string; reason: string }[];
export interface TunnelsApplied {
  refused: Named;
  /** What was not as it is to be, and was put right. */
  changed: Named;
  /** Into which anybody could send, for others changed what limits it since the last call. */
  exposed: Named;
}

/**
 * @param links all interfaces of this network namespace
 * @param takeSteps takes those of one switch. @returns why that failed, or null
 */
export async function applyTunnels(
  wanted: readonly WantedSwitch[],
  links: readonly FoundLink[],
  takeSteps: (name: string, steps: Steps) => Promise<string | null>,
): Promise<TunnelsApplied> {
  const tunnelled = wanted.filter(isTunnelled);
  const own = links.filter((link) => tunnelOwner(link) !== null);
  const applied: TunnelsApplied = { refused: [], changed: [], exposed: [] };
  if (tunnelled.length === 0 && own.length === 0) {
    await removeLimits();
    return applied;
  }
  const limits = limitsOf(
    tunnelled.map(({ vxlan }) => vxlan),
    own.flatMap(({ vxlan }) => vxlan ?? []),
  );
  const { problem, lost } = await limitSenders(limits);
  const { steps, refused } = problem === null ? await planned(wanted, links, own) : planHalt(wanted, links);
  applied.refused.push(...refused);
  for (const { switch: name, steps: lines, differs } of steps) {
    const reason = await takeSteps(name, lines);
    if (reason !== null) applied.refused.push({ switch: name, reason });
    else if (differs !== null) applied.changed.push({ switch: name, reason: differs });
  }
  for (const { name, uplink } of tunnelled) {
    if (problem !== null) applied.refused.push({ switch: name, reason: problem });
    if (lost !== null && own.some((link) => link.name === uplink && link.isOn))
      applied.exposed.push({
        switch: name,
        reason: `anybody could send into tunnel ${uplink ?? ""} until now: ${lost}`,
      });
  }
  // Only then: frames of VMs go through one that could not be removed.
  if (tunnelled.length === 0 && applied.refused.length === 0) await removeLimits();
  return applied;
}

async function planned(
  wanted: readonly WantedSwitch[],
  links: readonly FoundLink[],
  own: readonly FoundLink[],
): Promise<ReturnType<typeof planTunnels>> {
  const remotes = new Map<string, Remote[]>();
  for (const { name } of own) remotes.set(name, await remotesOf(name));
  return planTunnels(wanted, links, remotes);
}

/** As the kernel has it; undefined: another interface. */
export async function tunnelFacts(
  { vni }: { vni: number },
  found: Interface,
): Promise<TunnelFacts | undefined> {
  const { id, local, local6 } = found.linkinfo?.info_data ?? {};
  const address = local ?? local6;
  if (id !== vni || address === undefined) return undefined;
  const remotes = await remotesOf(found.ifname);
  const peers = remotes.flatMap(({ mac, address: peer }) => (mac === unlearned ? [peer] : []));
  return { vni, local: normalAddress(address), peers: peers.sort() };
}
