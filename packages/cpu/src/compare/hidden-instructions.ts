/**
 * Instructions that a guest can execute though CPUID does not show them to it. CPUID itself always exits to
 * KVM, so a guest never sees more than its set; but most instructions run whether they are shown or not, and a
 * program that tries one instead of asking would fail on a host without it.
 */
import type { CpuFeature } from "../features/feature.ts";
import { dependentsOf } from "../features/features.ts";
import { ruleOf } from "./rules.ts";

/** KVM lets a guest switch on only those parts of XCR0 and CR4 that it was shown; without them these fault. */
const behindControlRegisters = new Set([...dependentsOf("xsave"), "xsave", "fsgsbase", "cet-ss", "cet-ibt"]);

/** KVM makes them fault in a guest that was not shown them. */
const trapped = new Set(["rdtscp", "rdpid", "waitpkg", "enqcmd", "user-msr"]);
/** Only Intel's hardware lets it. */
const trappedByIntel = new Set(["rdrand", "rdseed"]);

/** They promise speed, or are hints that other CPUs take for no operation. */
const withoutEffect = new Set([
  "erms",
  "fsrm",
  "fzrm",
  "fsrs",
  "fsrc",
  "amd-fsrs",
  "amd-fsrc",
  "fast-rep-scasb",
  "3dnowprefetch",
  "prefetchwt1",
  "prefetchi",
  "prefetchiti",
  "cldemote",
  "opcode-0f017-reclaim",
]);

/** @param vendor as CPUID spells it */
export function executesWhenHidden(feature: CpuFeature, vendor: string): boolean {
  const { name } = feature;
  if (ruleOf(feature) !== "user" || behindControlRegisters.has(name) || withoutEffect.has(name)) return false;
  return !trapped.has(name) && !(vendor === "GenuineIntel" && trappedByIntel.has(name));
}
