/**
 * `npm run bench:policies`: a simulation. Godwit's controller and the policies of other systems decide on the same courses
 * of copies that a model plays; nothing is moved. Prints a table, medians over the courses of each scenario.
 */
import { writeFile } from "node:fs/promises";
import { numberOf, readOptions } from "../scripts/options.ts";
import { kubevirt } from "./policies/kubevirt.ts";
import { libvirtTimeout } from "./policies/libvirt-timeout.ts";
import { nova } from "./policies/nova.ts";
import { proxmox } from "./policies/proxmox.ts";
import { qemuDefault } from "./policies/qemu-default.ts";
import { randomOf, scenarios } from "./policies/scenarios.ts";
import { run, runGodwit, type Outcome, type Trace } from "./policies/simulate.ts";

const peers = [qemuDefault, libvirtTimeout, nova, proxmox, kubevirt];
const policies: readonly { name: string; run: (trace: Trace) => Outcome }[] = [
  { name: "godwit", run: runGodwit },
  ...peers.map((policy) => ({ name: policy.name, run: (trace: Trace) => run(policy, trace) })),
];

interface Summary {
  /** Share of the courses. */
  ended: number;
  totalMs: number;
  pauseMs: number;
  pauseMsP90: number;
  bytes: number;
  workLostMs: number;
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** Times and bytes count where the copy did not end, too: they were spent. */
const summary = (outcomes: readonly Outcome[]): Summary => {
  const median = (of: (outcome: Outcome) => number, share = 0.5) => quantile(outcomes.map(of), share);
  return {
    ended: outcomes.filter(({ ended }) => ended).length / outcomes.length,
    totalMs: Math.round(median(({ totalMs }) => totalMs)),
    pauseMs: Math.round(median(({ pauseMs }) => pauseMs)),
    pauseMsP90: Math.round(median(({ pauseMs }) => pauseMs, 0.9)),
    bytes: Math.round(median(({ bytes }) => bytes)),
    workLostMs: Math.round(median(({ workLostMs }) => workLostMs)),
  };
};

/** Of copies of which fewer than half ended, only that is told: the rest is how long somebody waited. */
function cell(one: Summary | undefined): string {
  if (one === undefined) return "";
  const ended = `${String(Math.round(one.ended * 100))} %`;
  if (one.ended < 0.5) return ended;
  const pause = `${String(one.pauseMs)} (${String(one.pauseMsP90)})`;
  const mib = String(Math.round(one.bytes / 2 ** 20));
  return [ended, (one.totalMs / 1000).toFixed(1), pause, mib, (one.workLostMs / 1000).toFixed(2)].join("; ");
}

const usage = "usage: node bench/policies.ts [--traces N a scenario] [--seed N] [--json FILE]";
const values = readOptions(usage, {
  json: { type: "string" },
  traces: { type: "string", default: "100" },
  seed: { type: "string", default: "1" },
});
const count = numberOf(usage, "--traces", values.traces);
const seed = numberOf(usage, "--seed", values.seed, 0);
console.log(
  `A simulation: ${String(count * scenarios.length)} courses of a model of a copy, seed ${String(seed)}; nothing is moved.\n`,
);
console.log(
  "Each cell: copies that ended; total s; pause ms (the longest in ten); MiB sent; the guest's work lost, s\n",
);
console.log(`| scenario | ${policies.map(({ name }) => name).join(" | ")} |`);
console.log(`| --- |${" --- |".repeat(policies.length)}`);
const report = scenarios.map((scenario, index) => {
  const traces = Array.from({ length: count }, (_, trace) =>
    scenario.make(randomOf(seed * 1_000_003 + index * 10_007 + trace)),
  );
  const found: Record<string, Summary> = {};
  for (const policy of policies) {
    found[policy.name] = summary(traces.map((trace) => policy.run(trace)));
  }
  const cells = policies.map(({ name }) => cell(found[name]));
  console.log(`| ${[scenario.name, ...cells].join(" | ")} |`);
  return { name: scenario.name, policies: found };
});
if (values.json !== undefined)
  await writeFile(
    values.json,
    `${JSON.stringify({ simulation: true, seed, traces: count, scenarios: report }, null, 2)}\n`,
  );
