/** The CPUs of a pool's hosts, and what the VMs on them see, as the server knows both. */
import { GodwitError } from "@godwit/contract";
import { cpuOf, type Cpu, type VmWithFeatures } from "@godwit/cpu";
import { withApi } from "../connection.ts";
import { allHosts, allVms } from "../inventory.ts";

export interface PoolCpus {
  readonly cpus: readonly Cpu[];
  /** Running VMs whose CPU features are known. */
  readonly vms: readonly VmWithFeatures[];
}

/** @throws POOL_UNKNOWN, CPU_REPORT_MISSING, USAGE */
export async function poolCpus(pool: string): Promise<PoolCpus> {
  return await withApi(async (api) => {
    const { hosts: members } = await api.call("poolShow", { params: { pool } });
    const [hosts, vms] = await Promise.all([allHosts(api), allVms(api)]);
    const cpus = members.map((name) => {
      const report = hosts.find((host) => host.name === name)?.facts?.cpu.report ?? null;
      if (report !== null) return cpuOf(report, name);
      throw GodwitError.of("CPU_REPORT_MISSING", { host: name, reason: "its agent has not reported one" });
    });
    const running = vms.filter(({ host, state }) => members.includes(host) && state !== "stopped");
    return {
      cpus,
      vms: running.flatMap(({ name, config }) =>
        config.cpu.features === undefined ? [] : [{ name, features: config.cpu.features }],
      ),
    };
  });
}
