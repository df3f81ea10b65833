/**
 * How long comparing CPUs takes: 1,000 hosts against one, and every pair of the kinds of CPU among them. A
 * placement or an admission asks it for a whole datacentre at once, and should not keep anyone waiting.
 *
 * The kinds are those of the CPUID dumps under FOLDER, else one of each EVC mode. Ends with 1
 * when a thousand comparisons take over a second, in the best of five runs: others may use the machine too.
 */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { compareCpus, cpuOf, evcModes, readCpuSource, reportOf, type Cpu } from "@godwit/cpu";
import { numberOf, readOptions } from "../scripts/options.ts";

const usage = `usage: node bench/cpu-compare.ts [--dumps FOLDER] [--hosts 1000] [--json FILE]

  --dumps FOLDER  CPUID dumps to make the hosts of; default: one of each EVC mode
  --hosts N       how many hosts
  --json FILE     the figures, for other programs`;

const values = readOptions(usage, {
  dumps: { type: "string" },
  hosts: { type: "string", default: "1000" },
  json: { type: "string" },
});
/** For a thousand comparisons. */
const limitMs = 1000;

const kinds = distinct(values.dumps === undefined ? oneOfEachMode() : await readDumps(values.dumps));
const hosts = Array.from({ length: numberOf(usage, "--hosts", values.hosts) }, (_, index) => {
  const kind = kinds[index % kinds.length];
  if (kind === undefined) throw new Error(`no CPU could be read under ${values.dumps ?? ""}`);
  return { ...kind, label: `host-${String(index)}` };
});
const [first] = hosts;
if (first === undefined) throw new Error("--hosts must be at least 1");

const results = [
  measure(`${String(hosts.length)} hosts against one`, function* () {
    for (const host of hosts) yield compareCpus(first, host);
  }),
  measure(`each of ${String(kinds.length)} kinds against each`, function* () {
    for (const [index, a] of kinds.entries()) for (const b of kinds.slice(index + 1)) yield compareCpus(a, b);
  }),
];
if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify({ results }, null, 2)}\n`);
if (results.some(({ bestMs, comparisons }) => (bestMs / comparisons) * 1000 > limitMs)) process.exitCode = 1;

/** The median of five runs; the first of all warms up and is not counted. */
function measure(what: string, run: () => Iterable<{ compatible: boolean }>) {
  const times: number[] = [];
  let comparisons = 0;
  let compatible = 0;
  for (let round = 0; round <= 5; round++) {
    const startedAt = performance.now();
    comparisons = 0;
    compatible = 0;
    for (const answer of run()) {
      comparisons += 1;
      if (answer.compatible) compatible += 1;
    }
    if (round > 0) times.push(performance.now() - startedAt);
  }
  const sorted = times.toSorted((a, b) => a - b);
  const [bestMs = 0, , medianMs = 0] = sorted;
  console.log(
    `${what.padEnd(36)} ${String(comparisons).padStart(6)} comparisons  best ${bestMs.toFixed(0).padStart(5)} ms  median ${medianMs.toFixed(0).padStart(5)} ms  ${((bestMs * 1000) / comparisons).toFixed(1).padStart(6)} µs each  ${String(compatible)} compatible`,
  );
  return { what, comparisons, compatible, bestMs, medianMs };
}

function distinct(cpus: readonly Cpu[]): Cpu[] {
  const byContent = new Map(
    cpus.map((cpu) => [`${cpu.vendor} ${[...cpu.features].join()} ${[...cpu.unknown].join()}`, cpu]),
  );
  return [...byContent.values()];
}

function oneOfEachMode(): Cpu[] {
  return evcModes.map(({ key, vendor, features }) => ({
    label: key,
    vendor: vendor === "intel" ? "GenuineIntel" : "AuthenticAMD",
    family: null,
    model: null,
    stepping: null,
    brand: "",
    leaves: [],
    msrs: [],
    features: new Set(features),
    unknown: new Set(),
    virtual: false,
    offered: false,
    mixedCores: false,
  }));
}

/** Files that are no dumps are left out. */
async function readDumps(folder: string): Promise<Cpu[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const cpus: Cpu[] = [];
  for (const { name, parentPath } of entries.filter((entry) => entry.isFile())) {
    const text = await readFile(join(parentPath, name), "latin1");
    try {
      cpus.push(cpuOf(reportOf(readCpuSource(text, name)), name));
    } catch {
      continue; // a licence, an index
    }
  }
  return cpus;
}
