/**
 * What an assignment costs and what it breaks, computed from the instance alone and with integers of any size: nothing
 * of the search is used.
 */
import type { Instance } from "./model.ts";

export interface Verdict {
  cost: bigint;
  /** The first of each kind. */
  violations: string[];
}

export function check(instance: Instance, assignment: readonly number[]): Verdict {
  const { resources, machines, services, processes, balances, weights } = instance;
  const original = instance.assignment;
  const usage = machines.map(() => resources.map(() => 0n));
  const held = machines.map(() => resources.map(() => 0n));
  let processCost = 0n;
  let machineCost = 0n;
  const movedOf = new Map<number, number>();
  const placesOf = new Map<number, number[]>();
  for (const [process, { service, demand, moveCost }] of processes.entries()) {
    const to = assignment[process] ?? -1;
    const from = original[process] ?? -1;
    placesOf.set(service, [...(placesOf.get(service) ?? []), to]);
    for (const [resource, amount] of demand.entries()) {
      addTo(usage[to], resource, amount);
      if (from !== to && resources[resource]?.transient === true) addTo(held[from], resource, amount);
    }
    if (from === to) continue;
    processCost += BigInt(moveCost);
    machineCost += BigInt(machines[from]?.moveCost[to] ?? 0);
    movedOf.set(service, (movedOf.get(service) ?? 0) + 1);
  }
  const violations: string[] = [];
  let cost = 0n;
  for (const [machine, { capacity, safety }] of machines.entries()) {
    const used = usage[machine] ?? [];
    for (const [resource, { weight }] of resources.entries()) {
      const amount = used[resource] ?? 0n;
      const all = amount + (held[machine]?.[resource] ?? 0n);
      if (all > BigInt(capacity[resource] ?? 0)) violations.push(`machine ${String(machine)}: capacity`);
      const over = amount - BigInt(safety[resource] ?? 0);
      if (over > 0n) cost += BigInt(weight) * over;
    }
    for (const { first, second, target, weight } of balances) {
      const free = (resource: number) => BigInt(capacity[resource] ?? 0) - (used[resource] ?? 0n);
      const lacks = BigInt(target) * free(first) - free(second);
      if (lacks > 0n) cost += BigInt(weight) * lacks;
    }
  }
  const domains = (service: number, domain: "location" | "neighbourhood") =>
    new Set((placesOf.get(service) ?? []).map((machine) => machines[machine]?.[domain]));
  for (const [service, { spread, needs }] of services.entries()) {
    const places = placesOf.get(service) ?? [];
    if (new Set(places).size < places.length) violations.push(`service ${String(service)}: conflict`);
    if (domains(service, "location").size < spread) violations.push(`service ${String(service)}: spread`);
    const own = domains(service, "neighbourhood");
    for (const other of needs) {
      const theirs = domains(other, "neighbourhood");
      if ([...own].some((one) => !theirs.has(one))) violations.push(`service ${String(service)}: dependency`);
    }
  }
  const mostMoved = Math.max(0, ...movedOf.values());
  cost += BigInt(weights.processMove) * processCost;
  cost += BigInt(weights.serviceMove) * BigInt(mostMoved);
  cost += BigInt(weights.machineMove) * machineCost;
  return { cost, violations };
}

function addTo(amounts: bigint[] | undefined, resource: number, amount: number): void {
  if (amounts !== undefined) amounts[resource] = (amounts[resource] ?? 0n) + BigInt(amount);
}
