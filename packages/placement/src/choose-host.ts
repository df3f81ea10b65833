/**
 * The host that makes or reads a VM's folder: the one that was named, or of those that have everything the one that the
 * planner gives the VM. Where none has its memory free now the one with the most: nothing is started yet. A host in maintenance takes no VMs; one that does not answer is not chosen.
 */
import { GodwitError, type VmDescription } from "@godwit/contract";
import { ordinaryMemoryBytes, type HostReport } from "@godwit/requirements";
import { planPool } from "./plan/plan-pool.ts";
import { bystanders, reportedHost } from "./plan/pool-from-reports.ts";
import { defaultOptions } from "./plan/pool.ts";
import { withRules } from "./plan/with-rules.ts";
import type { PoolRule } from "./rules/pool-rule.ts";

export interface Candidate {
  name: string;
  agentUrl: string;
  /** Not in maintenance, nor on its way there. */
  takesVms: boolean;
  /** Why it cannot be asked; null: its agent is connected. */
  unreachableReason: string | null;
  /** Null before its first report. */
  report: HostReport | null;
}

/** `size`: undefined when it is not known yet. */
export type Needs = Pick<VmDescription, "nics"> & {
  /** Names. */
  datastores: readonly string[];
  size?: Pick<VmDescription, "memoryMib" | "vcpus" | "hugepages">;
};
/** One that takes VMs and answers. */
interface Ready {
  name: string;
  report: HostReport;
}

/**
 * @param named the only host that may be chosen; it is among the hosts
 * @param rules of all pools: a VM that is new is in none, but hosts may take no more
 * @throws HOST_UNKNOWN, HOST_UNREACHABLE, DESTINATION_IN_MAINTENANCE, DATASTORE_UNKNOWN, DATASTORE_UNAVAILABLE, NETWORK_UNKNOWN, NETWORK_WITHOUT_BRIDGE
 */
export function chooseHost(
  hosts: readonly Candidate[],
  needs: Needs,
  named: string | undefined,
  rules: readonly PoolRule[] = [],
): string {
  const asked = named === undefined ? hosts : hosts.filter(({ name }) => name === named);
  const ready = readyHosts(asked, named);
  const withStorage = needs.datastores.reduce(
    (hosts, datastore) => hostsWithDatastore(hosts, datastore, named),
    ready,
  );
  const fit = withStorage
    .filter(({ report }) => missingPortGroup(report, needs) === undefined)
    .sort((a, b) => availableBytes(b) - availableBytes(a));
  const [most] = fit;
  if (most !== undefined) return planned(fit, needs, rules) ?? most.name;
  const [first] = withStorage;
  const network = (first === undefined ? undefined : missingPortGroup(first.report, needs)) ?? "";
  const host = first?.name ?? "";
  const now = first?.report.load.portGroups?.find(({ name }) => name === network);
  if (now?.state === "bridgeMissing")
    throw GodwitError.of("NETWORK_WITHOUT_BRIDGE", { host, network, bridge: now.bridge ?? "" });
  throw GodwitError.of("NETWORK_UNKNOWN", {
    ...{ network, host },
    known: first?.report.facts.portGroups.map(({ name }) => name) ?? [],
  });
}

/** @returns undefined where the VM has no room, or its size is not known */
function planned(hosts: readonly Ready[], { size }: Needs, rules: readonly PoolRule[]): string | undefined {
  if (size === undefined || hosts.length < 2) return undefined;
  const vm = {
    ...{
      name: "new",
      host: null,
      vcpus: size.vcpus,
      memoryBytes: ordinaryMemoryBytes(size),
    },
    ...{ load: null, activeBytes: null, move: null },
  };
  const pool = {
    hosts: hosts.map(({ name, report }) => reportedHost(name, report)),
    vms: [...hosts.flatMap(({ name, report }) => bystanders(name, report)), vm],
    rules: [],
  };
  const ruled = withRules(pool, rules, ({ id }) => hosts.map((host) => `${host.name} ${id}`));
  return planPool(ruled, { ...defaultOptions, threshold: 1, admission: false }).moves[0]?.to;
}

function readyHosts(asked: readonly Candidate[], named: string | undefined): Ready[] {
  const [any] = asked;
  if (any === undefined) throw GodwitError.of("HOST_UNKNOWN", { host: named ?? "at all", known: [] });
  const open = asked.filter(({ takesVms }) => takesVms);
  const [first] = open;
  if (first === undefined) throw GodwitError.of("DESTINATION_IN_MAINTENANCE", { host: any.name });
  const ready = open.flatMap(({ name, report, unreachableReason }) =>
    report !== null && unreachableReason === null ? [{ name, report }] : [],
  );
  if (ready.length > 0) return ready;
  const reason = first.unreachableReason ?? "its agent has not reported yet";
  throw GodwitError.of("HOST_UNREACHABLE", { host: first.name, url: first.agentUrl, reason });
}

/** @param ready at least one */
function hostsWithDatastore(ready: readonly Ready[], datastore: string, named: string | undefined): Ready[] {
  const configured = ready.filter(({ report }) =>
    report.facts.datastores.some(({ name }) => name === datastore),
  );
  const loadOf = ({ report }: Ready) => report.load.datastores.find(({ name }) => name === datastore);
  const usable = configured.filter((host) => loadOf(host)?.reason === null);
  if (usable.length > 0) return usable;
  const [first] = configured;
  if (first !== undefined) {
    const reason = loadOf(first)?.reason ?? "its agent did not say why";
    throw GodwitError.of("DATASTORE_UNAVAILABLE", { datastore, host: first.name, reason });
  }
  const known = new Set(ready.flatMap(({ report }) => report.facts.datastores.map(({ name }) => name)));
  throw GodwitError.of("DATASTORE_UNKNOWN", {
    datastore,
    ...(named === undefined ? {} : { host: named }),
    known: [...known].sort(),
  });
}

const missingPortGroup = ({ facts }: HostReport, { nics }: Needs): string | undefined =>
  nics.find(({ portGroup }) => !facts.portGroups.some(({ name }) => name === portGroup))?.portGroup;

/** A host that could not read how much it has comes last. */
const availableBytes = ({ report }: Ready): number => report.load.memory?.availableBytes ?? -1;
