/**
 * An instance as the planner's search sees it: processes are VMs, machines hosts, transient resources count at both
 * ends, services keep apart, spread over locations and need others in their neighbourhood.
 */
import {
  anneal,
  Chain,
  Exchange,
  FaultDomains,
  KeepApart,
  NeedsBeside,
  Overload,
  Random,
  Shift,
  State,
  Swap,
  type Problem,
} from "../../../packages/placement/src/search/index.ts";
import { check } from "./checker.ts";
import { readInstance, type Instance } from "./model.ts";
import { MachineMoves, ServiceMoves, Stranded } from "./terms.ts";

export interface MrpRow {
  instance: string;
  /** Of the processor: on a machine that does nothing else it is the time that passes. */
  seconds: number;
  cost: number;
  initial: number;
  lowerBound: number;
  /** (cost - lower bound) / (initial - lower bound) */
  gap: number;
  feasible: boolean;
}

export function solveInstance(folder: string, name: string, seconds: number): MrpRow {
  const instance = readInstance(folder, name);
  const initial = check(instance, instance.assignment);
  if (initial.cost !== BigInt(instance.originalCost) || initial.violations.length > 0)
    throw new Error(
      `The checker does not agree with the published cost of ${name}: ${String(initial.cost)}.`,
    );
  const assignment = solve(instance, seconds);
  const { cost, violations } = check(instance, assignment);
  const { lowerBound, originalCost } = instance;
  return {
    ...{ instance: name, seconds, cost: Number(cost), initial: originalCost, lowerBound },
    gap: (Number(cost) - lowerBound) / (originalCost - lowerBound),
    feasible: violations.length === 0,
  };
}

function solve(instance: Instance, seconds: number): number[] {
  const started = process.cpuUsage();
  const elapsed = () => {
    const { user, system } = process.cpuUsage(started);
    return (user + system) / 1e6 / seconds;
  };
  const state = new State(problemOf(instance));
  const random = new Random(1);
  anneal(state, {
    deltas: [
      { delta: new Shift(), share: 65 },
      { delta: new Swap(), share: 33 },
      { delta: new Chain(), share: 1 },
      { delta: new Exchange(), share: 1 },
    ],
    ...{ random, elapsed, steps: Infinity, maxMoves: Infinity },
    temperature: (Number(process.env.T ?? 0.02) * state.cost) / state.problem.vms,
  });
  return [...state.hostOf];
}

function problemOf(instance: Instance): Problem {
  const { resources, machines, services, processes } = instance;
  const origin = Int32Array.from(instance.assignment);
  const flat = (rows: readonly (readonly number[])[]) => Float64Array.from(rows.flat());
  const capacity = flat(machines.map((machine) => machine.capacity));
  const members: number[][] = services.map(() => []);
  for (const [vm, { service }] of processes.entries()) members[service]?.push(vm);
  const vms = processes.length;
  const hard = { hard: true, weight: 1 };
  const several = members.filter((group) => group.length > 1);
  const spread = services.flatMap((service, index) => (service.spread > 1 ? [index] : []));
  return {
    ...{ hosts: machines.length, vms, resources: resources.length, origin, capacity },
    demand: flat(processes.map(({ demand }) => demand)),
    held: Uint8Array.from(resources, ({ transient }) => Number(transient)),
    open: new Uint8Array(machines.length).fill(1),
    movable: new Uint8Array(vms).fill(1),
    hostTerms: [
      new Overload(
        "load",
        flat(machines.map(({ safety }) => safety)),
        Float64Array.from(resources, ({ weight }) => weight),
      ),
      new Stranded(capacity, instance),
    ],
    poolTerms: [],
    vmTerms: [new MachineMoves(instance, origin)],
    groupTerms: [
      new KeepApart({ groups: several, domainOf: Int32Array.from(machines, (_, index) => index), vms }, hard),
      new FaultDomains(
        {
          groups: spread.map((service) => members[service] ?? []),
          domainOf: Int32Array.from(machines, ({ location }) => location),
          vms,
        },
        Int32Array.from(spread, (service) => services[service]?.spread ?? 0),
        hard,
      ),
      new NeedsBeside(
        { groups: members, domainOf: Int32Array.from(machines, ({ neighbourhood }) => neighbourhood), vms },
        services.map(({ needs }) => needs),
      ),
      new ServiceMoves(instance, origin),
    ],
  };
}
