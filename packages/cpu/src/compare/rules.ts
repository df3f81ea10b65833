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
 * one writes to the register behind it, and faults on a host without. vSphere asks for them by name, too. Those
 * that Godwit's baselines show to guests count also where VMware's mask is 0.
 */
import type { CpuFeature } from "../features/feature.ts";
import { microcodeFeatures } from "../evc/microcode.ts";
import { inferredPresence } from "../features/inferred.ts";
import { has, type Cpu } from "../cpuid/cpu.ts";

export type Rule = "user" | "kernel" | "hidden" | "ignored" | "state";

/** `unknown`: a source does not tell what the answer depends on; never taken for a yes. */
export type Verdict = "may" | "may-not" | "unknown";

/** A feature as one of two hosts has it; null: its source does not say. */
export type Presence = boolean | null;

export function ruleOf({ name, runtime, mask, microcode, level }: CpuFeature): Rule {
  if (runtime) return "state";
  if (microcodeFeatures.includes(name)) return "kernel";
  if (mask === "0") return "hidden";
  if (microcode) return "kernel";
  return mask === "X" ? "ignored" : level;
}

/**
 * May a VM that sees what its source has go where the feature is as told? `unknown` where what is not reported
 * could make it a yes or a no, also where neither side is known to have the feature.
 */
export function judge(rule: Rule, source: Presence, destination: Presence): Verdict {
  if (rule === "user") {
    if (source === null || destination === null) return "unknown";
    return source === destination ? "may" : "may-not";
  }
  if (rule !== "kernel" || destination === true || source === false) return "may";
  return source === true && destination === false ? "may-not" : "unknown";
}

/** What a CPU has, also where it follows from what else it has and lacks. */
export const presenceOf = (cpu: Cpu, feature: CpuFeature): Presence =>
  inferredPresence(feature, (name) => has(cpu, name));
