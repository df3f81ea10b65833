/** A VM's CPU on this host: decided before its QEMU is started, and checked by what that QEMU then shows. */
import { GodwitError, type Baseline, type Finding, type Vm, type VmCpu } from "@godwit/contract";
import {
  cpuOf,
  featuresOfRegisters,
  powerOnCpu,
  aboveBaselineFindings,
  type PowerOnFacts,
} from "@godwit/cpu";
import type { Hypervisor, QemuProcess } from "@godwit/hypervisor";
import type { HostCpu } from "../qemu/host-cpu.ts";
import { readQemu } from "../qemu/qemu-facts.ts";

export interface CpuParts {
  host: string;
  hypervisor: Hypervisor;
  cpu: HostCpu;
}

export class VmCpus {
  readonly #parts: CpuParts;

  constructor(parts: CpuParts) {
    this.#parts = parts;
  }

  /** @throws VM_CPU_REFUSED with every reason */
  async decide(vm: Pick<Vm, "name" | "cpuWish">, baseline: Baseline | null): Promise<VmCpu> {
    const { cpu, findings } = powerOnCpu(await this.#facts(vm, baseline));
    this.#refuse(vm.name, findings);
    return cpu;
  }

  /** What a VM that is only made has until it is powered on. */
  async first(vm: Pick<Vm, "name" | "cpuWish">): Promise<VmCpu> {
    return powerOnCpu(await this.#facts(vm, null)).cpu;
  }

  /**
   * The CPU as QEMU shows it to the guest, which has not run yet.
   * @throws VM_CPU_REFUSED when it is more than the pool's baseline
   */
  async shown(vm: Vm, baseline: Baseline | null, process: QemuProcess): Promise<VmCpu> {
    const facts = await this.#facts(vm, baseline);
    const features = featuresOfRegisters(await process.featureWords());
    this.#refuse(vm.name, aboveBaselineFindings(facts, features));
    // QEMU's models have a vendor of their own only where no real CPU is underneath.
    const isReal = process.spec.accelerator === "kvm" || this.#parts.cpu.isSimulated;
    const vendor = isReal ? facts.cpu?.vendor : undefined;
    return { ...vm.cpu, features, ...(vendor === undefined ? {} : { vendor }) };
  }

  async #facts(
    { name, cpuWish }: Pick<Vm, "name" | "cpuWish">,
    baseline: Baseline | null,
  ): Promise<PowerOnFacts> {
    const { host, hypervisor, cpu: hostCpu } = this.#parts;
    const [qemu, known] = await Promise.all([readQemu(hypervisor, hostCpu), hostCpu.report()]);
    const cpu = known === null ? null : cpuOf(known, host);
    const emulated = qemu.accelerator === "tcg" && !hostCpu.isSimulated;
    return { vm: name, host, request: cpuWish, baseline, qemu, cpu, emulated };
  }

  #refuse(vm: string, findings: readonly Finding[]): void {
    const errors = findings.filter(({ severity }) => severity === "error");
    if (errors.length === 0) return;
    const details = { vm, host: this.#parts.host, count: errors.length };
    throw GodwitError.of("VM_CPU_REFUSED", details, { findings: [...findings] });
  }
}
