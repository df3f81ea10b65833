/**
 * Admission control, in pools that ask for it: a VM is started or moved there, or gets more memory while it runs, only when the pool still bears the
 * loss of any one host with it. One after the other in each pool, so that two that begin at once count each other: where a VM goes and what memory it gets is
 * in its task from then on. VMs that died and are to run again count as
 * if they ran: their own restart is what the room is kept for, and is not asked.
 */
import { GodwitError, hasProcess, type VmView } from "@godwit/contract";
import type { PoolRow } from "@godwit/store";
import type { Inventory } from "../inventory.ts";
import { withGrowths } from "./growths.ts";
import type { Planner } from "./planner.ts";
import { placesOfVms, poolReports } from "./pool-reports.ts";

export interface AdmissionServices extends Inventory {
  planner: Pick<Planner, "admit">;
}

export class Admission {
  readonly #services: AdmissionServices;
  /** Of each pool the end of what was started last. */
  readonly #last = new Map<string, Promise<unknown>>();

  constructor(services: AdmissionServices) {
    this.#services = services;
  }

  /**
   * @param vm as it will be
   * @param mayChoose whether another host of the pool may take it where this one would not do
   * @param begin enters the task
   * @throws POOL_ADMISSION_REFUSED, POOL_PLAN_LATE, POOL_PLAN_FAILED, POOL_PLANS_TOO_MANY; what `begin` throws
   */
  async begin<T>(
    vm: VmView,
    { host, mayChoose = false }: { host: string; mayChoose?: boolean },
    begin: (host: string) => Promise<T>,
  ): Promise<T> {
    const pool = await this.#services.store.pools.ofHost(host);
    if (pool?.admission !== true) return await begin(host);
    const before = this.#last.get(pool.name) ?? Promise.resolve();
    const own = before.then(async () => await begin(await this.#admitted(pool, vm, host, mayChoose)));
    const last = own.catch(() => undefined);
    this.#last.set(pool.name, last);
    try {
      return await own;
    } finally {
      if (this.#last.get(pool.name) === last) this.#last.delete(pool.name);
    }
  }

  async #admitted(pool: PoolRow, vm: VmView, host: string, mayChoose: boolean): Promise<string> {
    const { store, planner } = this.#services;
    // Before the VMs: what a task has changed that ends meanwhile is in them.
    const unfinished = await store.tasks.unfinished();
    const [reports, all, places] = await Promise.all([
      poolReports(this.#services, pool),
      store.vms.list(),
      placesOfVms({ store }),
    ]);
    const vms = withGrowths(all, unfinished).flatMap((one): VmView[] => {
      const at = places.get(one.id) ?? (isToRunAgain(pool, one) ? one.host : undefined);
      if (at === undefined || !pool.hosts.includes(at)) return [];
      return [{ ...one, host: at, state: hasProcess(one) ? one.state : "running" }];
    });
    const answer = await planner.admit(pool.name, { reports: { ...reports, vms }, vm, host, mayChoose });
    if ("host" in answer) return answer.host;
    const { host: failing, vms: left } = answer.short;
    await store.poolPolicies.short(
      pool.name,
      `VM ${vm.name} may not ${hasProcess(vm) && vm.host === host ? "get more memory" : "start"}: the loss of host ${failing} would not be borne`,
    );
    throw GodwitError.of("POOL_ADMISSION_REFUSED", { vm: vm.name, host, pool: pool.name, failing, left });
  }
}

const isToRunAgain = ({ restartSince }: PoolRow, { state, seenAt }: VmView): boolean =>
  restartSince !== null && state === "lost" && Date.parse(seenAt) >= restartSince.getTime();
