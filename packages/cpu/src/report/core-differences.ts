/**
 * What differs between the logical CPUs of one machine: the kinds of cores of hybrid parts, and a core that the
 * firmware treated otherwise. What a system has switched on at run time is no difference.
 */
import type { CpuReport } from "@godwit/contract";
import { leafOf, type LogicalCpu } from "../cpuid/leaves.ts";
import { features } from "../features/features.ts";
import { hasFeature, signatureOf, answersOfLeaves } from "./decode.ts";

interface Kind {
  readonly cpus: number[];
  readonly eax: number | undefined;
  /** Of each feature: yes, no or not reported. */
  readonly answers: readonly (boolean | null)[];
}

const compared = features.filter((feature) => !feature.runtime);

/** Those that are not like the first; empty for one CPU and for machines of equal ones. */
export function coreDifferencesOf(cpus: readonly LogicalCpu[]): CpuReport["coreDifferences"] {
  const kinds = new Map<string, Kind>();
  cpus.forEach((cpu, index) => {
    const source = answersOfLeaves(cpu.leaves);
    const answers = compared.map((feature) => hasFeature(source, feature));
    const eax = leafOf(cpu.leaves, 1)?.eax;
    const key = JSON.stringify([eax, answers]);
    const kind = kinds.get(key);
    if (kind === undefined) kinds.set(key, { cpus: [cpu.id ?? index], eax, answers });
    else kind.cpus.push(cpu.id ?? index);
  });
  const [first, ...others] = kinds.values();
  if (first === undefined) return [];
  return others.flatMap((kind) => {
    const where = (inFirst: boolean): string[] =>
      compared
        .filter((_, index) => first.answers[index] === inFirst && kind.answers[index] === !inFirst)
        .map((feature) => feature.name)
        .sort();
    const lacks = where(true);
    const adds = where(false);
    const signature = kind.eax === undefined || kind.eax === first.eax ? null : signatureOf(kind.eax);
    return lacks.length + adds.length === 0 && signature === null
      ? []
      : [{ cpus: kind.cpus, lacks, adds, signature }];
  });
}
