/** One host of a case is emptied, by hbal's evacuation and by a plan: how many moves, and the highest load afterwards. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { run } from "@godwit/system";
import { defaultOptions, planPool, type Pool } from "../../packages/placement/src/index.ts";
import { hbalRun, readCase, type HbalCase } from "./hbal.ts";

export interface EvacuationRow {
  case: string;
  host: string;
  vms: number;
  moves: number;
  hbalMoves: number;
  /** Cores wanted on the busiest host, and memory of the fullest, as parts of what it has. */
  highestCpu: number;
  hbalHighestCpu: number;
  highestMemory: number;
  hbalHighestMemory: number;
  survivesFailure: boolean;
  seconds: number;
  hbalSeconds: number;
}

const MiB = 2 ** 20;

export async function evacuateOne(file: string, host: string): Promise<EvacuationRow> {
  const folder = mkdtempSync(join(tmpdir(), "godwit-hbal-"));
  try {
    const read = readCase(file, true);
    const loads = file.replace(/\.data$/, ".dynu");
    const began = performance.now();
    await run("hbal", ["-t", file, "-U", loads, "-E", "-O", host, "-C", "-S", join(folder, "end")], hbalRun);
    const hbalSeconds = (performance.now() - began) / 1000;
    const theirs = placementIn(join(folder, "end.balanced"), read);
    const pool = poolOf(read, host);
    const started = performance.now();
    const plan = planPool(pool, { ...defaultOptions, threshold: 1 });
    const seconds = (performance.now() - started) / 1000;
    const ours = Int32Array.from(read.problem.origin);
    for (const { vm, to } of plan.moves) ours[read.instances.indexOf(vm)] = read.nodes.indexOf(to);
    const [highestCpu, highestMemory] = highest(read, ours);
    const [hbalHighestCpu, hbalHighestMemory] = highest(read, theirs);
    const moved = (hostOf: Int32Array) =>
      hostOf.reduce((sum, on, vm) => sum + Number(on !== read.problem.origin[vm]), 0);
    return {
      ...{ case: basename(file, ".data"), host, vms: pool.vms.filter((vm) => vm.host === host).length },
      ...{ moves: plan.moves.length, hbalMoves: moved(theirs) },
      ...{ highestCpu, hbalHighestCpu, highestMemory, hbalHighestMemory },
      ...{ survivesFailure: plan.after.survivesFailure, seconds, hbalSeconds },
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function poolOf({ nodes, instances, problem }: HbalCase, leaving: string): Pool {
  const { demand, resources, origin, capacity } = problem;
  const of = (vm: number, resource: number) => demand[vm * resources + resource] ?? 0;
  return {
    hosts: nodes.map((name, index) => ({
      ...{ name, cores: 64, memoryBytes: (capacity[index * resources] ?? 0) * MiB },
      state: name === leaving ? ("leaving" as const) : ("open" as const),
    })),
    vms: instances.map((name, vm) => ({
      ...{ name, host: nodes[origin[vm] ?? -1] ?? null, vcpus: of(vm, 1), memoryBytes: of(vm, 0) * MiB },
      load: { mean: of(vm, 2), deviation: 0 },
      activeBytes: (of(vm, 0) * MiB) / 2,
      move: { seconds: of(vm, 0) / 1000, slowdown: 0.1, outageSeconds: 0.05 },
    })),
    rules: [],
  };
}

function highest({ nodes, problem }: HbalCase, hostOf: Int32Array): [number, number] {
  const { demand, resources, capacity } = problem;
  const sum = (host: number, resource: number) =>
    hostOf.reduce((all, on, vm) => all + (on === host ? (demand[vm * resources + resource] ?? 0) : 0), 0);
  return [
    Math.max(...nodes.map((_, host) => sum(host, 2) / 64)),
    Math.max(...nodes.map((_, host) => sum(host, 0) / (capacity[host * resources] ?? 1))),
  ];
}

function placementIn(file: string, { nodes, instances, problem }: HbalCase): Int32Array {
  const hostOf = Int32Array.from(problem.origin);
  for (const line of readFileSync(file, "utf8").split("\n")) {
    const fields = line.split("|");
    const vm = instances.indexOf(fields[0] ?? "");
    if (vm >= 0) hostOf[vm] = nodes.indexOf(fields[6] ?? "");
  }
  return hostOf;
}
