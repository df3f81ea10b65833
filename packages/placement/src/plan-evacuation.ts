/**
 * Which VMs of a host that is to be emptied move next, from what is known of hosts, VMs and moves under way. Every
 * destination is judged with the memory that is left there after what is promised to others.
 */
import { finding, GodwitError, type Finding, type VmView } from "@godwit/contract";
import { judgeMove, type Destination, type Source } from "@godwit/requirements";
import { memoryBytes, nextMoves, type Evacuation, type Mover, type NextMoves } from "./evacuation.ts";

export interface EvacuationFacts {
  /** The host that is to be emptied. */
  host: string;
  source: Source;
  movers: readonly Mover[];
  /** All other hosts. */
  destinations: readonly Destination[];
  /** VMs on their way by live moves, and where to. */
  arriving: readonly { host: string; vm: Pick<VmView, "config"> }[];
  limits: Evacuation["limits"];
}

export function planEvacuation(facts: EvacuationFacts): NextMoves {
  const { host, source, movers, destinations, arriving, limits } = facts;
  const byName = new Map(destinations.map((destination) => [destination.name, destination]));
  return nextMoves({
    host,
    movers,
    targets: destinations.map(({ name, report }) => {
      const coming = arriving.filter((one) => one.host === name);
      return {
        name,
        availableBytes: report?.load.memory?.availableBytes ?? 0,
        promisedBytes: coming.reduce((sum, { vm }) => sum + memoryBytes(vm), 0),
        moves: coming.length,
      };
    }),
    limits,
    judge: ({ vm }, { name }, availableBytes) => {
      const destination = byName.get(name);
      return destination === undefined ? [] : findingsOf(vm, source, withMemory(destination, availableBytes));
    },
  });
}

function findingsOf(vm: VmView, source: Source, destination: Destination): Finding[] {
  try {
    return judgeMove(vm, source, destination).findings;
  } catch (error) {
    if (!GodwitError.is(error, "VM_NOT_RUNNING")) throw error;
    return [finding("VM_NOT_RUNNING", { vm: vm.name, state: "gone from its host" })];
  }
}

/** What could not be read stays unknown. */
function withMemory(destination: Destination, bytes: number): Destination {
  const { report } = destination;
  if (report?.load.memory == null) return destination;
  const memory = { ...report.load.memory, availableBytes: Math.max(0, bytes) };
  return { ...destination, report: { ...report, load: { ...report.load, memory } } };
}
