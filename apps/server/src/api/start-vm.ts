/** Powers a VM on: at which host, and what would forbid it. */
import {
  datastoresOf,
  GodwitError,
  hasProcess,
  type ErrorDetails,
  type Finding,
  type TaskOf,
  type VmView,
} from "@godwit/contract";
import { mayMove } from "@godwit/requirements";
import { checkVm } from "../moves/check-vm.ts";
import { ruleFindings } from "../pools/check-rules.ts";
import { chooseInPool } from "../pools/choose-in-pool.ts";
import type { Services } from "../services.ts";
import { ableTo } from "./able-to.ts";
import { hostFor } from "./host-for-command.ts";

/** What was asked for: a host, and to start it against its pool's rules and admission control. */
interface StartOptions {
  host?: string | undefined;
  force?: boolean | undefined;
  /** One that is suspended to disk boots, and does not go on. */
  discardMemory?: boolean | undefined;
}

/** @throws DATASTORE_UNAVAILABLE, AGENT_CANNOT, VM_RUNNING, VM_BUSY, MOVE_REFUSED, POOL_RULE_BROKEN, HOST_UNREACHABLE, what admission control refuses with */
export async function startVm(
  services: Services,
  vm: VmView,
  options: StartOptions = {},
): Promise<TaskOf<"vm.start">> {
  const { tasks, admission, access } = services;
  const begin = async (host: string) => {
    access.mustHave(datastoresOf(vm.config), host);
    if (host !== vm.host) {
      // Where its host is silent the lease says whether it may be started elsewhere, not what was believed last.
      const state = hasProcess(vm) ? "lost" : vm.state;
      const { findings } = await checkVm(services, { ...vm, state }, host);
      if (!mayMove(findings)) throw refused(vm, host, findings);
    }
    const { id, name, config } = vm;
    if (config.suspension !== undefined) ableTo("suspend", await services.store.hosts.list(), host);
    const how = options.discardMemory === true ? ({ discardMemory: true } as const) : {};
    return await tasks.start({ kind: "vm.start", request: { vm: { id, name }, host, ...how } });
  };
  const host = await startHost(services, vm, await hostFor(services, "start", vm, options.host), options);
  if (options.force === true) return await begin(host);
  return await admission.begin(vm, { host, mayChoose: options.host === undefined }, begin);
}

/** That a VM may not go to a host, or start there. */
export function refused(vm: VmView, to: string, findings: readonly Finding[]): GodwitError {
  const errors = findings.filter(({ severity }) => severity === "error");
  const details = { vm: vm.name, from: vm.host, to, count: errors.length };
  return GodwitError.of("MOVE_REFUSED", details, { findings: [...findings] });
}

/**
 * Where a VM is started: where it was to be, unless a rule of its pool that must hold forbids that and nobody named the host.
 * @throws POOL_RULE_BROKEN, POOL_NO_HOST
 */
async function startHost(
  services: Services,
  vm: VmView,
  host: string,
  { host: named, force }: { host?: string | undefined; force?: boolean | undefined },
): Promise<string> {
  const broken = (await ruleFindings(services, vm, host, { runs: true, force })).filter(
    ({ severity }) => severity === "error",
  );
  const [first] = broken;
  if (first === undefined) return named === undefined ? await placedHost(services, vm, host) : host;
  if (named === undefined && host === vm.host)
    return await chooseInPool(services, { ...vm, state: "stopped" });
  const details = first.details as ErrorDetails<"POOL_RULE_BROKEN">;
  throw GodwitError.of("POOL_RULE_BROKEN", details, { findings: broken });
}

/** Where the pool's automation places VMs the planner's choice; where it has none the VM's own host. */
async function placedHost(services: Services, vm: VmView, host: string): Promise<string> {
  if (host !== vm.host || hasProcess(vm)) return host;
  const pool = await services.store.pools.ofHost(host);
  const balance = pool === null ? undefined : (await services.store.poolRounds.balances()).get(pool.name);
  if (balance?.automation !== "partial" && balance?.automation !== "full") return host;
  return await chooseInPool(services, vm).catch((error: unknown) => {
    if (GodwitError.is(error)) return host;
    throw error;
  });
}
