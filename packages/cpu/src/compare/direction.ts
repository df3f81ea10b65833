/** A comparison in words: what is said of one direction and of one difference. */
import type { Cpu } from "../cpuid/cpu.ts";
import type { Rule, Told, Verdict } from "./rules.ts";

export interface Direction {
  readonly from: string;
  readonly to: string;
  readonly verdict: Verdict;
  /** Why not: sentences; empty exactly when the verdict is `may`. */
  readonly reasons: readonly string[];
}

/** What a difference means in one direction. */
export interface DirectedDifference {
  readonly feature: string;
  readonly rule: Rule;
  readonly verdict: Verdict;
  /** Whether the source of the move has it; of the two at most one is not told. */
  readonly source: Told;
}

export function directionOf(from: Cpu, to: Cpu, differences: readonly DirectedDifference[]): Direction {
  const refused = (rule: Rule) =>
    differences.filter((difference) => difference.rule === rule && difference.verdict === "may-not");
  const open = differences.filter(({ verdict }) => verdict === "unknown");
  const vendor = vendorVerdict(from, to);
  const user = refused("user");
  const kernel = refused("kernel");
  const reasons = [
    ...(vendor === "may-not"
      ? [`The vendors differ: ${from.label} is ${from.vendor}, ${to.label} is ${to.vendor}.`]
      : []),
    ...(vendor === "unknown"
      ? [`It is not known whether the vendors are the same (${from.vendor} and ${to.vendor}).`]
      : []),
    ...(user.length > 0
      ? [
          `Programs can use ${names(user)} without asking anyone, and only one of the two has ${user.length === 1 ? "it" : "each"}.`,
        ]
      : []),
    ...(kernel.length > 0
      ? [`${to.label} lacks ${names(kernel)}, which a guest on ${from.label} may have in use.`]
      : []),
    ...silence(
      from,
      open.filter(({ source }) => source === null),
    ),
    ...silence(
      to,
      open.filter(({ source }) => source !== null),
    ),
  ];
  const refusing = vendor === "may-not" || user.length > 0 || kernel.length > 0;
  const verdict = refusing ? "may-not" : reasons.length > 0 ? "unknown" : "may";
  return { from: from.label, to: to.label, verdict, reasons };
}

/** Why a difference is judged as it is. */
export function whyJudged(rule: Rule, having: string, lacking: string, told: Told): string {
  if (rule === "hidden") return "VMware's mask 0: it is never shown to guests.";
  if (rule === "ignored") return "VMware's mask X: guests do not depend on it.";
  if (rule === "state") return "It tells what an operating system switched on just now.";
  if (told === null)
    return `${having} has it, and what is known of ${lacking} leaves it open: not taken for a yes.`;
  return rule === "user"
    ? "User-level: programs can use it without asking, so that hosts must be alike, whether a VM uses it or not."
    : `Kernel-level: a VM keeps what it has seen, so that only the way to ${lacking} is closed.`;
}

function vendorVerdict(from: Cpu, to: Cpu): Verdict {
  if (from.vendor === "unknown" || to.vendor === "unknown") return "unknown";
  return from.vendor === to.vendor ? "may" : "may-not";
}

const silence = (cpu: Cpu, open: readonly DirectedDifference[]): string[] =>
  open.length === 0
    ? []
    : [
        `What is known of ${cpu.label} does not tell whether it has ${names(open)}, as the other has; a report that was made on the machine itself does (godwit cpu report --json).`,
      ];

/** As many names as a sentence carries; the table has all. */
function names(differences: readonly { feature: string }[]): string {
  const shown = differences.slice(0, 12).map(({ feature }) => feature);
  const more = differences.length - shown.length;
  return more > 0 ? `${shown.join(", ")} and ${String(more)} more` : shown.join(", ");
}
