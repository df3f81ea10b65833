/** Looks at a host that is to be emptied, and at the others, and says which moves come next. */
import { finding, GodwitError, type Finding } from "@godwit/contract";
import type { Destination } from "@godwit/requirements";
import type { Inventory } from "../inventory.ts";
import { destinationOf, judge, sourceOf, type Source } from "./check-vm.ts";
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
    sourceOf(
      services,
      host,
      movers.some(({ live }) => live),
    ),
    store.tasks.arriving(),
    store.vms.list(),
    ...others.map(({ name }) => destinationOf(services, name)),
  ]);
  const targets = destinations.map(({ name, report }) => {
    const coming = arriving.filter((one) => one.host === name && one.task.kind === "vm.migrate");
    const ids = new Set(coming.map(({ task }) => task.subject.id));
    return {
      name,
      availableBytes: report?.load.memory?.availableBytes ?? 0,
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

function findingsOf(vm: Mover["vm"], source: Source, to: Destination): Finding[] {
  try {
    return judge(vm, source, to).findings;
  } catch (error) {
    if (!GodwitError.is(error, "VM_NOT_RUNNING")) throw error;
    return [finding("VM_NOT_RUNNING", { vm: vm.name, state: "gone from its host" })];
  }
}

/** What is not known stays so. */
function withMemory(destination: Destination, bytes: number): Destination {
  const { report } = destination;
  if (report?.load.memory == null) return destination;
  const memory = { ...report.load.memory, availableBytes: Math.max(0, bytes) };
  return { ...destination, report: { ...report, load: { ...report.load, memory } } };
}
