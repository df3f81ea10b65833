/** A pool's plan, and why a VM moves or stays, as lines for people. Pure. */
import type { PoolExplanation, PoolPlan } from "@godwit/contract";
import { formatTable } from "./format.ts";

export function planText(plan: PoolPlan): string {
  const { pool, moves, before, after, stuck, unmeasured, absent, notes = [], powerCycle = [] } = plan;
  const lines = [
    ...absent.map(({ host, reason }) => `Host ${host} is not counted on: ${reason}.`),
    ...notes,
    ...(powerCycle.length === 0
      ? []
      : [`Planned as if these had been powered off and on with the EVC mode: ${powerCycle.join(", ")}.`]),
    ...(moves.length === 0
      ? [`Pool ${pool}: no VM would move.`]
      : [
          formatTable([
            ["", "VM", "FROM", "TO", "WHY", "SAVES", "COSTS", "AFTER"],
            ...moves.map((move, index) => [
              String(index + 1),
              move.vm,
              move.from ?? "-",
              move.to,
              move.reason === "must" ? "must leave" : "load",
              move.reason === "must" ? "-" : move.gain.toFixed(0),
              (move.cost + move.risk).toFixed(0),
              move.after.length === 0 ? "-" : move.after.map((one) => String(one + 1)).join(" "),
            ]),
          ]),
        ]),
    ...(unmeasured.length === 0
      ? []
      : [`The load of ${unmeasured.join(", ")} is not known for long enough: only what must be moves them.`]),
    ...(stuck.length === 0 ? [] : [`No host has room for: ${stuck.join(", ")}.`]),
    `Busiest host: ${percent(before.highestCpu)} of its CPUs, then ${percent(after.highestCpu)}.`,
    `Fullest host: ${percent(before.highestMemory)} of its memory, then ${percent(after.highestMemory)}.`,
    after.survivesFailure
      ? "Afterwards any one host may fail: the others have room for its VMs."
      : `Afterwards the VMs of host ${after.failingHost ?? ""} would not all fit on the others.`,
  ];
  return lines.join("\n");
}

export function explanationText({ sentence, candidates, cost, risk, caution }: PoolExplanation): string {
  const price = `A move costs ${cost.toFixed(1)} core-seconds and risks ${risk.toFixed(1)}; it must save ${String(caution)} times that within the hour.`;
  if (candidates.length === 0) return sentence;
  const rows = candidates.map(({ host, gain, against }) => [
    host,
    gain.toFixed(1),
    against.length === 0 ? "-" : against.join("; "),
  ]);
  return [sentence, price, formatTable([["HOST", "WOULD SAVE", "AGAINST IT"], ...rows])].join("\n");
}

const percent = (part: number): string => `${(part * 100).toFixed(0)} %`;
