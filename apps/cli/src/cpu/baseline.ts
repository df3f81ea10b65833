/** `godwit cpu baseline`: the highest EVC mode that some hosts have in common, and what would change it. */
import { GodwitError } from "@godwit/contract";
import { baselineOf, cpuOf, whatIf, type Cpu } from "@godwit/cpu";
import { cpuArgument } from "./argument.ts";
import { baselineJson, baselineText } from "../output/baseline-view.ts";
import { Exit, exitCodes } from "../output/problem.ts";
import { writeJson, writeLine } from "../output/screen.ts";
import { poolCpus, type PoolCpus } from "./pool-cpus.ts";

interface Flags {
  json: boolean;
  pool?: string;
  without?: readonly string[];
  add?: readonly string[];
}

export async function baseline(
  { json, pool, without = [], add = [] }: Flags,
  ...names: string[]
): Promise<void> {
  if (names.length === 0 && pool === undefined) {
    throw GodwitError.of("USAGE", {
      what: "No CPU was named.",
      hint: "Name files or hosts, or a pool: godwit cpu baseline --pool P",
    });
  }
  const known: PoolCpus = pool === undefined ? { cpus: [], vms: [] } : await poolCpus(pool);
  const before = [...known.cpus, ...(await cpusOf(names))];
  for (const label of without) {
    if (before.some((cpu) => cpu.label === label)) continue;
    throw GodwitError.of("USAGE", {
      what: `--without ${label} names none of the CPUs.`,
      hint: `It is one of ${before.map((cpu) => cpu.label).join(", ")}.`,
    });
  }
  const after = [...before.filter(({ label }) => !without.includes(label)), ...(await cpusOf(add))];
  const change = without.length + add.length === 0 ? null : whatIf(before, after, known.vms);
  const baseline = change?.after ?? baselineOf(after);
  if (json) writeJson(baselineJson(baseline, change));
  else writeLine(baselineText(baseline, change));
  if (baseline.mode === null && baseline.commonSet === null) throw new Exit(exitCodes.refused);
}

async function cpusOf(names: readonly string[]): Promise<Cpu[]> {
  const cpus: Cpu[] = [];
  for (const name of names) {
    const { label, report } = await cpuArgument(name);
    cpus.push(cpuOf(report, label));
  }
  return cpus;
}
