/** What an emptying would do as things are now: order, destinations, forecasts, and VMs that cannot move. Changes nothing. */
import {
  hasProcess,
  type Forecasts,
  type MaintenanceBody,
  type MaintenancePlan,
  type PlannedVm,
} from "@godwit/contract";
import { choiceFor, deadlineMet, evacuationTime, type Mover, type NextMoves } from "@godwit/placement";
import type { Services } from "../services.ts";
import { checkVm } from "./check-vm.ts";
import { evacuationOf } from "./bring-back.ts";
import { movesPerTarget } from "./evacuate.ts";
import { forecastMove } from "./forecast-move.ts";
import { emptyingRequest } from "./maintenance-choices.ts";

/** Measurements of memory at one time. */
const measuredAtOnce = 8;
/** No more VMs are measured after this: what is left has no forecast. */
const measureWithinMs = 60_000;

/** @throws HOST_UNREACHABLE, VM_UNKNOWN, MAINTENANCE_VM_ELSEWHERE */
export async function planMaintenance(
  services: Services,
  host: string,
  body: MaintenanceBody,
): Promise<MaintenancePlan> {
  const choices = await emptyingRequest(services, host, body);
  const { begin, stuck, busy } = await evacuationOf(services, host, { withStopped: true });
  const forecasts = await forecastAll(services, begin, body);
  const vms = [
    ...begin.map(({ mover, to }, index): PlannedVm => {
      const forecast = forecasts[index] ?? null;
      return {
        ...{ vm: mover.vm.name, action: mover.live ? "move" : "relocate", to, findings: [] },
        forecast: forecast && { totalMs: forecast.auto.totalMs, pauseMs: forecast.auto.pauseMs },
      };
    }),
    ...stuck.map(({ mover: { vm }, findings }): PlannedVm => {
      const action = hasProcess(vm) ? (choiceFor(choices, vm) ?? "refuse") : "stay";
      return { vm: vm.name, action, to: null, forecast: null, findings };
    }),
  ];
  vms.push(
    ...busy.map(({ name }) => ({
      vm: name,
      action: "busy" as const,
      to: null,
      forecast: null,
      findings: [],
    })),
  );
  const live = begin.flatMap(({ mover, to }, index) =>
    mover.live ? [{ to, forecast: forecasts[index] ?? null }] : [],
  );
  const timed = live.flatMap(({ to, forecast }) =>
    forecast === null
      ? []
      : [
          {
            to,
            totalMs: forecast.auto.totalMs,
            bytes: forecast.auto.bytes,
            linkBytesPerSecond: forecast.linkBytesPerSecond,
          },
        ],
  );
  const totalMs =
    timed.length < live.length
      ? null
      : evacuationTime(timed, { concurrency: body.concurrency, perTarget: movesPerTarget });
  const does = (action: PlannedVm["action"]) => vms.some((vm) => vm.action === action);
  const { deadlineSeconds, graceSeconds } = body;
  const rest = {
    totalMs,
    // How long the storage takes for a memory is not known.
    waits: does("wait") || does("busy") || does("suspend"),
    shutDownMs: does("shut-down") ? graceSeconds * 1000 : 0,
  };
  return {
    ...{ host, vms, totalMs },
    deadline:
      deadlineSeconds === undefined
        ? null
        : { seconds: deadlineSeconds, met: deadlineMet(deadlineSeconds * 1000, rest) },
  };
}

/** Of each move; null: it is of a VM that does not run, or its memory could not be measured. */
async function forecastAll(
  services: Services,
  moves: NextMoves["begin"],
  { maxOutageMs }: MaintenanceBody,
): Promise<(Forecasts | null)[]> {
  const untilMs = performance.now() + measureWithinMs;
  const forecasts: (Forecasts | null)[] = moves.map(() => null);
  const waiting = moves.map((move, index) => ({ ...move, index })).filter(({ mover }) => mover.live);
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const mayMeasure = performance.now() < untilMs;
      forecasts[next.index] = await forecastOf(services, next.mover, next.to, { maxOutageMs, mayMeasure });
    }
  };
  await Promise.all(Array.from({ length: measuredAtOnce }, work));
  return forecasts;
}

async function forecastOf(
  services: Services,
  { vm }: Mover,
  to: string,
  { maxOutageMs, mayMeasure }: { maxOutageMs: number | undefined; mayMeasure: boolean },
): Promise<Forecasts | null> {
  const { activities } = services;
  const activity = activities.recent(vm.id) ?? (mayMeasure ? await activities.measure(vm) : null);
  if (activity === null) return null;
  const verdict = await checkVm(services, vm, to);
  return await forecastMove(services, vm, to, { maxOutageMs }, verdict, activity);
}
