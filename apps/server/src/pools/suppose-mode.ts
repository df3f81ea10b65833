/**
 * A pool as it would be with an EVC mode: its VMs powered on with it, and hosts that cannot have it left out. What of it could be
 * done now is said by `godwit pool evc`. Pure.
 */
import type { VmView } from "@godwit/contract";
import { evcModeNamed, exposedFeatures, modeChange, modeId, qemuCpu } from "@godwit/cpu";
import type { KnownHost, PoolReports } from "@godwit/placement";
import { evcHost } from "@godwit/requirements";

export interface SupposedMode {
  reports: PoolReports & { hosts: KnownHost[] };
  /** Hosts that cannot have the mode, and why. */
  lacking: { host: string; reason: string }[];
  /** VMs that run with another CPU now. */
  powerCycle: string[];
}

/** @throws EVC_MODE_UNKNOWN */
export function supposeMode(
  pool: string,
  reports: PoolReports & { hosts: KnownHost[] },
  name: string,
): SupposedMode {
  const mode = evcModeNamed(name);
  const id = modeId(mode);
  const hosts = reports.hosts.filter(({ facts }) => facts !== null);
  const empty = { name: pool, mode: null, microcode: [] };
  const able = (host: KnownHost) =>
    modeChange({ pool: empty, mode: name, hosts: [evcHost(host.name, host.facts)], running: [] });
  const lacking = hosts.flatMap((host) => {
    const [first] = able(host).findings.filter(({ severity }) => severity === "error");
    return first === undefined ? [] : [{ host: host.name, reason: first.message.replace(/\.$/, "") }];
  });
  const lacks = new Set(lacking.map(({ host }) => host));
  const common = hosts.filter((host) => !lacks.has(host.name));
  const { microcode } = modeChange({
    ...{ pool: empty, mode: name, running: [] },
    hosts: common.map((host) => evcHost(host.name, host.facts)),
  });
  const baseline = { mode: id, microcode };
  const features = exposedFeatures(mode, microcode);
  const follows = ({ config: { cpuWish } }: VmView) =>
    cpuWish?.model === undefined && cpuWish?.evcMode === undefined && cpuWish?.masks === undefined;
  return {
    reports: {
      ...reports,
      hosts: reports.hosts.map((host) => ({
        ...host,
        baseline,
        ...(lacks.has(host.name) ? { quarantined: true } : {}),
      })),
      vms: reports.vms.map((vm) =>
        follows(vm)
          ? { ...vm, config: { ...vm.config, cpu: { ...qemuCpu(mode, microcode), evcMode: id, features } } }
          : vm,
      ),
    },
    lacking,
    powerCycle: reports.vms
      .filter((vm) => follows(vm) && vm.config.cpu.evcMode !== id)
      .map((vm) => vm.name)
      .sort(),
  };
}
