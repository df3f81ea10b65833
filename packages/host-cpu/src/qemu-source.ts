/** A CPU as QEMU tells of it: what a guest can get there, which is not all that the hardware has. */
import type { QemuFacts } from "@godwit/contract";
import { features, isOlderQemu, msrFeatures, type CpuSource } from "@godwit/cpu";

/**
 * @param linux what the kernel tells of the same machine: its vendor, model and brand
 * @param notes why a better source did not answer
 */
export function sourceOfQemu(
  qemu: QemuFacts,
  linux: CpuSource | null,
  machine: string,
  notes: readonly string[],
): CpuSource {
  const given = new Set(qemu.availableFeatures);
  const asked = features.filter(
    ({ qemuSince }) => qemuSince !== null && !isOlderQemu(qemu.version, qemuSince),
  );
  const askedMsr = msrFeatures.filter(({ qemuSince }) => !isOlderQemu(qemu.version, qemuSince));
  return {
    format: "qemu",
    label: `QEMU ${qemu.version} (${qemu.accelerator}) on ${machine}`,
    cpus: [],
    named: {
      vendor: linux?.named?.vendor ?? null,
      family: linux?.named?.family ?? null,
      model: linux?.named?.model ?? null,
      stepping: linux?.named?.stepping ?? null,
      brand: linux?.named?.brand ?? null,
      logicalCpus: linux?.named?.logicalCpus ?? null,
      features: asked.filter(({ name }) => given.has(name)).map(({ name }) => name),
      msrFeatures: {
        has: askedMsr.filter(({ name }) => given.has(name)).map(({ name }) => name),
        lacks: askedMsr.filter(({ name }) => !given.has(name)).map(({ name }) => name),
      },
      lacks: asked.filter(({ name, runtime }) => !runtime && !given.has(name)).map(({ name }) => name),
    },
    reported: { hypervisor: qemu.accelerator === "kvm" ? "KVMKVMKVM" : "TCGTCGTCGTCG", offered: true },
    notes: [
      ...notes,
      `QEMU ${qemu.version} was asked what its CPU model max has under ${qemu.accelerator}: the features that guests can get here. The hardware may have more.`,
    ],
  };
}
