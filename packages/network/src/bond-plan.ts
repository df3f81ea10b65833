/**
 * What has to be done so that this host has the bonds that are uplinks of its switches. Pure. Such a bond is an interface that carries
 * its switch's name as its alias; no other is changed or removed, and no card becomes part of one that is used otherwise.
 */
import type { BondDefinition } from "@godwit/contract";
import {
  addressProblem,
  aliasOf,
  bridgeOf,
  isTap,
  kindText,
  ownerIn,
  type FoundLink,
  type SwitchPlan,
  type WantedSwitch,
} from "./switch-plan.ts";

/** How often the driver looks whether its cards have a link, in milliseconds. */
const lookEveryMs = 100;

type WantedBond = WantedSwitch & { bond: BondDefinition; uplink: string };
const isBonded = (wanted: WantedSwitch): wanted is WantedBond =>
  wanted.bond !== undefined && wanted.uplink !== null;

/** @param wanted all switches that this host is to have. @param links all interfaces of this network namespace */
export function planBonds(wanted: readonly WantedSwitch[], links: readonly FoundLink[]): SwitchPlan {
  const plan: SwitchPlan = { steps: [], refused: [] };
  const step = (name: string, ...ip: string[]) => {
    if (ip.length > 0) plan.steps.push({ switch: name, steps: { ip, bridge: [] } });
  };
  for (const link of links) {
    const name = ownerOfBond(link);
    const isWanted = wanted.some((one) => isBonded(one) && one.name === name && one.uplink === link.name);
    if (name !== null && !isWanted && !hasVms(link, links)) step(name, `link del dev ${link.name}`);
  }
  for (const one of wanted.filter(isBonded)) {
    const { name, uplink: device, mtu } = one;
    const found = links.find((link) => link.name === device);
    const taken = takenBy(one, found, wanted, links);
    if (taken !== null) {
      plan.refused.push({ switch: name, reason: taken });
      continue;
    }
    const usable = one.bond.cards.filter((card) => {
      const reason = problemOf(card, one, wanted, links);
      if (reason !== null) plan.refused.push({ switch: name, reason });
      return reason === null;
    });
    if (found === undefined && usable.length === 0) continue;
    if (found === undefined)
      step(
        name,
        `link add name ${device} type bond mode active-backup miimon ${String(lookEveryMs)}`,
        `link set dev ${device} alias ${aliasOf(name)}`,
        `link set dev ${device} addrgenmode none mtu ${String(mtu)} up`,
      );
    else if (found.alias === null) step(name, `link set dev ${device} alias ${aliasOf(name)}`);
    for (const card of usable) step(name, ...stepsOf(card, device, links));
    for (const { name: port } of links.filter(
      (link) => link.master === device && !one.bond.cards.includes(link.name),
    ))
      step(name, `link set dev ${port} nomaster`);
  }
  return plan;
}

/** Whose the interface is that the bond would be; null: nobody else's. */
function takenBy(
  { name, uplink: device }: WantedBond,
  found: FoundLink | undefined,
  wanted: readonly WantedSwitch[],
  links: readonly FoundLink[],
): string | null {
  const owner = found === undefined ? null : ownerOfBond(found);
  const other = owner ?? wanted.find((one) => one.name < name && one.uplink === device)?.name ?? name;
  if (other !== name) return `${device} is the bond of virtual switch ${other}`;
  if (found === undefined || owner !== null || isUnfinished(found, links)) return null;
  return `this host has an interface ${device} already, which its agent did not make`;
}

/** Name of the switch that it is the bond of; null: it is no switch's. */
const ownerOfBond = ({ kind, alias }: FoundLink): string | null => (kind === "bond" ? ownerIn(alias) : null);

/** The bridge that it is a port of stays then. */
const hasVms = ({ master }: FoundLink, links: readonly FoundLink[]): boolean =>
  master !== null && links.some((link) => link.master === master && isTap(link));

/** One that was made and not finished, by an agent that ended just then. */
const isUnfinished = ({ name, kind, alias, isOn }: FoundLink, links: readonly FoundLink[]): boolean =>
  kind === "bond" && alias === null && !isOn && links.every(({ master }) => master !== name);

/** Why a card cannot be a part of the bond; null: it can be, or is one. */
function problemOf(
  card: string,
  { name, uplink: device }: WantedBond,
  wanted: readonly WantedSwitch[],
  links: readonly FoundLink[],
): string | null {
  const found = links.find((link) => link.name === card);
  if (found === undefined) return `this host has no network card ${card}`;
  const other = wanted.find(
    (one) => one.name < name && (one.uplink === card || one.bond?.cards.includes(card) === true),
  );
  if (other !== undefined) return `${card} is an uplink of virtual switch ${other.name}`;
  const { master } = found;
  if (master === device) return null;
  if (found.isLoopback || isTap(found) || found.kind === "bridge" || found.kind === "bond")
    return `${card} is no network card, but ${kindText(found)}`;
  if (master !== null && master !== bridgeOf(name))
    return `${card} is a port of ${master}: a card that becomes part of a bond is used for nothing else`;
  return addressProblem(found, links);
}

/** The kernel takes only cards that are off, and switches them on. */
function stepsOf(card: string, device: string, links: readonly FoundLink[]): string[] {
  const found = links.find((link) => link.name === card);
  if (found?.master === device) return found.isOn ? [] : [`link set dev ${card} up`];
  return [
    ...(found?.master == null ? [] : [`link set dev ${card} nomaster`]),
    `link set dev ${card} down`,
    `link set dev ${card} master ${device}`,
    `link set dev ${card} up`,
  ];
}
