/** Looks at a host that is to be emptied, and at the others, and says which moves come next. */
import { finding, GodwitError, type Finding, type HostFacts } from "@godwit/contract";
import type { MoveFacts } from "@godwit/requirements";
import type { Inventory } from "../inventory.ts";
import { destinationFacts, judge, sourceFacts } from "./check-vm.ts";
import { memoryBytes, nextMoves, type Evacuation, type Mover, type NextMoves } from "./evacuation.ts";

/** @throws HOST_UNREACHABLE when VMs run on the host and it does not answer */
export async function decideMoves(
  services: Inventory,
  host: string,
  movers: readonly Mover[],
  limits: Evacuation["limits"],
): Promise<NextMoves> {
  const { store } = services;
  const others = (await store.hosts.list()).filter(({ name }) => name !== host);
  const [source, arriving, vms, ...destinations] = await Promise.all([
    sourceFacts(
      services,
      host,
      movers.some(({ live }) => live),
    ),
    store.tasks.arriving(),
    store.vms.list(),
    ...others.map(({ name }) => destinationFacts(services, name)),
  ]);
  const targets = destinations.map(({ name, facts }) => {
    const coming = arriving.filter((one) => one.host === name && one.task.kind === "vm.migrate");
    const ids = new Set(coming.map(({ task }) => task.subject.id));
    return {
      name,
      availableBytes: facts?.memory.availableBytes ?? 0,
      promisedBytes: vms.filter(({ id }) => ids.has(id)).reduce((sum, vm) => sum + memoryBytes(vm), 0),
      moves: coming.length,
    };
  });
  const byName = new Map(destinations.map((destination) => [destination.name, destination]));
  return nextMoves({
    host,
    movers,
    targets,
    limits,
    judge: ({ vm }, { name }, availableBytes) => {
      const destination = byName.get(name);
      return destination === undefined ? [] : findingsOf(vm, source, withMemory(destination, availableBytes));
    },
  });
}

function findingsOf(vm: Mover["vm"], source: HostFacts | null, to: MoveFacts["destination"]): Finding[] {
  try {
    return judge(vm, source, to).findings;
  } catch (error) {
    if (!GodwitError.is(error, "VM_NOT_RUNNING")) throw error;
    return [finding("VM_NOT_RUNNING", { vm: vm.name, state: "gone from its host" })];
  }
}

function withMemory(destination: MoveFacts["destination"], bytes: number): MoveFacts["destination"] {
  const { facts } = destination;
  if (facts === null) return destination;
  const availableBytes = Math.max(0, bytes);
  return { ...destination, facts: { ...facts, memory: { ...facts.memory, availableBytes } } };
}
