/** The maintenance of a host, for people. Pure. */
import type { MaintenancePlan, PlannedVm, Task, TaskStep } from "@godwit/contract";
import { formatMs, formatTable } from "./format.ts";

const actions: Record<PlannedVm["action"], (vm: PlannedVm) => string> = {
  move: ({ to }) => `moves to ${to ?? ""}`,
  relocate: ({ to }) => `is stopped; is assigned to ${to ?? ""}`,
  stay: () => "is stopped; stays",
  busy: () => "has a task under way, which is waited for",
  refuse: () => "cannot move: the maintenance would be refused",
  wait: () => "cannot move: it is waited for",
  "shut-down": () => "cannot move: it is shut down when the others are away",
  suspend: () => "cannot move: it is suspended to disk when the others are away",
  leave: () => "cannot move: it runs on, and the host keeps entering maintenance",
};

export function maintenancePlanText({ host, vms, totalMs, deadline }: MaintenancePlan): string {
  if (vms.length === 0) return `Host ${host} has no VMs: it would be in maintenance at once.`;
  const rows = vms.map((vm) => [
    vm.vm,
    actions[vm.action](vm),
    vm.action === "move" ? spread(vm.forecast?.totalMs) : "",
    vm.action === "move" ? spread(vm.forecast?.pauseMs) : "",
  ]);
  const live = vms.some(({ action }) => action === "move");
  const refused = vms.some(({ action }) => action === "refuse");
  return [
    formatTable([["VM", "WHAT", "TIME", "OUTAGE"], ...rows]),
    ...vms.flatMap(({ vm, findings }) =>
      findings.map(({ message, remedy }) => `  ✗ ${vm}: ${message}\n    ${remedy}`),
    ),
    ...(live ? [`All moves together: ${spread(totalMs)}.`] : []),
    ...(deadline === null ? [] : [deadlineText(deadline)]),
    ...(refused
      ? [
          `Choose what becomes of VMs that cannot move: --cannot-move wait, shut-down, suspend or leave; of one: --vm NAME=shut-down`,
        ]
      : []),
  ].join("\n");
}

const spread = (of: { p10: number; p50: number; p90: number } | null | undefined): string =>
  of == null ? "not known" : `${formatMs(of.p50)} (${formatMs(of.p10)} to ${formatMs(of.p90)})`;

const verdicts = {
  yes: "is met by the forecast",
  likely: "is met by the middle of the forecast, not by its slow end",
  no: "is not met by the forecast",
  unknown: "may or may not be met: not all that must happen can be foretold",
};
const deadlineText = ({ seconds, met }: NonNullable<MaintenancePlan["deadline"]>): string =>
  `The deadline of ${formatMs(seconds * 1000)} ${verdicts[met]}.`;

/** What became of each VM of a host that was emptied. */
export function emptiedSummary(task: Task): string {
  const { subject, steps } = task;
  const running = task.kind === "host.enterMaintenance" ? (task.result?.running ?? []) : [];
  return [
    running.length === 0
      ? `Host ${subject.name} is in maintenance: it has no running VMs and takes none.`
      : `Host ${subject.name} takes no VMs, and still runs ${running.join(", ")}, as was asked: it is not in maintenance, but entering it.`,
    ...steps.filter(({ state }) => state === "done").map((step) => `  ${becameText(step)}`),
    `End it with: godwit host maintenance exit ${subject.name}`,
  ].join("\n");
}

/** What became of a VM, by a step of the task that is done. */
function becameText({ key, name, subject, detail }: TaskStep): string {
  const vm = subject?.name ?? "";
  switch (key) {
    case "move":
      return `${vm} moved ${detail ?? ""}`.trimEnd();
    case "relocate":
      return `${vm}, which is stopped, was assigned ${detail ?? ""}`.trimEnd();
    case "shutDown":
      return `${vm}, which cannot move, was shut down; the end of the maintenance starts it again`;
    case "suspend":
      return `${vm}, which cannot move, was suspended to disk; the end of the maintenance lets its guest go on`;
    default:
      return `${name}${detail === null ? "" : `: ${detail}`}`;
  }
}
