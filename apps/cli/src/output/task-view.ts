/** A task as lines for people. Pure. */
import type { MoveRecord, Task } from "@godwit/contract";
import { formatBytes, formatMs } from "./format.ts";

/** One line of what goes on just now. */
export function progressText(task: Task): string {
  const name = `${task.subject.name}: ${task.phase ?? task.steps.at(-1)?.name ?? task.state}`;
  if (task.waitingFor !== null) return `${name}, waiting: ${task.waitingFor}`;
  const { progress } = task;
  // Once the guest has stopped, the copy's figures are those of before.
  if (progress === null || (task.phase !== "copying" && task.phase !== "switching")) return name;
  const done = progress.totalBytes === 0 ? 0 : 1 - progress.remainingBytes / progress.totalBytes;
  return [
    name,
    progress.rounds <= 1 ? `${(done * 100).toFixed(0)} %` : `round ${String(progress.rounds)}`,
    `${formatBytes(progress.transferredBytes)} sent`,
    `${formatBytes(progress.bytesPerSecond)}/s`,
    `${formatBytes(progress.remainingBytes)} left`,
    ...(progress.etaMs === null ? [] : [`ETA ${formatMs(progress.etaMs)}`]),
    ...(progress.expectedOutageMs === null ? [] : [`outage now ${formatMs(progress.expectedOutageMs)}`]),
  ].join(" · ");
}

/** How a move went, for the end of `vm migrate`. */
export function moveSummary(move: MoveRecord): string {
  const seconds = (move.totalMs ?? 0) / 1000;
  const rate = seconds > 0 ? ` at ${formatBytes(move.bytes / seconds)}/s` : "";
  return [
    `${move.vm.name} moved from ${move.from} to ${move.to} in ${formatMs(move.totalMs)}`,
    `  vCPUs stood still for ${formatMs(move.stopToContMs)} of ${String(move.maxOutageMs)} ms allowed (QEMU's own figure: ${formatMs(move.qemuDowntimeMs)})`,
    `  ${formatBytes(move.bytes)} in ${String(move.rounds)} rounds${rate}, ${move.encrypted ? "encrypted" : "not encrypted"}`,
    ...(move.backOuts > 0
      ? [`  ${String(move.backOuts)} switches were backed out to keep to the budget`]
      : []),
  ].join("\n");
}

/** A task with its steps. */
export function taskText(task: Task): string {
  return [
    `${task.kind} ${task.subject.name}: ${task.state}${task.error === null ? "" : ` (${task.error.code})`}`,
    `  id       ${task.id}`,
    `  begun    ${task.createdAt} by ${task.actor}`,
    ...(task.endedAt === null ? [] : [`  ended    ${task.endedAt}`]),
    ...(task.waitingFor === null ? [] : [`  waiting  ${task.waitingFor}`]),
    ...task.steps.map(
      (step) => `  ${step.state.padEnd(8)} ${step.name}${tookText(step.startedAt, step.endedAt)}`,
    ),
    ...(task.move?.decisions ?? []).map(({ at, text }) => `  decided  ${at.slice(11, 23)} ${text}`),
    ...(task.error === null ? [] : [`  ${task.error.detail}`, `  ${task.error.remedy}`]),
    ...(task.move?.phase === "succeeded" ? [moveSummary(task.move)] : []),
  ].join("\n");
}

function tookText(startedAt: string, endedAt: string | null): string {
  return endedAt === null ? "" : ` (${formatMs(Date.parse(endedAt) - Date.parse(startedAt))})`;
}
