/** Asks a host that is to be emptied, and the others, and says which moves come next. */
import {
  isQuarantined,
  planEvacuation,
  type EvacuationFacts,
  type Mover,
  type NextMoves,
} from "@godwit/placement";
import { canBeTried, ownHealth, type Destination, type Source } from "@godwit/requirements";
import type { Inventory } from "../inventory.ts";
import { allRules, placesOfVms } from "../pools/pool-reports.ts";
import { destinationsOf, sourceOf } from "./check-vm.ts";

/** Moves to one destination at once. */
export const movesPerTarget = 1;

/** @throws HOST_UNREACHABLE when VMs run on the host and it does not answer */
export async function decideMoves(
  services: Inventory,
  host: string,
  movers: readonly Mover[],
  limits: EvacuationFacts["limits"],
): Promise<NextMoves> {
  const { store } = services;
  const [all, pools] = await Promise.all([store.hosts.list(), store.pools.list()]);
  const policyOf = new Map(
    pools.flatMap(({ hosts, health }) => hosts.map((name) => [name, health] as const)),
  );
  const unwell = new Map(
    [...ownHealth(all, Date.now())].flatMap(([name, { health }]) => {
      return isQuarantined(policyOf.get(name) ?? "ask", health) ? [[name, health] as const] : [];
    }),
  );
  const others = all.filter(({ name }) => name !== host && unwell.get(name) !== "severe");
  const isLive = movers.some(({ live }) => live);
  const [source, tasks, vms, rules, hostOf, destinations] = await Promise.all([
    sourceOf(services, host, isLive),
    store.tasks.arriving(),
    store.vms.list(),
    allRules(store),
    placesOfVms(services),
    destinationsOf(
      services,
      others.map(({ name }) => name),
    ),
  ]);
  if (isLive) await tryPaths(services, host, source, destinations);
  const byId = new Map<string, (typeof vms)[number]>(vms.map((vm) => [vm.id, vm]));
  const arriving = tasks.flatMap(({ host: to, task }) => {
    const vm = task.kind === "vm.migrate" ? byId.get(task.subject.id) : undefined;
    return vm === undefined ? [] : [{ host: to, vm }];
  });
  const facts = { host, source, arriving, rules, hostOf };
  const isWell = ({ name }: Destination) => !unwell.has(name);
  const first = planEvacuation({ ...facts, movers, limits, destinations: destinations.filter(isWell) });
  if (first.stuck.length === 0 || destinations.every(isWell)) return first;
  // Hosts that are not well take a VM only where no other may have it.
  const second = planEvacuation({
    ...facts,
    movers: first.stuck.map(({ mover }) => mover),
    limits: { ...limits, free: limits.free - first.begin.length },
    destinations: destinations.filter((destination) => !isWell(destination)),
  });
  const before = new Map(first.stuck.map(({ mover, findings }) => [mover.vm.id, findings]));
  return {
    begin: [...first.begin, ...second.begin],
    waiting: [...first.waiting, ...second.waiting],
    stuck: second.stuck.map(({ mover, findings }) => ({
      mover,
      findings: [...(before.get(mover.vm.id) ?? []), ...findings],
    })),
  };
}

/** To all that could take a VM as far as is known. */
async function tryPaths(
  { hosts }: Inventory,
  from: string,
  source: Source,
  destinations: readonly Destination[],
): Promise<void> {
  const open = destinations.filter(({ takesVms, report }) => takesVms && canBeTried(source, report));
  const trials = await hosts.paths.tryAll(
    from,
    open.map(({ name }) => name),
  );
  for (const destination of open) {
    const path = trials.get(destination.name);
    if (path !== undefined) destination.path = path;
  }
}
