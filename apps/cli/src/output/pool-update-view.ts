/** A rolling update of a pool as lines for people. Pure. */
import type { HostUpdate, PoolUpdatePlan, Task } from "@godwit/contract";
import { formatBytes, formatMs, formatTable } from "./format.ts";
import { findingLines } from "./problem.ts";

export function updatePlanText({ pool, hosts, allowed }: PoolUpdatePlan): string {
  return [
    formatTable([
      ["", "HOST", "WOULD MOVE AWAY", "MEMORY", "ABOUT"],
      ...hosts.map(({ host, vms, bytes, seconds }, index) => [
        ...[String(index + 1), host, vms.length === 0 ? "-" : vms.join(" "), formatBytes(bytes)],
        seconds === null ? "not known" : formatMs(seconds * 1000),
      ]),
    ]),
    ...hosts.flatMap(({ findings }) => findingLines(findings)),
    allowed
      ? `The hosts of pool ${pool} would be updated in this order. The time is that of the copies away, as things are now.`
      : `Pool ${pool} cannot be updated as things are now.`,
  ].join("\n");
}

/** How each host was updated, for the end of `pool update`. */
export function updatedSummary(task: Task): string {
  const hosts = task.kind === "pool.update" ? (task.hosts ?? []) : [];
  return [`Pool ${task.subject.name} is updated.`, ...hosts.flatMap(hostLines)].join("\n");
}

/** What became of the hosts, each with the end of what the command wrote. */
export const hostLines = ({
  host,
  phase,
  startedAt,
  endedAt,
  exitCode,
  output,
  detail,
}: HostUpdate): string[] => {
  if (phase === "waiting") return [];
  const took =
    startedAt === null || endedAt === null
      ? ""
      : ` in ${formatMs(Date.parse(endedAt) - Date.parse(startedAt))}`;
  const code = exitCode === null ? "" : `, exit code ${String(exitCode)}`;
  const lines = (output ?? "").trimEnd().split("\n").slice(-20);
  return [
    `  ${host}: ${phase}${took}${code}${detail === null ? "" : `: ${detail}`}`,
    ...(output === null || output.trim() === "" ? [] : lines.map((line) => `    | ${line}`)),
  ];
};
