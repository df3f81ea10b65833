/** Gathers what the requirement checks look at, measured now at both hosts and between them, and asks them. */
import {
  decisionText,
  finding,
  findingOf,
  GodwitError,
  hasProcess,
  type Finding,
  type Strategy,
  type VmView,
} from "@godwit/contract";
import { orderedStrategy, requestedStrategy } from "@godwit/migration";
import { canBeTried, judgeMove, type Destination, type Source, type Verdict } from "@godwit/requirements";
import type { Inventory } from "../inventory.ts";

/** Of a move: also whether post-copy may be used without having been asked for by its name. */
export type MoveVerdict = Verdict & {
  postcopyRecovers: boolean;
  /** Why it may not where only the destination forbids it, as a move's record says it; null: something else, or nothing, does. */
  postcopyLeftOut: string | null;
  /** Both hosts, as they were looked at. */
  between: { source: Source; destination: Destination };
};

/**
 * @param datastore of `to` that the disks are to move to with the VM
 * @throws HOST_UNKNOWN; HOST_UNREACHABLE when the source does not answer; VM_NOT_RUNNING when it lost the VM
 */
export async function checkVm(
  services: Inventory,
  vm: VmView,
  to: string,
  { strategy = "auto", datastore }: { strategy?: Strategy; datastore?: string | undefined } = {},
): Promise<MoveVerdict> {
  const { hosts } = services;
  // Most moves are of hosts between which the way can be tried: that is not waited for until both have told what they are.
  const tried = hasProcess(vm) && hosts.isUp(vm.host) && hosts.isUp(to) ? hosts.paths.try(vm.host, to) : null;
  tried?.catch(() => undefined);
  const [source, destination] = await Promise.all([
    sourceOf(services, vm.host, hasProcess(vm)),
    destinationOf(services, to),
  ]);
  if (hasProcess(vm) && canBeTried(source, destination.report))
    destination.path = await (tried ?? hosts.paths.try(vm.host, to));
  return findingsOf(vm, source, destination, strategy, datastore);
}

/** By what is known of both hosts. @throws VM_NOT_RUNNING when the source lost the VM */
export function findingsOf(
  vm: VmView,
  source: Source,
  destination: Destination,
  strategy: Strategy,
  carryTo?: string,
): MoveVerdict {
  const { findings, runtime } = judgeMove(vm, source, destination, carryTo);
  const splits = requestedStrategy({ strategy: orderedStrategy(strategy) }).splitsMemory;
  const ofDisks =
    carryTo !== undefined && splits ? [finding("MOVE_DISKS_NEED_PRECOPY", { vm: vm.name })] : [];
  const qemus = [source.facts?.qemu, destination.report?.facts.qemu];
  const recovers = qemus.every((qemu) => qemu?.postcopyRecovers === true);
  const reason = qemus[1]?.postcopyUnavailable;
  const leftOut = { kind: "postcopyLeftOut", host: destination.name } as const;
  return {
    runtime,
    between: { source, destination },
    postcopyRecovers: recovers && reason === undefined,
    postcopyLeftOut: recovers && reason !== undefined ? decisionText({ ...leftOut, reason }) : null,
    findings:
      runtime === null ? findings : [...findings, ...ofDisks, ...ofStrategy(vm, destination, strategy)],
  };
}

/** What the strategy that is asked for requires beyond the rest. */
function ofStrategy(vm: VmView, { name, report }: Destination, requested: Strategy): Finding[] {
  const strategy = requestedStrategy({ strategy: orderedStrategy(requested) });
  const postcopyUnavailable = report?.facts.qemu.postcopyUnavailable ?? null;
  return strategy.requires({ vm: vm.name, destination: { host: name, postcopyUnavailable } });
}

/**
 * The old host of a VM that does not run need not answer: the files on shared storage are all there is, and
 * what it reported last is good enough.
 * @throws HOST_UNREACHABLE for a live move
 */
export async function sourceOf({ hosts, store }: Inventory, host: string, live: boolean): Promise<Source> {
  if (live) return await hosts.of(host).freshReport();
  return { facts: (await store.hosts.find(host))?.facts ?? null, load: null };
}

/** A host as a destination, whatever is wrong with it. @throws HOST_UNKNOWN */
export async function destinationOf(inventory: Inventory, name: string): Promise<Destination> {
  const { store } = inventory;
  const [host, pool, answer] = await Promise.all([
    store.hosts.show(name),
    store.pools.ofHost(name),
    answerOf(inventory, name),
  ]);
  return { name, takesVms: host.maintenance === "off", baseline: pool?.baseline ?? null, ...answer };
}

/** The same of many, with the inventory read once: each host by itself would wait for a connection. @throws HOST_UNKNOWN */
export async function destinationsOf(inventory: Inventory, names: readonly string[]): Promise<Destination[]> {
  const { store } = inventory;
  const [all, pools, answers] = await Promise.all([
    store.hosts.list(),
    store.pools.baselinesOf(names),
    Promise.all(names.map((name) => answerOf(inventory, name))),
  ]);
  const found = new Map(all.map((host) => [host.name, host]));
  return await Promise.all(
    names.map(async (name, index) => {
      const host = found.get(name) ?? (await store.hosts.show(name));
      const baseline = pools.get(name)?.baseline ?? null;
      return {
        name,
        takesVms: host.maintenance === "off",
        baseline,
        ...(answers[index] ?? { report: null }),
      };
    }),
  );
}

/** What it tells of itself now; why it does not, otherwise. */
const answerOf = async (
  { hosts }: Inventory,
  name: string,
): Promise<Pick<Destination, "report" | "agent" | "reason" | "refusal">> => {
  const link = hosts.of(name);
  try {
    const report = await link.freshReport();
    return { report, ...(link.agent.peer === null ? {} : { agent: link.agent.peer }) };
  } catch (error) {
    return { report: null, reason: reasonOf(error), ...refusalOf(name, error) };
  }
};

/** What is known of a host beyond that it did not answer: its version, or that its certificate was not accepted. */
function refusalOf(host: string, error: unknown): Pick<Destination, "refusal"> {
  if (GodwitError.is(error, "VERSION_UNSUPPORTED")) return { refusal: findingOf(error) };
  let cause = error;
  while (GodwitError.is(cause)) cause = cause.cause;
  const { code } = (cause ?? {}) as { code?: unknown };
  if (typeof code !== "string" || !/CERT|SELF_SIGNED|VERIFY/.test(code)) return {};
  return { refusal: finding("DESTINATION_NOT_TRUSTED", { host, reason: reasonOf(error) }) };
}

const reasonOf = (error: unknown): string => {
  if (GodwitError.is(error, "HOST_UNREACHABLE")) return String(error.problem.details.reason);
  return (error instanceof Error ? error.message : String(error)).replace(/\.$/, "");
};
