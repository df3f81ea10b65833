/** All named features, and how to find one. */
import { extendedLeaves } from "./extended.ts";
import type { CpuFeature } from "./feature.ts";
import { leaf1 } from "./leaf-1.ts";
import { leaf7 } from "./leaf-7.ts";
import { leafD } from "./leaf-d.ts";
import { matricesAndVectors } from "./matrices-and-vectors.ts";

export const features: readonly CpuFeature[] = [
  ...leaf1,
  ...leaf7,
  ...leafD,
  ...matricesAndVectors,
  ...extendedLeaves,
];

/** Other names of the same bit: QEMU's own aliases, libvirt's, and Linux's in /proc/cpuinfo where they differ. */
const aliases: Readonly<Record<string, string>> = {
  sse3: "pni",
  xd: "nx",
  i64: "lm",
  ffxsr: "fxsr-opt",
  "sse4-1": "sse4.1",
  "sse4-2": "sse4.2",
  pclmuldq: "pclmulqdq",
  sha: "sha-ni",
  cmt: "pqm",
  cqm: "pqm",
};

const byName = new Map(features.map((feature) => [feature.name, feature]));
const byVmwareName = new Map(
  features.flatMap((feature) => (feature.vmware === null ? [] : [[feature.vmware, feature] as const])),
);
const childrenOf = new Map<string, CpuFeature[]>();
for (const feature of features)
  for (const parent of feature.parents) childrenOf.set(parent, [...(childrenOf.get(parent) ?? []), feature]);

/** @param name QEMU's name or an alias of it, with hyphens or underscores */
export function featureNamed(name: string): CpuFeature | undefined {
  const plain = name.replaceAll("_", "-");
  return byName.get(plain) ?? byName.get(aliases[plain] ?? "");
}

/** @param name as in `cpuid.SSE3`, without `cpuid.` */
export const vmwareFeature = (name: string): CpuFeature | undefined => byVmwareName.get(name);

/** Everything that must be hidden when this one is, itself not included. */
export function dependentsOf(name: string): ReadonlySet<string> {
  const found = new Set<string>();
  const queue = [name];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    for (const child of childrenOf.get(next) ?? []) {
      if (found.has(child.name)) continue;
      found.add(child.name);
      queue.push(child.name);
    }
  }
  return found;
}
