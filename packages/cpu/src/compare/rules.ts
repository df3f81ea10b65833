/**
 * How a move judges one feature, by VMware's rules for hosts that share no baseline. Read the table first:
 *
 * | rule     | which features                                   | a move is refused where                       |
 * |----------|--------------------------------------------------|-----------------------------------------------|
 * | user     | unprivileged code can use them without asking    | the two hosts differ, in either direction     |
 * | kernel   | only a guest's kernel can use them               | the destination lacks what the source has     |
 * | hidden   | VMware's mask 0: no guest is shown them          | never                                         |
 * | ignored  | VMware's mask X: guests do not depend on them    | never                                         |
 * | state    | what the operating system has enabled            | never; such bits are not even listed          |
 *
 * Microcode bits count as kernel-level even where VMware's published mask ignores them: a guest that was shown
 * one writes to the register behind it, and faults on a host without. vSphere asks for them by name, too.
 */
import type { CpuFeature } from "../features/feature.ts";
import { featureNamed } from "../features/features.ts";
import { has, type Cpu } from "../cpuid/cpu.ts";

export type Rule = "user" | "kernel" | "hidden" | "ignored" | "state";

/** `unknown`: a source does not tell what the answer depends on; never taken for a yes. */
export type Verdict = "may" | "may-not" | "unknown";

/** A feature as one of two hosts has it; null: its source does not say. */
export type Presence = boolean | null;

export function ruleOf({ runtime, mask, microcode, level }: CpuFeature): Rule {
  if (runtime) return "state";
  if (mask === "0") return "hidden";
  if (microcode) return "kernel";
  return mask === "X" ? "ignored" : level;
}

/**
 * May a VM that sees what its source has go where the feature is as told? A feature that neither side is known
 * to have refuses nothing: old reports tell four registers of some thirty, and what is silent on both sides is
 * most often absent. `isUndecided` finds such features, so that they are named.
 */
export function judge(rule: Rule, source: Presence, destination: Presence): Verdict {
  return source === true || destination === true ? strictly(rule, source, destination) : "may";
}

/** Whether the two sources leave open if a move is refused, though neither is known to have the feature. */
export const isUndecided = (rule: Rule, source: Presence, destination: Presence): boolean =>
  source !== true && destination !== true && strictly(rule, source, destination) === "unknown";

/** `unknown` where what is not reported could make it a yes or a no. */
function strictly(rule: Rule, source: Presence, destination: Presence): Verdict {
  if (rule === "user") {
    if (source === null || destination === null) return "unknown";
    return source === destination ? "may" : "may-not";
  }
  if (rule !== "kernel" || destination === true || source === false) return "may";
  return source === true && destination === false ? "may-not" : "unknown";
}

/** What a CPU has, also where it follows: no feature without its parents, and with them those that others imply. */
export function presenceOf(cpu: Cpu, feature: CpuFeature): Presence {
  const told = has(cpu, feature.name);
  if (told !== null) return told;
  const parents = feature.parents.map((parent) => presenceByName(cpu, parent));
  if (parents.includes(false)) return false;
  const implied = feature.impliedBy === null ? null : presenceByName(cpu, feature.impliedBy);
  return implied === true && parents.includes(null) ? null : implied;
}

function presenceByName(cpu: Cpu, name: string): Presence {
  const feature = featureNamed(name);
  return feature === undefined ? null : presenceOf(cpu, feature);
}
