/** A VM that runs is not bound to certain CPUs of its host: at another host they are other CPUs, with other work. */
import { finding } from "@godwit/contract";
import type { ColdRequirement, Requirement } from "../facts.ts";

export const cpuAffinity: Requirement = ({ vm, source }) =>
  vm.cpuAffinity === undefined
    ? []
    : [finding("VM_CPU_AFFINITY", { vm: vm.name, host: source.name, cpus: vm.cpuAffinity })];

/** At rest the list goes with it, and is checked against the CPUs of the host that starts it. */
export const cpuAffinityAtRest: ColdRequirement = ({ vm, source }) =>
  vm.cpuAffinity === undefined || source === null
    ? []
    : [finding("VM_CPU_AFFINITY", { vm: vm.name, host: source.name, cpus: vm.cpuAffinity }, "warning")];
