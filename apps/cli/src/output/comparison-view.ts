/** A comparison of two CPUs as lines for people: the verdicts, what differs, what to do. Pure. */
import type { CpuComparison, FeatureDifference } from "@godwit/cpu";
import { formatTable } from "./format.ts";

/** @param sources the files or hosts that the two are */
export function comparisonText(comparison: CpuComparison, sources: { a: string; b: string }): string {
  return [
    ...identityLines(comparison.a, sources.a),
    ...identityLines(comparison.b, sources.b),
    ...directionLines(comparison.aToB),
    ...directionLines(comparison.bToA),
    ...section("What differs", differenceLines(comparison)),
    ...section("What to do", remedyLines(comparison)),
    ...section(
      "Also note",
      comparison.warnings.map((warning) => `! ${warning}`),
    ),
  ].join("\n");
}

const identityLines = ({ label, brand }: CpuComparison["a"], source: string): string[] =>
  label === source ? [] : [`${label} is ${source}${brand === "" ? "" : `: ${brand.trim()}`}`];

const section = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : ["", title, ...lines.map((line) => `  ${line}`)];

function directionLines({ from, to, verdict, reasons }: CpuComparison["aToB"]): string[] {
  const words = {
    may: "a VM may move.",
    "may-not": "a VM may not move.",
    unknown: "not known to be allowed; a VM may not move.",
  };
  return [`${from} → ${to}: ${words[verdict]}`, ...reasons.map((reason) => `  ✗ ${reason}`)];
}

function differenceLines(comparison: CpuComparison): string[] {
  const { differences, a, b } = comparison;
  if (differences.length === 0) return [];
  return formatTable([
    ["NAME", "VMWARE", "WHERE", "LEVEL", comparison.a.label, comparison.b.label, "JUDGED", "LIKELY CAUSE"],
    ...differences.map((difference) => [
      difference.feature,
      difference.vmware ?? "",
      difference.place,
      difference.level,
      told(difference.a),
      told(difference.b),
      judged(difference, a.label, b.label),
      difference.likely?.kind ?? "",
    ]),
  ]).split("\n");
}

const told = (has: boolean | null): string => (has === null ? "?" : has ? "yes" : "no");

function judged({ rule, aToB, bToA }: FeatureDifference, a: string, b: string): string {
  if (rule === "hidden") return "ignored: no guest is shown it";
  if (rule === "ignored") return "ignored: guests do not depend on it";
  const there = aToB !== "may";
  const back = bToA !== "may";
  const known = aToB !== "unknown" && bToA !== "unknown";
  const way = there && back ? "both ways" : there ? `${a} → ${b}` : back ? `${b} → ${a}` : "";
  if (way === "") return "allowed";
  return known ? `refuses ${way}` : `not known, refuses ${way}`;
}

/** Each remedy once, after the cause that it is for; last the baseline, which needs no change of the hosts. */
function remedyLines({ differences, baseline, compatible, a, b }: CpuComparison): string[] {
  if (compatible) return [];
  const likely = differences.flatMap((difference) =>
    difference.likely === null ? [] : [{ feature: difference.feature, ...difference.likely }],
  );
  return [
    ...[...Map.groupBy(likely, ({ remedy }) => remedy)].flatMap(([remedy, [first, ...others]]) => [
      `${first?.cause ?? ""}${others.length > 0 ? ` So too ${others.map(({ feature }) => feature).join(", ")}.` : ""}`,
      `  ${remedy}`,
    ]),
    ...(baseline === null
      ? [
          `Neither an EVC mode nor a common set is satisfied by both ${a.label} and ${b.label}; they cannot share a pool with a baseline.`,
        ]
      : [
          `Both in one pool with the ${baseline.evcMode === null ? `common set ${baseline.commonSet ?? ""}` : `EVC mode ${baseline.evcMode}`}, VMs move both ways. They see this CPU:`,
          `  -cpu ${baseline.qemuCpu}`,
        ]),
  ];
}
