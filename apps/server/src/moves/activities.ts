/**
 * What VMs' memory was doing when it was measured last: a move that is asked for soon after a check is forecast by it, and is not
 * held up to measure. In memory alone, for some minutes.
 */
import { GodwitError, type VmActivity, type VmId, type VmView } from "@godwit/contract";
import type { HostLinks } from "../hosts/host-links.ts";

const freshMs = 10 * 60_000;
const mostKept = 2000;
const measureLimitMs = 15_000;

export class Activities {
  readonly #hosts: Pick<HostLinks, "of">;
  readonly #nowMs: () => number;
  readonly #known = new Map<VmId, { activity: VmActivity; atMs: number }>();

  constructor(hosts: Pick<HostLinks, "of">, nowMs = () => performance.now()) {
    this.#hosts = hosts;
    this.#nowMs = nowMs;
  }

  /** Takes some seconds. Null where it could not be measured: an agent of an earlier version, one that measures already, a VM that ended. */
  async measure({ id, host }: VmView): Promise<VmActivity | null> {
    try {
      const { agent } = this.#hosts.of(host);
      const activity = await agent.call(
        "vmActivity",
        { params: { vmId: id } },
        { timeoutMs: measureLimitMs },
      );
      this.#known.delete(id);
      this.#known.set(id, { activity, atMs: this.#nowMs() });
      const [oldest] = this.#known.keys();
      if (this.#known.size > mostKept && oldest !== undefined) this.#known.delete(oldest);
      return activity;
    } catch (error) {
      if (GodwitError.is(error)) return null;
      throw error;
    }
  }

  /** As measured in the last minutes; null: it was not. */
  recent(id: VmId): VmActivity | null {
    const known = this.#known.get(id);
    return known === undefined || this.#nowMs() - known.atMs > freshMs ? null : known.activity;
  }
}
