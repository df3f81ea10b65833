/** How long a full plan of a skewed pool takes: hosts of one size, loads by a lognormal law, an even spread wished for. */
import {
  defaultOptions,
  planPool,
  type Plan,
  type PlanOptions,
  type Pool,
} from "../../packages/placement/src/index.ts";
import { Random } from "../../packages/placement/src/search/index.ts";

const GiB = 2 ** 30;

export interface SpeedRow {
  hosts: number;
  vms: number;
  seconds: number;
  /** Of the processor alone: this machine may be busy with other things. */
  cpuSeconds: number;
  moves: number;
  highestCpuBefore: number;
  highestCpuAfter: number;
}

export function measureSpeed(hosts: number, vms: number, goal: PlanOptions["goal"] = "even"): SpeedRow {
  const pool = skewedPool(hosts, vms, 1);
  const cpu = process.cpuUsage();
  const started = performance.now();
  const plan = planPool(pool, { ...defaultOptions, goal });
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const cpuSeconds = (user + system) / 1e6;
  return { hosts, vms, seconds, cpuSeconds, moves: plan.moves.length, ...loads(plan) };
}

const loads = ({ before, after }: Plan) => ({
  highestCpuBefore: before.highestCpu,
  highestCpuAfter: after.highestCpu,
});

/** Of each host about 70 % of the memory is used; the first hosts are fuller and hotter. */
export function skewedPool(hosts: number, vms: number, seed: number): Pool {
  const random = new Random(seed);
  const memoryBytes = 512 * GiB;
  const each = (0.7 * memoryBytes * hosts) / vms;
  const used = new Float64Array(hosts);
  return {
    hosts: Array.from({ length: hosts }, (_, index) => ({
      ...{ name: `host-${String(index)}`, cores: 64, memoryBytes, state: "open" as const },
      faultDomain: `rack-${String(index % 8)}`,
    })),
    vms: Array.from({ length: vms }, (_, index) => {
      const bytes = Math.round(each * (0.4 + 1.2 * random.next()));
      let on = Math.floor(hosts * random.next() ** 1.3);
      while ((used[on] ?? 0) + bytes > memoryBytes * 0.95) on = random.below(hosts);
      used[on] = (used[on] ?? 0) + bytes;
      const mean = ((0.45 * 64 * hosts) / vms) * -Math.log(1 - random.next());
      return {
        ...{ name: `vm-${String(index)}`, host: `host-${String(on)}`, vcpus: 8, memoryBytes: bytes },
        load: { mean, deviation: mean * 0.3 },
        activeBytes: bytes * 0.4,
        move: { seconds: bytes / 1.25e9, slowdown: 0.1, outageSeconds: 0.05 },
      };
    }),
    rules: [],
  };
}
