/** The sentences of a comparison: why a move in one direction is refused, and why a difference is judged as it is. */
import type { Cpu } from "../cpuid/cpu.ts";
import type { MsrFeature } from "../features/msr-features.ts";
import type { Rule, Presence, Verdict } from "./rules.ts";

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
  /** Whether the source of the move has it; of the two at most one is not reported. */
  readonly source: Presence;
}

/**
 * @param differences features that one of the two is known to have
 * @param silent features that neither is known to have, and that could refuse the move
 * @param registers features in model-specific registers that are not known to be alike
 */
export function directionOf(
  from: Cpu,
  to: Cpu,
  differences: readonly DirectedDifference[],
  silent: readonly { feature: string }[],
  registers: readonly DirectedDifference[] = [],
): Direction {
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
          `Programs can use ${names(user)} without asking the kernel, and only one of the two hosts has ${user.length === 1 ? "it" : "each"}.`,
        ]
      : []),
    ...(kernel.length > 0
      ? [`${to.label} lacks ${names(kernel)}, which a guest on ${from.label} may have in use.`]
      : []),
    ...notReported(
      from,
      open.filter(({ source }) => source === null),
    ),
    ...notReported(
      to,
      open.filter(({ source }) => source !== null),
    ),
    ...(silent.length === 0
      ? []
      : [
          `The reports leave open whether either host has ${names(silent)}. What is not known is not taken to be alike. ${reportRemedy}`,
        ]),
    ...registerReasons(from, to, registers),
  ];
  const refusing =
    [vendor, ...registers.map((one) => one.verdict)].includes("may-not") ||
    user.length > 0 ||
    kernel.length > 0;
  const verdict = refusing ? "may-not" : reasons.length > 0 ? "unknown" : "may";
  return { from: from.label, to: to.label, verdict, reasons };
}

/** Of the features in model-specific registers; a guest is shown them only with the CPUID bit before them. */
function registerReasons(from: Cpu, to: Cpu, registers: readonly DirectedDifference[]): string[] {
  const refused = registers.filter(({ verdict }) => verdict === "may-not");
  const lacks = refused.filter(({ source }) => source === true);
  const more = refused.filter(({ source }) => source === false);
  const open = registers.filter(({ verdict }) => verdict === "unknown");
  const silentOnes = [from, to]
    .filter(({ msrFeatures }) => open.some(({ feature }) => !isTold(feature, msrFeatures)))
    .map(({ label }) => label);
  return [
    ...(lacks.length === 0
      ? []
      : [
          `${to.label} lacks ${names(lacks)} of ARCH_CAPABILITIES (MSR 0x10A), which a guest on ${from.label} that is shown arch-capabilities may rely on.`,
        ]),
    ...(more.length === 0
      ? []
      : [
          `${to.label} has the weakness ${names(more)} of ARCH_CAPABILITIES (MSR 0x10A), of which a guest on ${from.label} was not told.`,
        ]),
    ...(open.length === 0
      ? []
      : [
          `What ARCH_CAPABILITIES (MSR 0x10A) holds is not reported of ${silentOnes.join(" and ")}: ${names(open)}. It counts for VMs that are shown arch-capabilities; Godwit shows it only to VMs that ask for it. ${registerRemedy}`,
        ]),
  ];
}

const isTold = (name: string, known: Cpu["msrFeatures"]): boolean =>
  known?.has.includes(name) === true || known?.lacks.includes(name) === true;

/** Why a difference in a model-specific register is judged as it is. */
export function whyMsrJudged(
  { parent, weakness }: MsrFeature,
  rule: Rule,
  having: string,
  lacking: string,
  told: Presence,
): string {
  if (rule === "hidden" || rule === "ignored")
    return `No guest is shown ${parent}, or guests do not depend on it.`;
  if (told === null)
    return `${having} has it, and it is not known whether ${lacking} has it: the move is not allowed.`;
  return weakness
    ? "It stands for a weakness: a guest protects itself only where it was told, so both hosts must have it or neither."
    : `A VM that is shown ${parent} keeps what it was started with, so only a move to ${lacking} is refused.`;
}

/** Why a difference is judged as it is. */
export function whyJudged(rule: Rule, having: string, lacking: string, told: Presence): string {
  if (rule === "hidden") return "VMware's mask 0: it is never shown to guests.";
  if (rule === "ignored") return "VMware's mask X: guests do not depend on it.";
  if (rule === "state") return "It shows what the operating system has enabled, not what the CPU has.";
  if (told === null)
    return `${having} has it, and it is not known whether ${lacking} has it: the move is not allowed.`;
  return rule === "user"
    ? "User-level: programs can use it without asking the kernel, so both hosts must have it or neither."
    : `Kernel-level: a VM keeps the features that it was started with, so only a move to ${lacking} is refused.`;
}

function vendorVerdict(from: Cpu, to: Cpu): Verdict {
  if (from.vendor === "unknown" || to.vendor === "unknown") return "unknown";
  return from.vendor === to.vendor ? "may" : "may-not";
}

const registerRemedy =
  "Make a report on the machine itself as root, with the kernel module msr: godwit cpu report --json.";

const reportRemedy = "Make a report on the machine itself: godwit cpu report --json.";

const notReported = (cpu: Cpu, open: readonly DirectedDifference[]): string[] =>
  open.length === 0
    ? []
    : [
        `The report of ${cpu.label} does not say whether it has ${names(open)}, which the other has. ${reportRemedy}`,
      ];

/** As many names as a sentence carries; the table has all. */
function names(differences: readonly { feature: string }[]): string {
  const shown = differences.slice(0, 12).map(({ feature }) => feature);
  const more = differences.length - shown.length;
  return more > 0 ? `${shown.join(", ")} and ${String(more)} more` : shown.join(", ");
}
