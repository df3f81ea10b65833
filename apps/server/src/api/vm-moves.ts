/** Moves of VMs: checked, forecast, and begun. */
import {
  finding,
  hasProcess,
  GodwitError,
  keptForecast,
  type serverOperations,
  type VmView,
} from "@godwit/contract";
import type { Handlers } from "@godwit/http";
import { fixesOf, mayMove } from "@godwit/requirements";
import { checkMoves } from "../moves/check-moves.ts";
import { checkVm } from "../moves/check-vm.ts";
import { forecastMove } from "../moves/forecast-move.ts";
import { moveRequest } from "../moves/move-request.ts";
import { ruleFindings } from "../pools/check-rules.ts";
import { chooseInPool } from "../pools/choose-in-pool.ts";
import type { Services } from "../services.ts";
import { refused } from "./start-vm.ts";

type VmMoveOperations = Pick<typeof serverOperations, "vmCheck" | "moveCheck" | "vmMigrate">;

export function vmMoveHandlers(services: Services): Handlers<VmMoveOperations> {
  const { store, tasks, activities, admission } = services;

  return {
    vmCheck: async ({ params, body }) => {
      const vm = await store.vms.show(params.vm);
      const to = (await store.hosts.show(body.to)).name;
      if (vm.host === to) {
        const already = finding("VM_ALREADY_THERE", { vm: vm.name, host: to });
        return { vm: vm.name, from: vm.host, to, allowed: false, findings: [already], forecast: null };
      }
      const verdict = await checkVm(services, vm, to, body);
      const findings = [...verdict.findings, ...(await ruleFindings(services, vm, to))];
      const allowed = mayMove(findings);
      const isPlayed = body.forecast && allowed && body.strategy === "auto" && hasProcess(vm);
      const activity = isPlayed ? await activities.measure(vm) : null;
      const forecast =
        activity === null ? null : await forecastMove(services, vm, to, body, verdict, activity);
      return { vm: vm.name, from: vm.host, to, allowed, findings, fixes: fixesOf(findings), forecast };
    },

    moveCheck: async ({ body }) => {
      const { vms, to, strategy } = body;
      return await checkMoves(services, {
        vms: await (vms === undefined ? store.vms.list() : Promise.all(vms.map((vm) => store.vms.show(vm)))),
        to: (
          await (to === undefined
            ? store.hosts.list()
            : Promise.all(to.map((host) => store.hosts.show(host))))
        ).map(({ name }) => name),
        strategy,
      });
    },

    vmMigrate: async ({ params, body }) => {
      const vm = await store.vms.show(params.vm);
      if (body.datastore !== undefined) checkCarried(vm, body);
      const { name: to } = await store.hosts.show(body.to ?? (await chooseInPool(services, vm)));
      if (vm.host === to) throw GodwitError.of("VM_ALREADY_THERE", { vm: vm.name, host: to });
      const [verdict, ofRules] = await Promise.all([
        checkVm(services, vm, to, body),
        ruleFindings(services, vm, to, body),
      ]);
      const findings = [...verdict.findings, ...ofRules];
      if (!mayMove(findings)) throw refused(vm, to, findings);
      const request = moveRequest(vm, verdict.runtime, to, body, verdict.postcopyRecovers);
      const comesToPool =
        hasProcess(vm) &&
        body.force !== true &&
        (await store.pools.ofHost(vm.host))?.name !== (await store.pools.ofHost(to))?.name;
      const enter = async (task: typeof request) =>
        comesToPool
          ? await admission.begin(vm, { host: to }, () => tasks.start(task))
          : await tasks.start(task);
      if (request.kind !== "vm.migrate" || body.strategy !== "auto") return await enter(request);
      const activity = activities.recent(vm.id) ?? (body.forecast ? await activities.measure(vm) : null);
      const forecasts =
        activity === null ? null : await forecastMove(services, vm, to, body, verdict, activity);
      if (forecasts === null) return await enter(request);
      const forecast = keptForecast(forecasts);
      return await enter({ ...request, request: { ...request.request, forecast } });
    },
  };
}

/** That a VM may be asked to move together with its disks. @throws REQUEST_INVALID, VM_NOT_RUNNING */
function checkCarried(vm: VmView, { to }: { to?: string | undefined }): void {
  if (to === undefined)
    throw GodwitError.of("REQUEST_INVALID", {
      where: "move of a VM with its disks",
      problems: ["to: the host must be named that has the datastore"],
    });
  if (!hasProcess(vm)) throw GodwitError.of("VM_NOT_RUNNING", { vm: vm.name, state: vm.state });
}
