/**
 * What an operator should know of a host, from what it reports: features that VMs on it see and it no longer has,
 * and a baseline of its pool that it no longer satisfies. Pure; what holds now is told, not what has changed.
 */
import type { Finding, HostFacts, VmView } from "@godwit/contract";
import { hostAdmission, shrunk, type Cpu } from "@godwit/cpu";
import type { PoolRow } from "@godwit/store";
import { evcHost, runningVm } from "./evc-facts.ts";

/** @param vms all that are known; those on this host count */
export function hostAlarms(facts: HostFacts, vms: readonly VmView[], pool: PoolRow | null): Finding[] {
  const host = evcHost(facts.name, facts);
  const running = vms
    .filter(({ id }) => facts.vms.some((runtime) => runtime.id === id && runtime.pid !== null))
    .map(runningVm);
  return [...lostFeatures(facts, host.cpu, running), ...lostBaseline(host, pool)];
}

/** An emulated guest sees what QEMU emulates, whatever the hardware has. */
function lostFeatures(
  facts: HostFacts,
  cpu: Cpu | null,
  running: readonly ReturnType<typeof runningVm>[],
): Finding[] {
  if (cpu === null || (facts.qemu.accelerator !== "kvm" && !facts.cpu.simulated)) return [];
  const seen = running.flatMap(({ features }) => features ?? []);
  return shrunk({ ...cpu, features: new Set([...cpu.features, ...seen]) }, cpu, running);
}

function lostBaseline(host: ReturnType<typeof evcHost>, pool: PoolRow | null): Finding[] {
  if (pool?.baseline == null) return [];
  const { mode, microcode } = pool.baseline;
  const { findings } = hostAdmission({
    pool: { name: pool.name, mode, microcode },
    host,
    running: [],
    inPool: [],
  });
  return findings.filter(({ severity }) => severity === "error");
}
