/** Which hosts could take which VMs, as people read it. Pure. */
import type { MoveChecks } from "@godwit/contract";
import { formatTable } from "./format.ts";
import { findingLines } from "./problem.ts";

type Row = MoveChecks["vms"][number];
type Answer = Row["hosts"][number];

/** One VM: a line a host, with all that forbids the move or that its owner should know of. */
export function vmChecksText({ vm, from, hosts }: Row): string {
  if (hosts.length === 0) return `There is no host but ${from} for ${vm}.`;
  return hosts
    .flatMap(({ to, allowed, findings }) => [
      `${vm} ${allowed ? "may" : "may not"} move from ${from} to ${to}.`,
      ...findingLines(findings ?? []),
    ])
    .join("\n");
}

const wordOf = (answer: Answer | undefined): string => {
  if (answer === undefined) return "here";
  if (!answer.allowed) return "no";
  return answer.warnings.length > 0 ? "yes, warning" : "yes";
};

/** Many VMs: a column a host; then what stands against moves, the most frequent first. */
export function checksTable({ pathsTried, vms }: MoveChecks): string {
  const hosts = [...new Set(vms.flatMap((row) => row.hosts.map(({ to }) => to)))].sort();
  const table = formatTable([
    ["VM", "HOST", ...hosts],
    ...vms.map((row) => [
      row.vm,
      row.from,
      ...hosts.map((host) => wordOf(row.hosts.find(({ to }) => to === host))),
    ]),
  ]);
  const counts = new Map<string, number>();
  for (const code of vms.flatMap((row) => row.hosts.flatMap(({ errors }) => errors)))
    counts.set(code, (counts.get(code) ?? 0) + 1);
  const [first] = vms;
  return [
    vms.length === 0 ? "There is no VM." : table,
    ...(counts.size === 0 ? [] : ["", "What forbids moves:"]),
    ...[...counts]
      .sort(([, one], [, other]) => other - one)
      .map(([code, count]) => `  ${code}: ${String(count)} ${count === 1 ? "pair" : "pairs"}`),
    ...(counts.size === 0 || first === undefined
      ? []
      : [`The reasons of one VM: godwit vm check ${first.vm} --to any`]),
    ...(pathsTried ? [] : ["The migration networks were not tried: too many pairs of hosts."]),
  ].join("\n");
}
