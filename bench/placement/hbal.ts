/**
 * Head to head with Ganeti's hbal, on its own score. hbal plans a case; then this search plans it for every number of
 * moves up to hbal's, with hbal's score as its objective; the placement after so many of hbal's moves, and ours, is
 * written as hbal's input and hbal itself says what it is worth.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { run } from "@godwit/system";
import {
  anneal,
  descend,
  Exchange,
  Imbalance,
  Random,
  Shift,
  State,
  Swap,
  type Problem,
} from "../../packages/placement/src/search/index.ts";

export interface HbalRow {
  case: string;
  mode: "static" | "dynamic";
  moves: number;
  hbalScore: number;
  ourScoreAtSameMoves: number;
  /** Numbers of moves, of all up to hbal's, at which our score is above hbal's. */
  worseAt: number[];
  hbalSeconds: number;
  ourSeconds: number;
  /** Of the processor alone: this machine may be busy with other things. */
  ourCpuSeconds: number;
}

/**
 * What hbal's score is made of when disks are shared and no node is lost: standard deviations of memory and vCPUs, as
 * parts of what a node has, and of the four loads as they are (hbal -vv prints them with their weights).
 */
const resources = 6;
export const hbalRun = { what: "planning with hbal", timeoutMs: 3_600_000 };

export interface HbalCase {
  lines: string[];
  nodes: string[];
  instances: string[];
  problem: Problem;
}

export async function compareWithHbal(file: string, dynamic: boolean, every: number): Promise<HbalRow> {
  const folder = mkdtempSync(join(tmpdir(), "godwit-hbal-"));
  try {
    const read = readCase(file, dynamic);
    const flags = dynamic ? ["-U", file.replace(/\.data$/, ".dynu")] : [];
    const started = performance.now();
    const { stdout } = await run(
      "hbal",
      ["-t", file, ...flags, "-v", "-C", "-S", join(folder, "end")],
      hbalRun,
    );
    const hbalSeconds = (performance.now() - started) / 1000;
    const steps = stepsOf(stdout);
    const score = async (hostOf: Int32Array) => {
      const path = join(folder, "state.data");
      writeFileSync(path, written(read, hostOf));
      const answer = await run("hbal", ["-t", path, ...flags, "-v", "-l", "0"], hbalRun);
      return Number(
        /Initial score: ([\d.]+)/.exec(answer.stdout)?.[1] ?? /score ([\d.]+)/.exec(answer.stdout)?.[1],
      );
    };
    const worseAt: number[] = [];
    let last = { hbal: NaN, ours: NaN, seconds: 0, cpu: 0 };
    const theirs = Int32Array.from(read.problem.origin);
    for (const [index, { vm, to }] of steps.entries()) {
      theirs[read.instances.indexOf(vm)] = read.nodes.indexOf(to);
      const moves = index + 1;
      if (moves % every !== 0 && moves !== steps.length) continue;
      const cpu = process.cpuUsage();
      const began = performance.now();
      const ours = planFor(read.problem, moves);
      const seconds = (performance.now() - began) / 1000;
      const used = process.cpuUsage(cpu);
      last = {
        hbal: await score(theirs),
        ours: await score(ours),
        seconds,
        cpu: (used.user + used.system) / 1e6,
      };
      // hbal prints eight digits.
      if (last.ours > last.hbal + 1e-7) worseAt.push(moves);
    }
    return {
      case: basename(file, ".data"),
      mode: dynamic ? "dynamic" : "static",
      moves: steps.length,
      ...{ hbalScore: last.hbal, ourScoreAtSameMoves: last.ours, worseAt },
      ...{ hbalSeconds, ourSeconds: last.seconds, ourCpuSeconds: last.cpu },
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The best placement with so many moves at most. */
export function planFor(problem: Problem, maxMoves: number): Int32Array {
  const state = new State(problem);
  descend(state, { maxMoves, minGain: 1e-9 });
  anneal(state, {
    deltas: [
      { delta: new Shift(), share: 40 },
      { delta: new Exchange(), share: 40 },
      { delta: new Swap(), share: 20 },
    ],
    random: new Random(1),
    steps: 60_000,
    temperature: state.cost * 0.0005,
    maxMoves,
  });
  descend(state, { maxMoves, minGain: 1e-9 });
  return Int32Array.from(state.hostOf);
}

/** `move v0012 from n000 to n007` in hbal's words: `1. v0012 n000 => n007 …`. */
function stepsOf(output: string): { vm: string; to: string }[] {
  return [...output.matchAll(/^\s*\d+\.\s+(\S+)\s+\S+\s+=>\s+(\S+)/gm)].map((found) => ({
    vm: found[1] ?? "",
    to: (found[2] ?? "").split(":")[0] ?? "",
  }));
}

export function readCase(file: string, dynamic: boolean): HbalCase {
  const lines = readFileSync(file, "utf8").split("\n");
  const [, nodeLines = [], vmLines = []] = sections(lines);
  const nodes = nodeLines.map((line) => line.split("|"));
  const vms = vmLines.map((line) => line.split("|"));
  const names = nodes.map(([name = ""]) => name);
  const loads = dynamic ? loadsOf(file.replace(/\.data$/, ".dynu")) : undefined;
  const demand = new Float64Array(vms.length * resources);
  for (const [index, [name = "", memory, , vcpus]] of vms.entries())
    demand.set([Number(memory), Number(vcpus), ...(loads?.get(name) ?? [1, 1, 1, 1])], index * resources);
  const total = new Float64Array(resources);
  for (const [index, amount] of demand.entries())
    total[index % resources] = (total[index % resources] ?? 0) + amount;
  const capacity = new Float64Array(nodes.length * resources).fill(Infinity);
  const whole = new Float64Array(nodes.length * resources).fill(1);
  for (const [index, node] of nodes.entries()) {
    capacity[index * resources] = Number(node[1]) - Number(node[2]);
    whole[index * resources] = Number(node[1]);
    whole[index * resources + 1] = Number(node[6]);
  }
  const origin = Int32Array.from(vms, (fields) => names.indexOf(fields[6] ?? ""));
  const problem: Problem = {
    ...{ hosts: nodes.length, vms: vms.length, resources, origin, demand, capacity },
    held: new Uint8Array(resources),
    open: new Uint8Array(nodes.length).fill(1),
    movable: new Uint8Array(vms.length).fill(1),
    hostTerms: [],
    poolTerms: [
      new Imbalance({
        ...{ resources, total, weights: new Float64Array(resources).fill(1), tolerance: 0 },
        ...{ hosts: nodes.map((_, index) => index), capacity: whole },
      }),
    ],
    vmTerms: [],
    groupTerms: [],
  };
  return { lines, nodes: names, instances: vms.map(([name = ""]) => name), problem };
}

/** The case with the VMs elsewhere: what a node has free follows. */
function written({ lines, nodes, problem }: HbalCase, hostOf: Int32Array): string {
  const { demand, resources, origin } = problem;
  const more = new Float64Array(nodes.length);
  for (const [vm, host] of hostOf.entries()) {
    const bytes = demand[vm * resources] ?? 0;
    const from = origin[vm] ?? 0;
    more[from] = (more[from] ?? 0) + bytes;
    more[host] = (more[host] ?? 0) - bytes;
  }
  const [groups = [], nodeLines = [], vmLines = []] = sections(lines);
  const placed = vmLines.map((line, index) => {
    const fields = line.split("|");
    fields[6] = nodes[hostOf[index] ?? 0] ?? "";
    return fields.join("|");
  });
  const counted = nodeLines.map((line, index) => {
    const fields = line.split("|");
    fields[3] = String(Number(fields[3]) + (more[index] ?? 0));
    return fields.join("|");
  });
  return [groups, counted, placed].map((part) => part.join("\n")).join("\n\n") + "\n\n";
}

function sections(lines: readonly string[]): string[][] {
  const parts: string[][] = [[]];
  for (const line of lines)
    if (line !== "") parts.at(-1)?.push(line);
    else if ((parts.at(-1)?.length ?? 0) > 0) parts.push([]);
  return parts;
}

function loadsOf(file: string): Map<string, number[]> {
  const rows = readFileSync(file, "utf8").trim().split("\n");
  return new Map(rows.map((row) => row.split(" ")).map(([name = "", ...loads]) => [name, loads.map(Number)]));
}
