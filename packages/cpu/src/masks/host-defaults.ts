/**
 * What a host masks by itself, before anyone configures a VM. Two tables: today's, from the features' own
 * default (H shown and compared, X shown, 0 never shown), and that of VMware Infrastructure 3, under which old
 * VMs were made and of which old knowledge-base articles speak. A bit that the table does not know is hidden
 * and compared, like R: nobody can say what it will mean.
 */
import { features } from "../features/features.ts";
import { bitsLayer, compose, layerOf, type MaskLayer } from "./mask-layer.ts";
import { parseMasks } from "./masks.ts";
import { uniformBits, type MaskVendor } from "./register-mask.ts";

export const hostDefaultSets = ["current", "vi3-2008-02", "vi3-2008-04"] as const;
export type HostDefaultSet = (typeof hostDefaultSets)[number];

/** The lowest layer for a host of this vendor. */
export function hostDefault(vendor: MaskVendor | null, set: HostDefaultSet = "current"): MaskLayer {
  const table = set === "current" ? currentTable(vendor) : vi3Table(vendor ?? "intel", set);
  const reserved = new Map([...table.keys()].map((key) => [key, uniformBits("R")]));
  return compose(reserved, table);
}

/** Vendor and signature: the same vendor and family, whatever model and stepping. */
const identity = {
  "cpuid.0.eax": "XXXX:XXXX:XXXX:XXXX:XXXX:XXXX:XXXX:XXXX",
  "cpuid.0.ebx": "HHHH:HHHH:HHHH:HHHH:HHHH:HHHH:HHHH:HHHH",
  "cpuid.0.ecx": "HHHH:HHHH:HHHH:HHHH:HHHH:HHHH:HHHH:HHHH",
  "cpuid.0.edx": "HHHH:HHHH:HHHH:HHHH:HHHH:HHHH:HHHH:HHHH",
  "cpuid.1.eax": "----:HHHH:HHHH:XXXX:--XX:HHHH:XXXX:XXXX",
};

/** AMD repeats leaf 1's EDX in 0x80000001; the gaps are bits of its own. */
const amdRepeats = { "cpuid.80000001.edx": "----:---H:H---:--HH:HHHH:--XH:HHHH:HHHH" };

function currentTable(vendor: MaskVendor | null): MaskLayer {
  const named = features.flatMap((feature) =>
    feature.mask === null ? [] : [[feature, feature.bit, feature.mask] as const],
  );
  return compose(read(identity, vendor), bitsLayer(named), read(vendor === "amd" ? amdRepeats : {}, vendor));
}

/** Source: the table in open-vm-tools' first import of February 2008. */
const vi3 = {
  ...identity,
  "cpuid.1.ecx.intel": "X---:---R:HR0H:H0--:00H-:-0H0:0000:00-H",
  "cpuid.1.edx.intel": "0000:HHHH:HHH-:HHHH:HHHH:H-1H:HHHH:HHHH",
  "cpuid.80000001.ecx.intel": "----:----:----:----:----:----:----:---H",
  "cpuid.80000001.edx.intel": "--T-:H---:---H:----:----:X---:----:----",
  "cpuid.1.ecx.amd": "X---:----:H---:----:--H-:--H-:----:0--H",
  "cpuid.1.edx.amd": "---0:-HHH:H---:H-HH:HHHH:H-1H:HHHH:HHHH",
  "cpuid.80000001.ecx.amd": "----:----:----:----:--00:R00H:HHH0:H00H",
  "cpuid.80000001.edx.amd": "HHT-:H0HH:HH-H:--HH:HHHH:X-1H:HHHH:HHHH",
};

/** Two months later XSAVE had got its entry: until then hosts with and without it did not mix (KB 1008315). */
const vi3Xsave = { "cpuid.1.ecx.intel": "----:-0--:----:----:----:----:----:----" };

const vi3Table = (vendor: MaskVendor, set: "vi3-2008-02" | "vi3-2008-04"): MaskLayer =>
  compose(read(vi3, vendor), set === "vi3-2008-04" ? read(vi3Xsave, vendor) : new Map());

const read = (entries: Readonly<Record<string, string>>, vendor: MaskVendor | null): MaskLayer =>
  layerOf(parseMasks(Object.entries(entries)), vendor);
