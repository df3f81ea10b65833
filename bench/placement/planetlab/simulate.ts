/** A day under one policy. CloudSim starts its VMs a tenth of a second after midnight, and so do we: 287 rounds. */
import { Datacenter } from "./datacenter.ts";
import { hosts, moveSeconds, vmsOf } from "./model.ts";
import type { Move, Policy } from "./policy.ts";
import { sampleSeconds } from "./traces.ts";

export interface DayRow {
  policy: string;
  vms: number;
  energyKwh: number;
  /** Part of the time of hosts that are on in which their VMs want more than there is. */
  slatah: number;
  /** Part of what VMs want that they do not get because they migrate. */
  pdm: number;
  /** SLATAH x PDM x energy. */
  esv: number;
  migrations: number;
}

const startSeconds = 0.1;
const daySeconds = 86_400;

export function simulateDay(policy: Policy, traces: readonly Float64Array[]): DayRow {
  const center = new Datacenter(hosts, vmsOf(traces.length), traces);
  for (const vm of center.vms) center.place(vm, policy.first(center, vm));
  let fullPower = 0;
  for (let round = 1; startSeconds + round * sampleSeconds < daySeconds; round += 1) {
    const now = startSeconds + round * sampleSeconds;
    center.advance(now);
    fullPower = hosts.reduce((sum, { watts }) => sum + (watts.at(-1) ?? 0), 0) * now;
    const byEnd = new Map<number, Move[]>();
    for (const move of policy.round(center, now)) {
      center.beginMove(move.vm, move.to);
      const end = now + moveSeconds(move.vm.type);
      byEnd.set(end, [...(byEnd.get(end) ?? []), move]);
    }
    if (byEnd.size > 0) center.advance(now);
    for (const [end, moves] of [...byEnd].sort(([a], [b]) => a - b)) {
      center.advance(end);
      for (const { vm, to } of moves) center.endMove(vm, to);
      center.advance(end);
    }
  }
  const { energyKwh, slatah, pdm, migrations } = center.figures;
  const energy = policy.fullPower === true ? fullPower / 3_600_000 : energyKwh;
  return {
    ...{ policy: policy.name, vms: traces.length, energyKwh: energy, slatah, pdm },
    ...{ esv: energy * slatah * pdm, migrations },
  };
}
