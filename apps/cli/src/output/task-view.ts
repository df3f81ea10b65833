/** A task as lines for people. Pure. */
import type {
  ImageCopy,
  KeptForecast,
  MemoryWait,
  MoveCpu,
  MovePause,
  MoveRecord,
  Task,
  TaskOf,
} from "@godwit/contract";
import { keptForecastText, outcomeLines } from "./forecast-view.ts";
import { formatBytes, formatMs } from "./format.ts";
import { hostLines } from "./pool-update-view.ts";

/** One line of what goes on just now. */
export function progressText(task: Task): string {
  if (task.kind === "host.enterMaintenance" || task.kind === "host.renewQemu" || task.kind === "pool.update")
    return emptyingText(task);
  const name = `${task.subject.name}: ${phaseOf(task) ?? task.steps.at(-1)?.name ?? task.state}`;
  if (task.waitingFor !== null) return `${name}, waiting: ${task.waitingFor.message}`;
  if (task.kind === "image.add" && task.progress !== null)
    return `${task.subject.name}: fetching · ${amountsText(task.progress)}`;
  if (task.kind === "vm.suspend" && task.progress !== null)
    return `${task.subject.name}: writing its memory · ${amountsText(task.progress)}`;
  if ("progress" in task && task.kind !== "vm.migrate" && task.progress != null)
    return copyText(task.subject.name, task.progress);
  if (task.kind !== "vm.migrate") return name;
  const { progress } = task;
  const disks = task.move?.disks;
  if (task.phase === "copying" && progress === null && disks !== undefined)
    return `${task.subject.name}: copying its disks · ${amountsText(disks)}`;
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

/** The copy of an image that becomes a disk, or of a disk that moves. */
function copyText(
  vm: string,
  { disk, phase, totalBytes, copiedBytes, bytesPerSecond, etaMs }: ImageCopy,
): string {
  if (phase === "flushing") return `${vm}: writing out disk ${disk} (${formatBytes(totalBytes)})`;
  return `${vm}: copying disk ${disk} · ${amountsText({ totalBytes, copiedBytes, bytesPerSecond, etaMs })}`;
}

/** How far a copy is. */
function amountsText({
  totalBytes,
  copiedBytes,
  bytesPerSecond,
  etaMs,
}: Pick<ImageCopy, "totalBytes" | "copiedBytes" | "bytesPerSecond" | "etaMs">): string {
  const share = totalBytes === 0 ? 0 : copiedBytes / totalBytes;
  return [
    `${(share * 100).toFixed(0)} %`,
    `${formatBytes(copiedBytes)} of ${formatBytes(totalBytes)}`,
    `${formatBytes(bytesPerSecond)}/s`,
    ...(etaMs === null ? [] : [`ETA ${formatMs(etaMs)}`]),
  ].join(" · ");
}

/** A move's phase; null for every other task. */
export const phaseOf = (task: Task): string | null => (task.kind === "vm.migrate" ? task.phase : null);

/** Beside the state of a task: why it failed, or where a move goes. */
export function outcomeText(task: Task): string {
  if (task.error !== null) return task.error.code;
  if (task.kind === "vm.relocateDisks") return `→ ${task.request.to}`;
  return task.kind === "vm.migrate" ? `${task.request.from} → ${task.request.to}` : "";
}

/** A host that is being emptied, or whose VMs are moved away and back: how many are done, and what each move under way does. */
function emptyingText({ subject, steps, state, waitingFor }: Task): string {
  const ended = steps.filter((step) => step.state !== "running").length;
  return [
    `${subject.name}: ${state === "cancelling" ? "no more moves start" : `${String(ended)} done`}`,
    ...steps
      .filter((step) => step.state === "running")
      .map(({ name, detail }) => (detail === null ? name : `${name} (${detail})`)),
    ...(waitingFor === null ? [] : [`waiting: ${waitingFor.message}`]),
  ].join(" · ");
}

/** Which VMs of a host came onto its QEMU. */
export function renewedSummary(task: Task): string {
  const renewed = task.kind === "host.renewQemu" ? (task.result?.renewed ?? []) : [];
  return renewed.length === 0
    ? `No VM on host ${task.subject.name} runs on a QEMU of before an upgrade.`
    : `On host ${task.subject.name} these VMs run on its QEMU now: ${renewed.join(", ")}.`;
}

/** How a move went, for the end of `vm migrate`. */
/** @param forecast what it was said to be like, where that was told */
export function moveSummary(move: MoveRecord, forecast?: KeptForecast): string {
  const seconds = copyMs(move) / 1000;
  const rate = seconds > 0 ? ` at ${formatBytes(move.bytes / seconds)}/s` : "";
  const still =
    move.pauseReason === null
      ? `  ${standstillText(move)}`
      : `  It is paused, as it was before (${move.pauseReason}); godwit vm show ${move.vm.name} says what to do.`;
  return [
    `${move.vm.name} moved from ${move.from} to ${move.to} in ${formatMs(move.totalMs)}`,
    still,
    `  ${formatBytes(move.bytes)} in ${String(move.rounds)} rounds${rate}, ${move.encrypted ? "encrypted" : "not encrypted"}`,
    ...(move.cpu === undefined ? [] : cpuText(move, move.cpu).map((text) => `  ${text}`)),
    ...(move.waitedForMemory === undefined ? [] : [`  ${waitText(move.waitedForMemory)}`]),
    ...(move.backOuts > 0
      ? [`  ${String(move.backOuts)} switches were backed out to keep to the budget`]
      : []),
    ...(forecast === undefined ? [] : outcomeLines(forecast, move).map((line) => `  ${line}`)),
  ].join("\n");
}

function standstillText({
  stopToContMs,
  stopToContUnknown: why,
  maxOutageMs,
  qemuDowntimeMs,
}: MoveRecord): string {
  const own = qemuDowntimeMs === null ? "" : ` (QEMU's own figure: ${formatMs(qemuDowntimeMs)})`;
  return stopToContMs === null
    ? `how long the vCPUs stood still was not measured${why === null ? "" : `: ${why}`}${own}`
    : `vCPUs stood still for ${formatMs(stopToContMs)} of ${String(maxOutageMs)} ms allowed${own}`;
}

/** What the move took of its hosts' CPUs. */
function cpuText({ from, to }: MoveRecord, { source, destination }: MoveCpu): string[] {
  const parts = [
    { host: from, cpu: source },
    { host: to, cpu: destination },
  ].flatMap(({ host, cpu }) =>
    cpu === undefined ? [] : [`${host}: QEMU ${formatMs(cpu.qemuMs)}, agent ${formatMs(cpu.agentMs)}`],
  );
  return parts.length === 0 ? [] : [`CPU time beside the guest's vCPUs: ${parts.join("; ")}`];
}

/** After a post-copy. */
function waitText({ allMs, vcpuMs }: MemoryWait): string {
  const most = Math.max(0, ...vcpuMs);
  return `after the switch the guest waited for memory: all vCPUs at once for ${formatMs(allMs)}, the vCPU that waited most for ${formatMs(most)}`;
}

/** How long memory was being sent: neither preparation nor clean-up is part of its rate. */
function copyMs({ phases, totalMs }: MoveRecord): number {
  const began = phases.find(({ phase }) => phase === "copying");
  const ended = phases.findLast(({ phase }) => phase === "postcopy" || phase === "committed");
  if (began === undefined || ended === undefined) return totalMs ?? 0;
  return Date.parse(ended.at) - Date.parse(began.at);
}

const pauseParts = {
  lastPagesMs: "last pages",
  vetoMs: "last veto",
  deviceStateMs: "device state",
  commitMs: "commit",
  commitTravelMs: "to the destination",
  contMs: "until cont",
  resumeMs: "until the guest runs",
} as const satisfies Partial<Record<keyof MovePause, string>>;

/** Where the time went in which the vCPUs stood still, in one line; what was not measured is shown as not measured. */
export function pauseText(pause: MovePause): string {
  const parts = (Object.keys(pauseParts) as (keyof typeof pauseParts)[]).map(
    (key) => `${pauseParts[key]} ${formatMs(pause[key])}`,
  );
  const around = [
    ...(pause.decisionMs === null ? [] : [`decided ${formatMs(pause.decisionMs)} before`]),
    ...(pause.announceMs === null ? [] : [`announced ${formatMs(pause.announceMs)} after`]),
  ];
  return `${parts.join(" · ")}${around.length === 0 ? "" : ` (${around.join(", ")})`}`;
}

/** The limits of a move as somebody has changed them. */
export function limitsText({ limits, request }: TaskOf<"vm.migrate">): string {
  const { bandwidthBytesPerSecond, maxOutageMs } = limits ?? request;
  const rate =
    bandwidthBytesPerSecond === null
      ? "what the link gives"
      : `at most ${String((bandwidthBytesPerSecond * 8) / 1e6)} Mbit/s`;
  return `it uses ${rate}, and its pause may take ${String(maxOutageMs)} ms`;
}

/** A task with its steps. */
export function taskText(task: Task): string {
  const move = task.kind === "vm.migrate" ? task.move : null;
  const forecast = task.kind === "vm.migrate" ? task.request.forecast : undefined;
  return [
    `${task.description}: ${task.state}${task.error === null ? "" : ` (${task.error.code})`}`,
    `  id       ${task.id}`,
    `  kind     ${task.kind}`,
    `  started  ${task.createdAt} by ${task.actor}`,
    ...(task.endedAt === null ? [] : [`  ended    ${task.endedAt}`]),
    ...(task.waitingFor === null ? [] : [`  waiting  ${task.waitingFor.message}`]),
    ...(task.kind === "vm.migrate" && task.limits != null ? [`  limits   ${limitsText(task)}`] : []),
    ...(forecast === undefined ? [] : [`  forecast ${keptForecastText(forecast)}`]),
    ...task.steps.map(
      (step) =>
        `  ${step.state.padEnd(8)} ${step.name}${tookText(step.startedAt, step.endedAt)}${step.detail === null ? "" : `: ${step.detail}`}`,
    ),
    ...(task.kind === "pool.update" ? (task.hosts ?? []).flatMap(hostLines) : []),
    ...(move?.decisions ?? []).map(({ at, text }) => `  decided  ${at.slice(11, 23)} ${text}`),
    ...(move?.pause == null ? [] : [`  pause    ${pauseText(move.pause)}`]),
    ...(task.error === null ? [] : [`  ${task.error.detail}`, `  ${task.error.remedy}`]),
    ...(move?.phase === "succeeded" ? [moveSummary(move, forecast)] : []),
  ].join("\n");
}

function tookText(startedAt: string, endedAt: string | null): string {
  return endedAt === null ? "" : ` (${formatMs(Date.parse(endedAt) - Date.parse(startedAt))})`;
}
