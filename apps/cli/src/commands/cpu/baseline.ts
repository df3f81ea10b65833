/** `godwit cpu baseline`: the highest EVC mode that some hosts have in common, and what would change it. */
import { GodwitError } from "@godwit/contract";
import { baselineOf, cpuOf, whatIf, type Cpu } from "@godwit/cpu";
import { buildCommand } from "@stricli/core";
import { cpuArgument } from "../../cpu-argument.ts";
import { baselineJson, baselineText } from "../../output/baseline-view.ts";
import { Exit, exitCodes } from "../../output/problem.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { poolCpus, type PoolCpus } from "../../pool-cpus.ts";
import { jsonFlag } from "../common.ts";

interface Flags {
  json: boolean;
  pool?: string;
  without?: readonly string[];
  add?: readonly string[];
}

export const baselineCommand = buildCommand({
  docs: {
    brief: "Find the highest EVC mode that CPUs have in common",
    fullDescription: `Each CPU is a file (a report of this program or of VMware's utility, a CPUID dump, libvirt's XML) or the
name of a host; --pool takes all hosts of a pool. Tells the mode, what QEMU is told for it, what each host gives
up with it, and what stands in the way of the next mode. --without and --add say what would be if a host went or
came, and which VMs of the pool could then not start or move. Ends with 0 when there is a mode, with 3 when not.

Examples:
  godwit cpu baseline old-server.txt new-server.txt
  godwit cpu baseline --pool blue --add candidate.json
  godwit cpu baseline a b c --without c --json`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      pool: { kind: "parsed", parse: String, brief: "All hosts of a pool", optional: true },
      without: {
        ...{ kind: "parsed", parse: String, variadic: true, optional: true },
        brief: "What if this one were not there",
      },
      add: {
        ...{ kind: "parsed", parse: String, variadic: true, optional: true },
        brief: "What if this file or host were there too",
      },
    },
    positional: {
      kind: "array",
      parameter: { brief: "Files, or hosts' names", placeholder: "cpu", parse: String },
    },
  },
  async func({ json, pool, without = [], add = [] }: Flags, ...names: string[]) {
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
    if (baseline.mode === null) throw new Exit(exitCodes.refused);
  },
});

async function cpusOf(names: readonly string[]): Promise<Cpu[]> {
  const cpus: Cpu[] = [];
  for (const name of names) {
    const { label, report } = await cpuArgument(name);
    cpus.push(cpuOf(report, label));
  }
  return cpus;
}
