/**
 * How a move judges features in model-specific registers, by the rules of `rules.ts`: a feature falls under the
 * rule of the CPUID bit that announces its register, and matters only where both CPUs have that bit; where one
 * lacks it, the bit itself decides. What stands for a weakness must be alike on both. What VMX can do is never a
 * reason against a move here: only VMs with nested virtualization see it, and they are asked for by name.
 */
import { has, type Cpu } from "../cpuid/cpu.ts";
import { featureNamed } from "../features/features.ts";
import { msrFeatures, type MsrFeature } from "../features/msr-features.ts";
import { judge, ruleOf, type Presence, type Rule, type Verdict } from "./rules.ts";

export interface MsrDifference {
  readonly feature: MsrFeature;
  readonly rule: Rule;
  readonly a: Presence;
  readonly b: Presence;
  readonly aToB: Verdict;
  readonly bToA: Verdict;
}

const ruleOfParent = ({ parent, weakness }: MsrFeature): Rule => {
  const bit = featureNamed(parent);
  const rule = bit === undefined ? "ignored" : ruleOf(bit);
  return rule === "kernel" && weakness ? "user" : rule;
};

const compared = msrFeatures
  .filter(({ parent }) => parent !== "vmx")
  .map((feature) => ({ feature, rule: ruleOfParent(feature) }));

/** All that are not known to be alike. */
export function msrDifferences(a: Cpu, b: Cpu): MsrDifference[] {
  const [ofA, ofB] = [presences(a), presences(b)];
  return compared.flatMap(({ feature, rule }) => {
    if (has(a, feature.parent) !== true || has(b, feature.parent) !== true) return [];
    const [inA, inB] = [ofA(feature), ofB(feature)];
    if (inA === inB && inA !== null) return [];
    return [{ feature, rule, a: inA, b: inB, aToB: judge(rule, inA, inB), bToA: judge(rule, inB, inA) }];
  });
}

/**
 * What VMX can do on one of two CPUs and not on the other.
 * @returns `untold`: labels of those of which nothing is known
 */
export function vmxDifferences(a: Cpu, b: Cpu): { names: string[]; untold: string[] } {
  if (has(a, "vmx") !== true || has(b, "vmx") !== true) return { names: [], untold: [] };
  const vmx = msrFeatures.filter(({ parent }) => parent === "vmx");
  const [ofA, ofB] = [presences(a), presences(b)];
  const silent = (of: (feature: MsrFeature) => Presence): boolean => vmx.every((one) => of(one) === null);
  const untold = [...(silent(ofA) ? [a.label] : []), ...(silent(ofB) ? [b.label] : [])];
  const differing = vmx.filter((one) => ofA(one) !== null && ofB(one) !== null && ofA(one) !== ofB(one));
  return { names: differing.map(({ name }) => name), untold };
}

/** Of a feature whose register the CPU has. */
function presences({ msrFeatures: known }: Cpu): (feature: MsrFeature) => Presence {
  const [there, absent] = [new Set(known?.has), new Set(known?.lacks)];
  return ({ name }) => (there.has(name) ? true : absent.has(name) ? false : null);
}
