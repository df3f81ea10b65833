/**
 * What the name of a CPU model stands for in libvirt and QEMU, and which features libvirt can name at all: one that
 * it has no name for is never listed, so that its absence from a list tells nothing.
 */
import { divideMsrNames } from "../features/msr-features.ts";
import { libvirtFeatures, libvirtModels, qemuModels, type ModelRow } from "./tables.ts";

export interface NamedModel {
  readonly name: string;
  /** As CPUID spells it; null: the model is of no vendor. */
  readonly vendor: string | null;
  readonly features: ReadonlySet<string>;
  /** Of the features in model-specific registers, without what VMX can do. */
  readonly msrFeatures: ReadonlySet<string>;
  /** Once part of its definition: a CPU that is described by its name may have them or not. */
  readonly left: ReadonlySet<string>;
}

const byLibvirt = modelsOf(libvirtModels);
const byQemu = modelsOf(qemuModels);

/** @param name with its version or without; what it stands for where libvirt describes a CPU by it */
export const libvirtModelNamed = (name: string): NamedModel | undefined => byLibvirt.get(name);

/** @param name with its version: what QEMU means by a name without one depends on the machine type */
export const qemuModelNamed = (name: string): NamedModel | undefined => byQemu.get(name);

/** What any model of a vendor has; the vendor as CPUID spells it. */
export const featuresOfModels: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  [...Map.groupBy([...byLibvirt.values(), ...byQemu.values()], ({ vendor }) => vendor)].flatMap(
    ([vendor, models]) =>
      vendor === null ? [] : [[vendor, new Set(models.flatMap(({ features }) => [...features]))] as const],
  ),
);

function modelsOf(rows: readonly ModelRow[]): ReadonlyMap<string, NamedModel> {
  const models = new Map<string, NamedModel>();
  for (const { name, vendor = null, from, plus, minus, left } of rows) {
    const base = from === undefined ? undefined : models.get(from);
    const removed = new Set(words(minus));
    const kept = [...(base?.features ?? []), ...(base?.msrFeatures ?? [])].filter(
      (feature) => !removed.has(feature),
    );
    const { msr, others } = divideMsrNames([...kept, ...words(plus)]);
    models.set(name, {
      ...{ name, vendor, features: new Set(others), msrFeatures: new Set(msr) },
      left: new Set(words(left)),
    });
  }
  return models;
}

/** Libvirt could name them in 2012 already: its `cpu_map.xml` of then lists them. */
const early: ReadonlySet<string> = new Set(
  words(
    `fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 pn clflush ds acpi mmx fxsr sse sse2
     ss ht tm ia64 pbe pni pclmulqdq dtes64 monitor ds-cpl vmx smx est tm2 ssse3 cid fma cx16 xtpr pdcm pcid dca
     sse4.1 sse4.2 x2apic movbe popcnt tsc-deadline aes xsave avx hypervisor syscall nx mmxext fxsr-opt pdpe1gb
     rdtscp lm 3dnowext 3dnow lahf-lm cmp-legacy svm extapic cr8legacy abm sse4a misalignsse 3dnowprefetch osvw ibs
     xop skinit wdt fma4 nodeid-msr smep`,
  ),
);
const recent: ReadonlySet<string> = new Set(words(libvirtFeatures));

/** @param isRecent whether the libvirt in question is known to be 9.0 or later */
export const nameableByLibvirt = (isRecent: boolean): ReadonlySet<string> => (isRecent ? recent : early);

function words(text = ""): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}
