/** Everything about this host, measured now. */
import { readFile } from "node:fs/promises";
import { cpus } from "node:os";
import type { DatastoreFacts, HostFacts } from "@godwit/contract";
import type { Hypervisor } from "@godwit/hypervisor";
import { linkFacts, portGroupFacts } from "@godwit/network";
import type { AgentConfig } from "../config.ts";
import type { HostCpu } from "./host-cpu.ts";
import type { Lockspaces } from "../leases/lockspaces.ts";
import { version } from "@godwit/system";
import type { Environment } from "../vms/environment.ts";
import type { Processes } from "../vms/processes.ts";

export interface FactsParts {
  config: AgentConfig;
  hypervisor: Hypervisor;
  cpu: HostCpu;
  environment: Environment;
  processes: Processes;
  lockspaces: Lockspaces;
}

export async function hostFacts({
  config,
  hypervisor,
  cpu: hostCpu,
  environment,
  processes,
  lockspaces,
}: FactsParts): Promise<HostFacts> {
  const [qemu, links, portGroups, datastores, memory, cpu] = await Promise.all([
    hypervisor.facts().then((facts) => hostCpu.limit(facts)),
    linkFacts(),
    portGroupFacts(config.portGroups),
    datastoreFacts(environment, lockspaces),
    memoryFacts(),
    cpuFacts(hostCpu),
  ]);
  const address = config.migration?.address;
  const link = address === undefined ? undefined : links.find(({ addresses }) => addresses.includes(address));
  return {
    name: config.name,
    agentVersion: version,
    reportedAt: new Date().toISOString(),
    cpu,
    memory,
    qemu,
    // An address that no link has is none.
    migration: address === undefined || link === undefined ? null : { address, link },
    links,
    portGroups,
    datastores,
    vms: processes.runtimes,
  };
}

async function datastoreFacts(environment: Environment, lockspaces: Lockspaces): Promise<DatastoreFacts[]> {
  const facts = await Promise.allSettled(
    (await environment.datastores()).map((datastore) => datastore.facts()),
  );
  return facts.flatMap((result) =>
    result.status === "fulfilled" ? [{ ...result.value, leases: lockspaces.factsOf(result.value.name) }] : [],
  );
}

export async function memoryFacts(): Promise<HostFacts["memory"]> {
  const text = await readFile("/proc/meminfo", "utf8");
  const bytes = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1] ?? 0) * 1024;
  return { totalBytes: bytes("MemTotal"), availableBytes: bytes("MemAvailable") };
}

async function cpuFacts(hostCpu: HostCpu): Promise<HostFacts["cpu"]> {
  const report = await hostCpu.report();
  const logicalCpus = cpus().length;
  // What is simulated is what the host passes for.
  if (hostCpu.isSimulated && report !== null)
    return {
      vendor: report.vendor,
      model: `${report.brand} (simulated)`,
      logicalCpus,
      report,
      simulated: true,
    };
  const text = await readFile("/proc/cpuinfo", "utf8");
  const field = (name: string) =>
    new RegExp(`^${name}\\s*:\\s*(.*)$`, "m").exec(text)?.[1]?.trim() ?? "unknown";
  return { vendor: field("vendor_id"), model: field("model name"), logicalCpus, report, simulated: false };
}
