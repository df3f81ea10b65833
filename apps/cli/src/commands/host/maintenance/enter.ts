/** `godwit host maintenance enter` */
import type { CannotMove } from "@godwit/contract";
import { buildCommand, numberParser } from "@stricli/core";
import { withApi } from "../../../connection.ts";
import { parseMs, parseSeconds } from "../../../output/format.ts";
import { emptiedSummary, maintenancePlanText } from "../../../output/maintenance-view.ts";
import { Exit, exitCodes } from "../../../output/problem.ts";
import { writeJson, writeLine } from "../../../output/screen.ts";
import { runTask } from "../../../run-task.ts";
import { detachFlag, hostArgument, jsonFlag, type TaskFlags } from "../../common.ts";

const choices: readonly CannotMove[] = ["wait", "shut-down", "suspend", "leave"];

/** Of a host with many VMs each is measured. */
const planLimitMs = 180_000;

interface Flags extends TaskFlags {
  plan: boolean;
  concurrency: number;
  maxOutage?: number;
  cannotMove?: CannotMove;
  vm?: readonly { vm: string; cannotMove: CannotMove }[];
  grace: number;
  deadline?: number;
}

export const enterCommand = buildCommand({
  docs: {
    brief: "Move all VMs off a host, and place no new ones on it",
    fullDescription: `Running VMs move live, a few at a time, and to each destination one at a time. Stopped VMs on shared storage are
assigned to other hosts; stopped VMs on local storage stay. If a running VM cannot move to any host, nothing is
started: all findings are listed, and the command ends with 3.

Choose what becomes of VMs that cannot move with --cannot-move, and of single ones with --vm:
  wait        until the VM can move or has stopped
  shut-down   the guest is shut down when all other VMs are away; the end of the maintenance starts it again
  suspend     the same, to disk (godwit vm suspend): its guest goes on where it was
  leave       it runs on; the host accepts no VMs, but stays "entering maintenance"

With --plan nothing is changed: it shows the order, the destinations, a forecast of time and outage for each VM, and what cannot
move and why. It ends with 3 if entering maintenance would be refused.

When no running VM is left, the host is in maintenance mode until you exit it. If a move fails, the host still
accepts no VMs ("entering maintenance"): fix the cause and enter again, or exit. If the task is cancelled, or the time of
--deadline is over, no further move starts, the running moves finish, and the host accepts VMs again.

Examples:
  godwit host maintenance enter a
  godwit host maintenance enter a --plan --deadline 30min
  godwit host maintenance enter a --cannot-move wait --vm web-1=shut-down --deadline 30min
  godwit host maintenance enter a --concurrency 4 --max-outage 100ms --json`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      detach: detachFlag,
      plan: {
        kind: "boolean",
        brief: "Show what would be done, and do nothing",
        default: false,
        withNegated: false,
      },
      concurrency: { kind: "parsed", parse: numberParser, brief: "How many VMs move at once", default: "2" },
      maxOutage: {
        kind: "parsed",
        parse: parseMs,
        brief: "Longest pause of each move (default 50ms; 250ms for an emulated VM)",
        optional: true,
      },
      cannotMove: {
        kind: "enum",
        values: choices,
        brief: "What becomes of VMs that cannot move (default: the maintenance is refused)",
        optional: true,
      },
      vm: {
        kind: "parsed",
        parse: parseChoice,
        variadic: true,
        brief:
          "The same for one VM of the host: NAME=wait, NAME=shut-down, NAME=suspend or NAME=leave; may be given more than once",
        optional: true,
      },
      grace: {
        kind: "parsed",
        parse: parseSeconds,
        brief: "How long a guest has to shut down, before its VM is powered off",
        default: "5min",
      },
      deadline: {
        kind: "parsed",
        parse: parseSeconds,
        brief: "Start no move after this time: 90, 90s or 30min",
        optional: true,
      },
    },
    positional: hostArgument,
  },
  async func(flags: Flags, host: string) {
    const { concurrency, maxOutage, cannotMove, vm, grace, deadline } = flags;
    const body = {
      ...{ concurrency, maxOutageMs: maxOutage, cannotMove, graceSeconds: grace },
      ...(vm === undefined ? {} : { vms: [...vm] }),
      ...(deadline === undefined ? {} : { deadlineSeconds: deadline }),
    };
    const params = { host };
    if (!flags.plan) {
      await withApi((api) =>
        runTask(api, api.call("hostMaintenanceEnter", { params, body }), flags, emptiedSummary),
      );
      return;
    }
    const plan = await withApi((api) =>
      api.call("hostMaintenancePlan", { params, body }, { timeoutMs: planLimitMs }),
    );
    if (flags.json) writeJson(plan);
    else writeLine(maintenancePlanText(plan));
    if (plan.vms.some(({ action }) => action === "refuse")) throw new Exit(exitCodes.refused);
  },
});

function parseChoice(text: string): { vm: string; cannotMove: CannotMove } {
  const at = text.lastIndexOf("=");
  const choice = choices.find((one) => one === text.slice(at + 1));
  if (at < 1 || choice === undefined)
    throw new Error(
      `"${text}" names no VM and choice; write NAME=wait, NAME=shut-down, NAME=suspend or NAME=leave.`,
    );
  return { vm: text.slice(0, at), cannotMove: choice };
}
